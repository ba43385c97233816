"""A machine that is no plain laptop: long temporary paths, lists of threads, other packages."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deeplab.support import machine
from deeplab.support.errors import ResourceError, UsageError
from deeplab.support.machine import child_search_path, socket_folder, thread_count

LOADER = """
import os, sys, tempfile, torch
from torch.utils.data import DataLoader
from deeplab.support.machine import shorten_loader_sockets
for folder in sys.argv[1:]:  # in a process each, which need not import PyTorch again
    if os.fork() == 0:
        os.environ["TMPDIR"], tempfile.tempdir = folder, None  # ask anew
        shorten_loader_sockets()
        loader = DataLoader(torch.arange(8), batch_size=2, num_workers=2)
        print(sum(batch.sum().item() for batch in loader), tempfile.gettempdir())
        sys.exit()
    os.wait()
"""


def test_loaders_talk_although_the_temporary_folder_has_a_long_path(tmp_path):
    long = [tmp_path / ("x" * max(1, length - len(str(tmp_path)) - 1)) for length in (59, 83, 130)]
    for folder in long:
        folder.mkdir(exist_ok=True)
    done = subprocess.run([sys.executable, "-c", LOADER, *map(str, long)], text=True,
                          capture_output=True, timeout=180)
    assert done.stdout.splitlines() == [f"28 {folder}" for folder in long], done.stderr


def test_a_short_folder_stays_and_a_long_or_locked_one_gives_way(tmp_path, monkeypatch):
    short, long = Path("/tmp"), tmp_path / ("y" * 90)
    long.mkdir()
    monkeypatch.setattr(machine.tempfile, "tempdir", str(short))
    assert socket_folder() == "/tmp"
    monkeypatch.setattr(machine.tempfile, "tempdir", str(long))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    assert len(socket_folder()) < 20
    monkeypatch.setattr(machine.os, "access", lambda *words: False)
    with pytest.raises(ResourceError, match="E-TMPDIR(?s:.*)set TMPDIR"):
        socket_folder()


@pytest.mark.parametrize("text, threads", [("3", 3), ("2,1", 2), (" 4 , 2,1", 4)])
def test_a_list_of_threads_means_its_first(monkeypatch, text, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", text)
    assert thread_count() == threads


@pytest.mark.parametrize("text", ["many", "0", "-1", "2.5"])
def test_what_is_no_number_of_threads_is_refused(monkeypatch, text):
    monkeypatch.setenv("OMP_NUM_THREADS", text)
    with pytest.raises(UsageError, match="E-THREADS(?s:.*)OMP_NUM_THREADS|E-THREADS"):
        thread_count()


def test_without_the_variable_every_core_computes(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert thread_count() == os.cpu_count()


def test_children_import_this_package_whatever_else_has_its_name(tmp_path, monkeypatch):
    (tmp_path / "deeplab").mkdir()
    (tmp_path / "deeplab/__init__.py").write_text("raise ImportError('another package')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = subprocess.run([sys.executable, "-c", "import deeplab.support; print(deeplab.__file__)"],
                          cwd="/", env=os.environ | {"PYTHONPATH": child_search_path()}, text=True,
                          capture_output=True, check=True)
    assert Path(done.stdout.strip()) == machine.PACKAGE_PARENT / "deeplab/__init__.py"
    assert child_search_path().endswith(os.pathsep + str(tmp_path))
