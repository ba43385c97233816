"""A browser for the tests beside this file: Debian's chromium, driven by Playwright.

They run in the site's environment (`make test-browser`) and are skipped where it or chromium is
missing. The course itself, which some of them start, has its own environment: `.venv`, or the
interpreter that $DEEPLAB_PYTHON names.
"""

import os
import shutil
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PYTHON = Path(os.environ.get("DEEPLAB_PYTHON", PROJECT / ".venv/bin/python"))

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def chromium():
    """A browser; one for all tests."""
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="they need the site's environment: make test-browser")
    if not CHROMIUM:
        pytest.skip("browser tests need chromium: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[
            "--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def html():
    """The folder of the site, which `make site` has built."""
    folder = PROJECT / "build/site/html"
    if not (folder / "index.html").is_file():
        pytest.skip("there is no site to look at: make site")
    return folder


@pytest.fixture(scope="session")
def python():
    """The interpreter that the course is installed for."""
    if not PYTHON.is_file():
        pytest.skip(f"the course is not installed: {PYTHON} does not exist; make test")
    return PYTHON
