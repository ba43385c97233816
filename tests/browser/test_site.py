"""The site as a reader meets it: from the disk, on a phone and a screen, by day and night."""

import html as html_library
import json
import re
import statistics
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from looks import WIDTHS, Watched

EXPLORERS = Path(__file__).parents[2] / "notebooks/site/explorers"
LESSON = "notebooks/02_atrous_convolution.html"
MILLISECONDS = 100  # that a change in an explorer may take, most of the time


def pages(folder):
    """The pages of a site, and the overlay viewer, which is a page of its own."""
    return sorted(path for path in folder.rglob("*.html"))


def stored(name):
    return json.loads((EXPLORERS / f"{name}.json").read_text("utf-8"))


@pytest.fixture
def light(chromium):
    context = chromium.new_context(color_scheme="light", bypass_csp=True)
    yield context
    context.close()


def test_it_is_small_and_opens_at_once(html, light):
    assert sum(path.stat().st_size for path in html.rglob("*") if path.is_file()) <= 25e6
    watched, loaded, spent = Watched(light), set(), []
    watched.page.on("request", lambda request: loaded.add(request.url))
    for _ in range(4):  # other programs may be at work: the best of four counts
        watched.open(html / "index.html")
        spent.append(watched.page.evaluate(
            "performance.timing.loadEventStart - performance.timing.navigationStart"))
    size = sum(Path(unquote(urlsplit(url).path)).stat().st_size for url in loaded)
    assert min(spent) <= 1000 and size <= 500e3 and not watched.wrong


def test_every_page_fits_every_screen_and_is_accessible_by_day_and_night(html, light):
    watched, wide, found, seen = Watched(light), [], {}, {}
    for path in pages(html):
        watched.open(path)
        wide += [(path.name, width, over) for width in WIDTHS if (over := watched.overflow(width))]
        if violations := watched.violations(seen):
            found[path.relative_to(html).as_posix()] = violations
    assert not watched.wrong and not wide and not found


def test_every_link_leads_somewhere(html):
    texts = {path.resolve(): path.read_text("utf-8") for path in pages(html)}
    names = {path: set(re.findall(r'\bid="([^"]+)"', text)) for path, text in texts.items()}
    dead = []
    for path, text in texts.items():
        for link in re.findall(r'\b(?:href|src)="([^"]+)"', text):
            address = urlsplit(html_library.unescape(link))
            if address.scheme or address.netloc:
                continue
            target = (path.parent / unquote(address.path)).resolve() if address.path else path
            anchor = unquote(address.fragment)
            if not target.is_file() or anchor and target in names and anchor not in names[target]:
                dead.append(f"{path.relative_to(html)}: {link}")
    assert len(texts) > 40 and not dead


def test_search_finds_the_image_level_branch(html, light):
    watched = Watched(light)
    watched.open(html / "index.html")
    watched.page.locator("input[name=q]").fill("image-level")
    watched.page.locator("input[name=q]").press("Enter")
    found = watched.page.locator("#search-results li a")
    found.filter(has_text="ASPP").first.wait_for()
    assert not watched.wrong


def test_hints_and_solutions_are_folded_and_open(html, light):
    watched = Watched(light)
    watched.open(html / LESSON)
    hint = watched.page.locator("details", has_text="Hint 1").first
    inside = hint.locator("p").first
    assert not inside.is_visible()
    hint.locator("summary").click()
    assert inside.is_visible()
    watched.page.get_by_role("link", name="Solution to exercise 2.1").click()
    answer = watched.page.locator("pre", has_text="def my_padding")
    assert "solutions" in watched.page.url and not answer.is_visible()
    watched.page.locator("details.above-input, details.hide").nth(1).locator("summary").click()
    assert answer.is_visible() and not watched.wrong


def said(page):
    return page.locator(".explorer-status").inner_text()


def press(page, key):
    """Press a key in the page; the milliseconds until its listeners are done and it is drawn."""
    page.evaluate("""() => { window.started = 0; addEventListener("keydown", () => {
        window.started = performance.now();
        requestAnimationFrame(() => setTimeout(
            () => { window.took = performance.now() - started; }));
    }, {capture: true, once: true}); window.took = null; }""")
    page.keyboard.press(key)
    page.wait_for_function("window.took !== null")
    return page.evaluate("window.took")


def test_the_rate_explorer_answers_keys_pointer_and_sliders(html, chromium):
    context = chromium.new_context(has_touch=True, viewport={"width": 400, "height": 900})
    watched = Watched(context)
    page = watched.page
    watched.open(html / "explorers/rates.html")
    assert "9 of 9 taps inside" in said(page)
    for example in stored("rates")["examples"]:
        rate, row, column, stride = example["kernel"]
        kernel = {"rate": rate, "row": row, "column": column, "stride": stride}
        told = page.evaluate("kernel => explorers.rates.sentence(kernel)", kernel)
        assert told == example["sentence"]
    page.locator(".rates-picture").focus()
    spent = [press(page, key) for key in "++++++++++++"]
    assert "rate 18: 1 of 9 taps" in said(page) and page.locator(".rates-outside").count() == 8
    page.locator("label", has_text="8").locator("input[type=radio]").check()
    assert said(page).startswith("Output stride 8, rate 18: 9 of 9")
    page.locator(".explorer-slider input").first.fill("36")
    assert "rate 36: 1 of 9" in said(page)
    page.locator(".rates-picture").focus()
    spent.append(press(page, "ArrowLeft"))
    assert page.locator(".explorer-slider output").nth(2).inner_text() == "248"
    box = page.locator(".rates-picture").bounding_box()
    page.touchscreen.tap(box["x"] + 5, box["y"] + 5)
    assert page.locator(".explorer-slider output").nth(1).inner_text() == "0"
    assert statistics.median(spent) <= MILLISECONDS and not watched.wrong
    context.close()


def test_the_mixer_answers_keys_and_buttons(html, light):
    watched = Watched(light)
    page, content = watched.page, stored("mixer")
    watched.open(html / "explorers/mixer.html")
    scores = content["images"][0]["miou"]
    assert f"all branches on: {scores[31]:.1f} %" in said(page)
    page.locator(".explorer-buttons button").first.focus()
    spent = [press(page, key) for key in "121245"]
    assert f"without rate 3, image-level: {scores[7]:.1f} %" in said(page)
    page.keyboard.press("4")
    assert f"without image-level: {scores[15]:.1f} % mIoU" in said(page)
    page.get_by_role("button", name="rate 2").click()
    assert f"without rate 2, image-level: {scores[11]:.1f} %" in said(page)
    assert page.get_by_role("button", name="rate 2").get_attribute("aria-pressed") == "false"
    page.get_by_label("14").check()
    assert f"{content['images'][1]['miou'][11]:.1f} %" in said(page)
    drawn = page.locator(".mixer-frame img").nth(2)
    assert "mixer-14.png" in drawn.get_attribute("src")
    assert drawn.evaluate("image => image.decode().then(() => image.naturalWidth)") == 8 * 128
    assert statistics.median(spent) <= MILLISECONDS and not watched.wrong


def test_the_table_explorer_says_what_the_package_says(html, light):
    watched = Watched(light)
    page, content = watched.page, stored("table")
    watched.open(html / "explorers/table.html")
    for example in content["examples"]:
        view = {key: example[key] for key in ("axes", "datasets", "backbones", "strides")}
        assert page.evaluate("view => explorers.table.sentence(view)", view) == example["sentence"]
    assert said(page).startswith("16 of 16 rows") and page.locator(".table-panels svg").count() == 5
    box = page.get_by_label("cityscapes", exact=True).first
    box.focus()
    spent = [press(page, "Space")]
    assert said(page).startswith("12 of 16 rows") and page.locator(".table-panels svg").count() == 4
    page.get_by_label("hours").check()
    assert "times the hours" in said(page)
    for name in ("50", "101"):
        page.get_by_label(name, exact=True).uncheck()
    assert said(page) == "No row of the table is chosen."
    assert statistics.median(spent) <= MILLISECONDS and not watched.wrong


def test_the_overlay_viewer_lives_in_the_page_of_its_lesson(html, light):
    watched = Watched(light)
    watched.open(html / "notebooks/00_start_here.html")
    frame_place = watched.page.locator("iframe.explorer-frame")
    frame_place.scroll_into_view_if_needed()
    frame = watched.page.frame_locator("iframe.explorer-frame")
    shown = frame.locator("#layers button[aria-pressed=true]")
    assert shown.inner_text() == "truth"
    shown.focus()
    for key, layer in (("g", "prediction"), ("e", "errors")):
        start = time.perf_counter()
        watched.page.keyboard.press(key)
        assert shown.inner_text() == layer
        assert time.perf_counter() - start < 1
    frame.locator("#view").hover(position={"x": 20, "y": 200})
    assert re.match(r"row \d+, column \d+: truth \w+, prediction \w+",
                    frame.locator("#here").inner_text())
    assert not watched.wrong


def test_a_line_of_100_columns_fits_a_cell_on_a_screen(html, light):
    watched = Watched(light)
    watched.open(html / LESSON)
    for width in WIDTHS[1:]:
        watched.page.set_viewport_size({"width": width, "height": 900})
        heights = watched.page.evaluate("""() => [1, 100, 200].map(columns => {
            const cell = document.querySelector(".cell_input pre");
            cell.textContent = "x".repeat(columns);
            return cell.clientHeight; })""")
        assert heights[0] == heights[1] < heights[2]


def test_a_figure_leads_to_itself_at_full_size(html, light):
    watched = Watched(light)
    watched.open(html / LESSON)
    page = watched.page
    linked = page.locator("article a img, .explorer img")
    assert page.locator("article img").count() == linked.count() > 5
