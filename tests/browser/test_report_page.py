"""The report's page in a browser: what is asked of the pages of the site is asked of it too."""

import os
import subprocess
from pathlib import Path

import pytest
from looks import WIDTHS, Watched

TESTS = Path(__file__).resolve().parents[1]
MAKE = """import sys
sys.path[:0] = sys.argv[2:]
from pathlib import Path
from test_report import fabricate
from deeplab.report.report import make_report
root = Path(sys.argv[1])
for row, miou in (("voc_r50_d8", 77.5), ("voc_r50_d16", 70.0), ("cityscapes_r50_d8", 79.0)):
    fabricate(root, row, miou)
make_report(root, "full")
"""


@pytest.fixture(scope="module")
def page(python, tmp_path_factory):
    """The report over made-up results, as `deeplab report` writes it."""
    root = tmp_path_factory.mktemp("results")
    subprocess.run([python, "-c", MAKE, root, TESTS / "report", TESTS / "helpers"], check=True,
                   capture_output=True, env={**os.environ, "PYTHONPATH": str(TESTS.parent)})
    return root / "full/report.html"


def test_a_report_fits_every_screen_and_is_accessible(page, chromium):
    context = chromium.new_context(bypass_csp=True)
    watched = Watched(context)
    watched.open(page)
    wide = [(width, over) for width in WIDTHS if (over := watched.overflow(width))]
    assert not watched.wrong and not wide and not watched.violations({})
    context.close()
