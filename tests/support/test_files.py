"""A file is the old one or the new one, whatever happens; a log ends where its checkpoint says."""

import errno
import hashlib
import math
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from limits import file_size_limit

from deeplab.support.errors import CheckpointError, DataError, ResourceError, UsageError
from deeplab.support.files import (JsonLines, atomic_write, disk_errors, open_output, read_json,
                                   read_json_lines, sha256, write_json)
from deeplab.support.folders import data_folder, results_folder, write_folder
from deeplab.support.locks import locked
from deeplab.support.own import TEMPORARY, sweep_temporaries, temporary_for

OLD, NEW = b"the old content", b"n" * 5000


def python(code, *, crash="", **kwargs):
    """Run `code` in another process, which dies at the crash point `crash`."""
    environment = os.environ | {"DEEPLAB_CRASH": crash}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True,
                          text=True, timeout=60, **kwargs)


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*")
                  if path.is_file())


@pytest.mark.parametrize("content, expected", [
    (b"\x00\xff", b"\x00\xff"), ("Größe", "Größe".encode()),
    (lambda file: [file.write(b"ab"), file.write(b"c")], b"abc")])
def test_bytes_text_and_functions_are_written_into_folders_that_are_made(
        tmp_path, content, expected):
    path = atomic_write(tmp_path / "a/b/x.bin", content)
    assert path.read_bytes() == expected and names(tmp_path) == ["a/b/x.bin"]


@pytest.mark.parametrize("size", [0, 1, 1000, 4096, len(NEW) - 1])
@pytest.mark.parametrize("as_function", [False, True])
def test_on_a_full_disk_the_old_file_stays(tmp_path, size, as_function):
    path = tmp_path / "x.bin"
    path.write_bytes(OLD)
    content = (lambda file: file.write(NEW)) if as_function else NEW
    with file_size_limit(size), pytest.raises(
            ResourceError, match=r"E-DISK no space to write x.bin(.|\n)*x\.bin\n.*MB free"):
        atomic_write(path, content)
    assert path.read_bytes() == OLD and names(tmp_path) == ["x.bin"]


def test_a_file_that_just_fits_is_written(tmp_path):
    with file_size_limit(len(NEW)):
        assert atomic_write(tmp_path / "x.bin", NEW).read_bytes() == NEW


@pytest.mark.parametrize("share", [0, 0.001, 0.01, 0.1, 0.3, 0.7, 0.999])
def test_a_full_disk_is_told_as_such_although_torch_hides_it(tmp_path, share):
    path, state = tmp_path / "step.pt", {"a": torch.zeros(10_000), "b": torch.ones(5_000)}
    atomic_write(path, lambda file: torch.save(state, file))
    before = path.read_bytes()
    with file_size_limit(int(share * len(before))), pytest.raises(ResourceError, match="E-DISK"):
        atomic_write(path, lambda file: torch.save(state, file))
    assert path.read_bytes() == before and names(tmp_path) == ["step.pt"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ResourceError, match=r"E-WRITE cannot write x(.|\n)*file/x\n(.|\n)*--res"):
        atomic_write(tmp_path / "file/x", b"")
    with pytest.raises(ResourceError, match="E-WRITE"):
        JsonLines(tmp_path / "file/log.jsonl", size=0)
    with pytest.raises(ResourceError, match="E-WRITE"):
        open_output(tmp_path / "file/run.log")


@pytest.mark.parametrize("error", [RuntimeError("mine"), DataError("E-X mine"), OSError("mine")])
def test_an_error_of_the_writing_function_comes_through_and_leaves_nothing(tmp_path, error):
    def fail(file):
        file.write(b"half")
        raise error
    with pytest.raises(type(error), match="mine"):
        atomic_write(tmp_path / "x", fail)
    assert names(tmp_path) == []


def test_an_error_of_ours_that_a_full_disk_caused_stays_what_it_is(tmp_path):
    with pytest.raises(CheckpointError), disk_errors(tmp_path):
        try:
            raise OSError(errno.ENOSPC, "full")
        except OSError as error:
            raise CheckpointError("E-X") from error


def test_the_content_is_on_the_disk_before_the_name_is_and_the_name_before_it_returns(
        tmp_path, monkeypatch):
    events = []

    def spy(name):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *args: (events.append(name), real(*args))[1])
    spy("fsync"), spy("replace")
    atomic_write(tmp_path / "x", b"1")
    assert events == ["fsync", "replace", "fsync"]


@pytest.mark.parametrize("point, content", [
    ("write-begin-x.json", OLD), ("write-flushed-x.json", OLD), ("write-synced-x.json", OLD),
    ("write-done-x.json", NEW)])
def test_a_kill_while_writing_leaves_the_old_file_or_the_new_one(tmp_path, point, content):
    path = tmp_path / "x.json"
    path.write_bytes(OLD)
    code = f"from deeplab.support.files import *; atomic_write({str(path)!r}, {NEW!r}); print('alive')"
    result = python(code, crash=point)
    assert (result.returncode, result.stdout) == (-signal.SIGKILL, "")
    assert path.read_bytes() == content
    leftovers = [name for name in names(tmp_path) if name.startswith(TEMPORARY)]
    assert len(leftovers) == (content == OLD)
    sweep_temporaries(tmp_path)
    assert names(tmp_path) == ["x.json"]


@pytest.mark.parametrize("crash, written", [("write-done-1:2", ["0", "1"]), ("step:3", ["0"])])
def test_a_crash_point_can_wait_for_a_later_visit(tmp_path, crash, written):
    code = ("from deeplab.support.files import *; from deeplab.support.crash import *\n"
            f"for name in '01':\n  atomic_write({str(tmp_path)!r} + '/' + name, name)\n"
            "  for visit in range(3): crash_point('step' if name == '0' else 'write-done-1')")
    assert python(code, crash=crash).returncode == -signal.SIGKILL
    assert names(tmp_path) == written


def test_a_folder_is_written_whole_in_place_of_an_older_one(tmp_path):
    (tmp_path / "twin/old").mkdir(parents=True)
    (tmp_path / "twin/old/x").write_bytes(b"x")
    left = temporary_for(tmp_path / "twin")  # by a killed writer
    left.mkdir()
    (left / "x").write_bytes(b"x")
    (tmp_path / f"{TEMPORARY}user").write_bytes(b"x")
    folder = write_folder(tmp_path / "twin", [("a/b.txt", b"1"), ("c.txt", b"2")], replace=True)
    assert names(tmp_path) == [f"{TEMPORARY}user", "twin/a/b.txt", "twin/c.txt"]
    assert (folder / "a/b.txt").read_bytes() == b"1"


def test_a_folder_that_cannot_be_written_whole_is_not_written_at_all(tmp_path):
    write_folder(tmp_path / "twin", [("old", OLD)])
    with file_size_limit(1000), pytest.raises(ResourceError, match="E-DISK no space to write b;"):
        write_folder(tmp_path / "twin", [("a", b""), ("b", NEW)], replace=True)
    with pytest.raises(ZeroDivisionError):
        write_folder(tmp_path / "twin", ((str(n), b"%d" % (1 // n)) for n in (2, 1, 0)),
                     replace=True)
    assert names(tmp_path) == ["twin/old"]


def test_a_folder_whose_writer_is_killed_keeps_its_old_content(tmp_path):
    write_folder(tmp_path / "twin", [("old", OLD)])
    code = ("import os\nfrom pathlib import Path\nfrom deeplab.support.folders import write_folder\n"
            "def files():\n  yield 'new', b'1'\n  os.kill(os.getpid(), 9)\n"
            f"write_folder(Path({str(tmp_path / 'twin')!r}), files(), replace=True)")
    assert python(code).returncode == -signal.SIGKILL
    left, kept = names(tmp_path)
    assert re.fullmatch(r"\.tmp-[0-9a-f]{16}-twin/new", left) and kept == "twin/old"


def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/mine.png").write_bytes(b"x")
    with pytest.raises(UsageError, match="E-EXISTS a folder that deeplab did not make"):
        write_folder(tmp_path / "labels", [("a", b"1")])
    (tmp_path / "linked").symlink_to(tmp_path / "labels")
    with pytest.raises(UsageError, match="E-EXISTS"):
        write_folder(tmp_path / "linked", [("a", b"1")], replace=True)
    assert names(tmp_path / "labels") == ["mine.png"]


@pytest.mark.parametrize("write", [
    lambda path: JsonLines(path, 0), open_output, lambda path: locked(path).__enter__()],
    ids=["log", "output", "lock"])
@pytest.mark.parametrize("plant", [
    Path.symlink_to, Path.hardlink_to, lambda path, victim: os.mkfifo(path)],
    ids=["link", "second name", "pipe"])
def test_a_planted_link_is_refused_and_what_it_names_stays(tmp_path, write, plant):
    victim, path = tmp_path / "victim", tmp_path / "run/file"
    victim.write_bytes(OLD)
    path.parent.mkdir()
    plant(path, victim)
    if path.is_fifo():
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # or the opener gets ENXIO, as well
    with pytest.raises(ResourceError, match="E-LINK a link stands where deeplab writes(.|\n)*file"):
        write(path)
    assert victim.read_bytes() == OLD
    if path.is_fifo():
        os.close(reader)


def test_a_link_at_the_final_name_is_replaced_and_never_followed(tmp_path):
    victim, path = tmp_path / "victim", tmp_path / "x.json"
    victim.write_bytes(OLD)
    path.symlink_to(victim)
    atomic_write(path, NEW)
    assert victim.read_bytes() == OLD and path.read_bytes() == NEW and not path.is_symlink()


def test_of_temporaries_only_our_own_are_swept(tmp_path):
    for name in (".tmp-user", ".tmp-0123-x", f"{temporary_for(tmp_path / 'x').name}"):
        (tmp_path / name).write_bytes(b"")
    sweep_temporaries(tmp_path)
    assert names(tmp_path) == [".tmp-0123-x", ".tmp-user"]


def test_json_comes_back_as_it_went_and_is_readable(tmp_path):
    value = {"name": "Größe", "scores": [1.5, None, True], "empty": {}}
    path = write_json(tmp_path / "x.json", value)
    assert read_json(path) == value and "Größe" in path.read_text(encoding="utf-8")


def test_nan_is_refused_and_the_file_stays(tmp_path):
    path = write_json(tmp_path / "x.json", 1)
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"miou": math.nan})
    assert read_json(path) == 1


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": 1} x', b"\xff\xfe"])
def test_a_broken_json_file_is_named(tmp_path, content):
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(DataError, match=r"E-JSON this is not JSON\n  file: .*x\.json\n  found: "):
        read_json(tmp_path / "x.json")


def test_a_missing_json_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"E-JSON cannot read(.|\n)*y\.json\n  found: No such"):
        read_json(tmp_path / "y.json")


def test_sha256_is_the_one_of_the_standard(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256(tmp_path / "x") == hashlib.sha256(b"abc").hexdigest() == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")


def test_a_log_line_can_be_read_as_soon_as_it_is_written(tmp_path):
    log = JsonLines(tmp_path / "a/log.jsonl", size=0)
    for step in (1, 2):
        log.write(step=step, loss=0.5)
        assert [line["step"] for line in read_json_lines(log.path)] == [*range(1, step + 1)]
    assert log.size == log.path.stat().st_size
    log.close()
    with pytest.raises(ValueError):
        log.write(step=3)


def test_a_resumed_log_loses_what_came_after_its_checkpoint(tmp_path):
    log = JsonLines(tmp_path / "log.jsonl", size=0)
    log.write(step=1)
    size = log.size
    log.write(step=2)
    log.close()
    again = JsonLines(log.path, size=size)
    assert again.size == size
    again.write(step=3)
    assert [line["step"] for line in read_json_lines(log.path)] == [1, 3]
    JsonLines(log.path, size=0).close()
    assert log.path.read_bytes() == b""


def test_a_log_that_is_shorter_than_its_checkpoint_says_is_refused(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"step": 1}\n')
    with pytest.raises(CheckpointError, match="E-LOG(.|\n)*found: 12 bytes   expected: at least 13"):
        JsonLines(tmp_path / "log.jsonl", size=13)
    assert (tmp_path / "log.jsonl").read_text() == '{"step": 1}\n'


def test_a_log_refuses_nan_and_tells_a_full_disk(tmp_path):
    log = JsonLines(tmp_path / "log.jsonl", size=0)
    with pytest.raises(ValueError, match="not JSON compliant"):
        log.write(loss=math.inf)
    assert log.size == 0
    log.write(step=1)
    with file_size_limit(20), pytest.raises(ResourceError, match="E-DISK no space to write log"):
        log.write(step=2)
    assert [line["step"] for line in read_json_lines(log.path)] == [1]


def test_the_last_line_of_a_log_is_left_out_while_it_is_being_written(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"step": 1}\n{"name": "Gr\xc3')
    assert list(read_json_lines(path)) == [{"step": 1}]
    assert list(read_json_lines(tmp_path / "none.jsonl")) == []


def test_a_damaged_log_line_is_named(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"step": 1}\n\x00\x00{"step": 2}\n')
    with pytest.raises(DataError, match=r"E-JSON(.|\n)*log\.jsonl, line 2"):
        list(read_json_lines(path))


def test_folders_are_the_projects_unless_the_environment_names_others(monkeypatch, tmp_path):
    for variable, folder, name in [("DEEPLAB_DATA", data_folder, "data"),
                                   ("DEEPLAB_RESULTS", results_folder, "results")]:
        monkeypatch.delenv(variable, raising=False)
        assert folder().name == name and (folder().parent / "pyproject.toml").is_file()
        monkeypatch.setenv(variable, str(tmp_path))
        assert folder() == tmp_path


def test_a_full_disk_ends_the_command_with_5_and_one_clear_text(tmp_path):
    code = ("import resource, sys; from deeplab.cli.main import main\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (800, 800))\n"
            f"main(['data', 'miniature', 'voc', '--data-root', {str(tmp_path)!r}])")
    result = python(code)
    assert result.returncode == 5 and result.stderr.startswith("E-DISK no space to write 2008_")
    assert "Traceback" not in result.stderr and names(tmp_path) == [".voc.lock"]


def test_what_a_process_prints_goes_to_a_fresh_file(tmp_path):
    for text in (b"a long first text", b"second"):
        with open_output(tmp_path / "a/run.log") as file:
            file.write(text)
    assert (tmp_path / "a/run.log").read_bytes() == b"second"
