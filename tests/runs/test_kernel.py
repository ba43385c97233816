"""A notebook runs in our own kernel, whatever the user has set up."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile

import nbformat
import pytest

from deeplab.runs.kernel import OwnKernel
from deeplab.runs.notebook import execute
from deeplab.support.errors import KernelDied
from deeplab.support.machine import PACKAGE_PARENT

SOURCE = """
import json, sys, deeplab
json.dump([sys.executable, deeplab.__file__, "habit" in globals(), "startup" in globals()],
          open(out, "w"))
"""


@pytest.fixture
def habits(tmp_path, monkeypatch):
    """A user with start-up files, a kernel spec `python3` of another Python and a long TMPDIR."""
    (tmp_path / "start.py").write_text("habit = 3")
    startup = tmp_path / "ipython/profile_default/startup/00.py"
    startup.parent.mkdir(parents=True)
    startup.write_text("startup = 3")
    spec = tmp_path / "jupyter/kernels/python3/kernel.json"
    spec.parent.mkdir(parents=True)
    spec.write_text(json.dumps({"argv": ["/bin/false"], "display_name": "mine",
                                "language": "python"}))
    (tmp_path / "foreign/deeplab").mkdir(parents=True)
    (tmp_path / "foreign/deeplab/__init__.py").write_text("")
    (tmp_path / ("x" * 90)).mkdir()
    for name, value in {"PYTHONSTARTUP": "start.py", "IPYTHONDIR": "ipython",
                        "JUPYTER_PATH": "jupyter", "PYTHONPATH": "foreign",
                        "TMPDIR": "x" * 90}.items():
        monkeypatch.setenv(name, str(tmp_path / value))
    monkeypatch.setattr("tempfile.tempdir", None)


def test_nothing_that_the_user_has_set_up_reaches_a_run(habits, tmp_path):
    notebook = nbformat.v4.new_notebook(metadata={"language_info": {"name": "python"}})
    notebook.cells = [nbformat.v4.new_code_cell("out = None", metadata={"tags": ["parameters"]}),
                      nbformat.v4.new_code_cell(SOURCE)]
    nbformat.write(notebook, tmp_path / "small.ipynb")
    execute(tmp_path / "small.ipynb", tmp_path / "draft.ipynb",
            {"out": str(tmp_path / "found.json")}, folder=tmp_path)
    assert json.loads((tmp_path / "found.json").read_text()) == [
        sys.executable, str(PACKAGE_PARENT / "deeplab/__init__.py"), False, False]


def test_a_kernel_that_never_started_can_be_cleaned_up():
    asyncio.run(OwnKernel().cleanup_resources())


def test_words_that_are_read_are_not_overwritten_and_not_said_twice(capfd, tmp_path):
    kernel = OwnKernel()
    kernel._said = tempfile.TemporaryFile()
    with kernel._said as file:
        for words in ("first line\n", "second\n"):
            os.write(file.fileno(), words.encode())
            kernel._pass_on()
            kernel._pass_on()
    assert capfd.readouterr().err == "first line\nsecond\n"


async def signals_of_an_end(code):
    """The signals that a kernel gets when it is shut down while it executes `code`."""
    kernel, sent = OwnKernel(), []
    await kernel.start_kernel()
    client = kernel.client()
    client.start_channels()
    await client.wait_for_ready(timeout=60)
    if code:
        client.execute(code)
        while (await client.get_iopub_msg(timeout=30))["header"]["msg_type"] != "stream":
            pass
    provisioner, send = kernel.provisioner, kernel.provisioner.send_signal

    async def note(number):
        sent.append(number)
        await send(number)

    provisioner.send_signal = note
    await kernel.shutdown_kernel()
    await kernel.shutdown_kernel(now=True)  # a second time there is nothing to do
    client.stop_channels()
    assert not kernel.has_kernel
    return sent


SAYS_AND_ENDS = """
import atexit, os
os.write(fd, b"said before\\n")
atexit.register(os.write, fd, b"Traceback of an end\\n")
"""


@pytest.mark.parametrize("end", ["", "os.abort()"], ids=["asked", "died"])
def test_what_a_kernel_says_is_passed_on_until_it_is_asked_to_end(tmp_path, capfd, end):
    notebook = nbformat.v4.new_notebook(metadata={"language_info": {"name": "python"}})
    notebook.cells = [nbformat.v4.new_code_cell("fd = 2", metadata={"tags": ["parameters"]}),
                      nbformat.v4.new_code_cell(SAYS_AND_ENDS + end)]
    nbformat.write(notebook, tmp_path / "small.ipynb")
    with pytest.raises(KernelDied) if end else contextlib.nullcontext():
        execute(tmp_path / "small.ipynb", tmp_path / "draft.ipynb", {}, folder=tmp_path)
    heard = capfd.readouterr().err
    assert heard.splitlines() == ["said before"]


def test_an_idle_kernel_is_not_interrupted_when_it_ends():
    assert asyncio.run(signals_of_an_end("")) == []


def test_a_busy_kernel_is_interrupted_when_it_does_not_end():
    busy = "import time; print('busy', flush=True); time.sleep(60)"
    assert asyncio.run(signals_of_an_end(busy))[0] == signal.SIGINT
