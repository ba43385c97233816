"""The structure of a torch file, looked at before torch is given it."""

import contextlib
import zipfile
from collections.abc import Iterator
from pathlib import Path

from deeplab.support.errors import CheckpointError
from deeplab.support.torch_program import MOST_TENSORS, Counter, refused
from deeplab.support.zips import TooMany, open_zip

LEGACY_PROGRAMS = 5  # magic number, protocol, system, content, names of the storages
END = b"PK\x05\x06"  # of a zip file: the record that tells where its list begins
END_BYTES = 22


def check_torch_file(path: Path | str) -> None:
    """Look at the structure of a torch file, and at no number in it.

    Raises `CheckpointError` (E-WEIGHTS) for a file that is compressed, describes more than a
    network has or tensors that do not lie in it, E-PICKLE for TorchScript, and what `zipfile`,
    `pickletools` and a broken program raise for a damaged one.
    """
    counter = Counter(path)
    if not zipfile.is_zipfile(path):
        with open(path, "rb") as file:
            for _ in range(LEGACY_PROGRAMS):
                counter.run(file)
        return
    _check_ends(path)
    with _members(path) as archive:
        members = archive.infolist()
        if any(member.filename.endswith("/constants.pkl") for member in members):
            raise CheckpointError.of(
                "E-PICKLE", "the file asks to run code while loading: TorchScript (blocked, "
                "nothing was run)", file=path, expected="tensors, numbers and text only",
                do="do not use this file; ask its author for safetensors")
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise refused(path, "compressed members", "a file as torch.save writes it")
        if sum(member.file_size for member in members) > counter.size:
            raise refused(path, f"{len(members):,} members",
                          "members no larger together than the file")
        for member in members:
            if member.filename.endswith("data.pkl"):
                with archive.open(member) as file:
                    counter.run(file)


def _check_ends(path: Path | str) -> None:
    """Refuse a zip file in which two readers may find two different lists of members."""
    with open(path, "rb") as file:
        begin = file.read(4)
        file.seek(-END_BYTES, 2)
        end = file.read()
    if begin != b"PK\x03\x04" or end[:4] != END or end[-2:] != b"\0\0":
        raise refused(path, "bytes around the members", "a file as torch.save writes it")


@contextlib.contextmanager
def _members(path: Path | str) -> Iterator[zipfile.ZipFile]:
    try:
        with open_zip(path, members=MOST_TENSORS) as archive:
            yield archive
    except TooMany as error:
        raise refused(path, str(error), f"at most {MOST_TENSORS:,} members") from error
