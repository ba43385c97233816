"""Which build of PyTorch `make` installs, as far as it can be told without installing."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from deeplab.support.folders import PROJECT

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="needs make")
LOCK = (PROJECT / "requirements.lock").read_text(encoding="utf-8")


def make(venv, *words):
    """What `make lab` would run with an environment at `venv`; (exit code, text)."""
    done = subprocess.run(["make", "-n", "lab", f"VENV={venv}", *words], cwd=PROJECT, text=True,
                          capture_output=True)
    return done.returncode, done.stdout + done.stderr


def torch_commands(venv, *words):
    """The commands that choose torch and write what else is installed."""
    code, text = make(venv, *words)
    assert code == 0, text
    return re.findall(r"sed .*requirements.lock|grep .*requirements", text)


@pytest.mark.parametrize("build", ["cpu", "cu126"])
def test_another_build_has_the_versions_of_the_lock_and_none_of_its_cuda(tmp_path, build):
    choose, rest = torch_commands(tmp_path / "venv", f"TORCH={build}")
    chosen = subprocess.run(choose, shell=True, cwd=PROJECT, text=True, capture_output=True).stdout
    assert chosen.split() == [f"{name}=={re.search(rf'^{name}==(.*)$', LOCK, re.M)[1]}+{build}"
                              for name in ("torch", "torchvision")]
    (tmp_path / "venv").mkdir()
    subprocess.run(rest, shell=True, cwd=PROJECT, check=True)
    left = (tmp_path / "venv/requirements").read_text(encoding="utf-8")
    assert not re.search("^(nvidia|cuda|triton|torch)", left, re.M)
    assert len(LOCK.splitlines()) - len(left.splitlines()) >= 20 and "numpy==" in left
    assert f"whl/{build} " in make(tmp_path / "venv", f"TORCH={build}")[1]


def test_without_a_word_the_lock_is_installed_whole(tmp_path):
    assert "-r requirements.lock" in make(tmp_path / "venv")[1]
    assert torch_commands(tmp_path / "venv") == []


def test_the_build_is_said_once_and_not_changed_under_an_environment(tmp_path):
    for name in ("ready", "torch"):
        (tmp_path / name).write_text("cpu\n")
    assert "/cpu" not in make(tmp_path)[1] and make(tmp_path)[0] == 0
    (tmp_path / "ready").unlink()  # as when the lock has changed
    assert "whl/cpu " in make(tmp_path)[1]
    (tmp_path / "ready").touch()
    code, text = make(tmp_path, "TORCH=cu126")
    assert code == 2 and "holds cpu build of PyTorch, not cu126: make clean first" in text


def test_a_build_that_does_not_exist_is_refused(tmp_path):
    code, text = make(tmp_path, "TORCH=cu999")
    assert code == 2 and "TORCH is cu999, expected cpu or cu126" in text


def test_tests_write_into_memory_unless_another_place_is_named_or_there_is_no_room(tmp_path):
    def command(**more):
        """The line that starts pytest, in an environment whose `df` tells of so many blocks."""
        return next(line for line in subprocess.run(
            ["make", "-n", "test", f"VENV={tmp_path}"], cwd=PROJECT, text=True, env=usual | more,
            capture_output=True, check=True).stdout.splitlines() if "-m pytest" in line)

    usual = {name: value for name, value in os.environ.items() if name != "TMPDIR"}
    mounts = Path("/proc/mounts").read_text() if Path("/proc/mounts").exists() else ""
    fits = os.access("/dev/shm", os.W_OK) and not re.search(" /dev/shm .*noexec", mounts)
    df, place = tmp_path / "df", "TMPDIR=/dev/shm "
    for blocks, is_room in ((9_000_000, fits), (64_000, False)):
        df.write_text(f"#!/bin/sh\necho shm 1 1 {blocks} 1 /dev/shm\n")
        df.chmod(0o755)
        said = command(PATH=f"{tmp_path}:{usual['PATH']}")
        assert said.startswith(place if is_room else "OMP_NUM_THREADS")
    assert command(TMPDIR="/var/tmp").startswith("OMP_NUM_THREADS")
