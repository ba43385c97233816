"""JupyterLab as a learner uses it: a server over a copy of the notebooks, and a page to it."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
START_SECONDS = 120
CELL_SECONDS = 180
IDLE = """() => { const kernel = jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel;
    return kernel && kernel.status === "idle"; }"""
BUSY_CELLS = """() => [...jupyterapp.shell.currentWidget.content.widgets]
    .filter(cell => cell.promptNode?.innerText?.includes("*")
        || cell.model.executionState === "running").length"""
NOTEBOOK = "() => jupyterapp.shell.currentWidget.content.model.toJSON()"


@contextlib.contextmanager
def serving(python, folder):
    """The address of a JupyterLab over a copy of the notebooks in `folder`, a git repository."""
    for path in [*(PROJECT / "notebooks").glob("*.ipynb"), PROJECT / "notebooks/lab_config.py"]:
        shutil.copy(path, folder)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "-c", "user.name=x", "-c", "user.email=x@localhost", "commit", "--quiet", "-m", "x")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    private = {f"JUPYTER_{name}_DIR": f"{folder}-{name.lower()}"
               for name in ("CONFIG", "DATA", "RUNTIME")}
    log = open(f"{folder}-log", "wb")
    server = subprocess.Popen(
        [python, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1",
         f"--port={port}", f"--ServerApp.root_dir={folder}", "--IdentityProvider.token=",
         "--LabApp.expose_app_in_browser=True", f"--config={folder}/lab_config.py"],
        cwd=folder, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        env={**os.environ, **private, "PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"})
    try:
        _wait_for(f"http://127.0.0.1:{port}/api", server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)
        log.close()


def git(folder, *words):
    """What git prints in `folder`."""
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True,
                          text=True).stdout


def _wait_for(address, server):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        with contextlib.suppress(OSError), opener.open(address, timeout=5):
            return
        time.sleep(0.3)
    raise RuntimeError(f"JupyterLab did not start: exit code {server.poll()}")


class Lab:
    """One notebook in JupyterLab."""

    def __init__(self, page, address, name):
        self.page = page
        page.set_default_timeout(1000 * START_SECONDS)
        page.goto(f"{address}/lab/tree/{name}?reset")
        page.wait_for_function("window.jupyterapp")
        page.wait_for_selector(".jp-Notebook .jp-Cell")
        self.wait()

    def wait(self, seconds=CELL_SECONDS):
        """Until the kernel is idle and no cell waits."""
        self.page.wait_for_function(IDLE)
        self.page.wait_for_function(f"() => ({BUSY_CELLS})() === 0", timeout=1000 * seconds)
        self.page.wait_for_function(IDLE)

    def menu(self, *path):
        """Click a command of the menu bar."""
        self.page.locator(".lm-MenuBar-item", has_text=path[0]).first.click()
        self.page.locator(".lm-Menu-item", has_text=path[1]).first.click()

    def cells(self):
        """The cells as JupyterLab would save them."""
        return self.page.evaluate(NOTEBOOK)["cells"]

    def find(self, words):
        """The index of the first code cell that contains `words`."""
        return next(index for index, cell in enumerate(self.cells()) if cell["cell_type"] == "code"
                    and words in "".join(cell["source"]))

    def select(self, index):
        """Make a cell the active one and bring it into view."""
        self.page.evaluate(
            "async index => { const notebook = jupyterapp.shell.currentWidget.content;"
            " notebook.activeCellIndex = index; notebook.mode = 'command';"
            " await notebook.scrollToItem(index); notebook.activate(); }", index)

    def write(self, index, source):
        """Type `source` into a cell, in place of what is there, with the keyboard."""
        self.select(index)
        self.page.keyboard.press("Enter")
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(source)
        self.page.keyboard.press("Escape")

    def run(self, index):
        """Run one cell with the keyboard; what it printed."""
        self.select(index)
        self.page.keyboard.press("Control+Enter")
        self.page.wait_for_timeout(300)
        self.wait()
        return printed(self.cells()[index])

    def run_above(self, index):
        """Run all cells above one."""
        self.select(index)
        self.page.evaluate("jupyterapp.commands.execute('notebook:run-all-above')")
        self.page.wait_for_timeout(300)
        self.wait()

    def output(self, index):
        """The output area of a cell."""
        self.select(index)
        return self.page.locator(".jp-Cell.jp-mod-active .jp-Cell-outputArea")


def printed(cell):
    """The text of a cell's outputs, and the names of its errors."""
    return "".join("".join(output.get("text", output.get("ename", "")))
                   for output in cell["outputs"])
