"""The report's page in a browser: what is asked of the pages of the site is asked of it too."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from looks import WIDTHS, Watched

TESTS = Path(__file__).resolve().parents[1]
LARGEST = 6e6  # bytes of a report
LEAST_WORDS = 9  # pixels of a letter in a figure on a phone
DRAWN, FONT = 900, 11 / 72 * 100  # pixels: width of a figure as it is drawn, and its letters
MAKE = """import sys
sys.path[:0] = sys.argv[2:]
from pathlib import Path
from results_folders import leave_pictures
from test_report import fabricate
from deeplab.report.report import Report
from deeplab.runs.config import RunConfig
from deeplab.table.rows import load_rows
root = Path(sys.argv[1])
for number, row in enumerate(load_rows()):
    fabricate(root, row, 40.0 + number, profile="demo")
    leave_pictures(RunConfig.of(row_id=row, results_root=str(root)).folder, number % 4)
Report.make(root, "demo")
"""


@pytest.fixture(scope="module")
def page(python, tmp_path_factory):
    """The report over made-up results of all rows, with pictures, as `deeplab report` writes it."""
    root = tmp_path_factory.mktemp("results")
    folders = [TESTS / name for name in ("report", "helpers")]
    subprocess.run([python, "-c", MAKE, root, *folders], check=True, capture_output=True,
                   env={**os.environ, "PYTHONPATH": str(TESTS.parent)})
    return root / "demo/report.html"


def test_a_report_fits_every_screen_and_is_accessible(page, chromium):
    context = chromium.new_context(bypass_csp=True)
    watched = Watched(context)
    watched.open(page)
    wide = [(width, over) for width in WIDTHS if (over := watched.overflow(width))]
    assert not watched.wrong and not wide and not watched.violations({})
    assert watched.page.locator(".strip img").count() > 2 * 16
    assert page.stat().st_size <= LARGEST
    context.close()


def test_figures_of_a_report_can_be_read_on_a_phone(page, chromium):
    context = chromium.new_context(viewport={"width": WIDTHS[0], "height": 900})
    watched = Watched(context)
    watched.open(page)
    shown = watched.page.eval_on_selector_all(".output_png img", "all => all.map(one => one.width)")
    assert shown and min(shown) / DRAWN * FONT >= LEAST_WORDS
    watched.page.set_viewport_size({"width": 900, "height": 900})
    assert watched.page.evaluate("document.querySelector('.output_png img').width") <= 900
    context.close()


def test_a_printed_report_splits_no_figure_and_cuts_off_nothing(page, chromium):
    context = chromium.new_context(viewport={"width": 794, "height": 1123})  # A4
    watched = Watched(context)
    watched.open(page)
    watched.page.emulate_media(media="print")
    kept = watched.page.eval_on_selector_all("img, figure, tr", """all => all.filter(
        one => getComputedStyle(one).breakInside !== "avoid").length""")
    cut = watched.page.eval_on_selector_all(".strip, .wide, table, .output_png",
                                            """all => all.filter(
        one => one.scrollWidth > document.body.clientWidth).length""")
    assert kept == 0 and cut == 0
    printed = watched.page.pdf(format="A4")
    assert 5 < len(re.findall(rb"/Type\s*/Page\b", printed)) < 40
    context.close()
