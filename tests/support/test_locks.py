"""A lock has one holder, names it, and dies with it."""

import errno
import fcntl
import subprocess
import sys
import threading
import time

import pytest

from deeplab.support.errors import LockedError, ResourceError
from deeplab.support.locks import is_locked, locked

HOLDER = """
import sys, time
from pathlib import Path
from deeplab.support.locks import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock `tmp_path/run/lock`."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path / "run/lock")],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_second_process_is_refused_and_told_who_holds_the_lock(tmp_path, holder):
    start = time.monotonic()
    with pytest.raises(LockedError, match=rf"E-LOCKED(.|\n)*found: pid {holder.pid} on \S+ since "
                                          r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"):
        with locked(tmp_path / "run/lock"):
            pass
    assert is_locked(tmp_path / "run/lock") and time.monotonic() - start < 2


def test_death_frees_the_lock_at_once(tmp_path, holder):
    holder.kill()
    holder.wait()
    assert not is_locked(tmp_path / "run/lock")
    with locked(tmp_path / "run/lock"):
        assert is_locked(tmp_path / "run/lock")


def test_who_waits_gets_the_lock_when_its_holder_ends(tmp_path, holder):
    threading.Timer(0.2, holder.stdin.close).start()
    with locked(tmp_path / "run/lock", wait=True):
        holder.wait(timeout=10)
    assert holder.returncode == 0


def test_an_end_or_an_error_frees_the_lock(tmp_path):
    with locked(tmp_path / "lock"):
        pass
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "lock"):
        1 / 0
    assert not is_locked(tmp_path / "lock")


def test_a_glance_of_another_process_at_the_lock_is_no_holder(tmp_path):
    path = tmp_path / "lock"
    path.touch()
    glance = open(path)
    fcntl.flock(glance, fcntl.LOCK_SH)
    threading.Timer(0.1, glance.close).start()
    with locked(path):
        pass


def test_nothing_is_locked_where_there_is_no_lock(tmp_path):
    assert not is_locked(tmp_path / "lock") and not (tmp_path / "lock").exists()


def test_a_lock_that_cannot_be_made_is_an_error_of_ours(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ResourceError, match="E-WRITE"), locked(tmp_path / "file/lock"):
        pass


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
@pytest.mark.parametrize("wait", [False, True])
def test_a_file_system_without_locks_is_named_with_a_remedy(tmp_path, monkeypatch, number, wait):
    def refuse(*words):
        raise OSError(number, "it cannot")
    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(ResourceError, match="E-LOCK (?s:.*)found: it cannot(?s:.*)--results"):
        with locked(tmp_path / "run/lock", wait=wait):
            pass
    assert not is_locked(tmp_path / "run/lock")
