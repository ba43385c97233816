"""The manifest of a dataset: size and SHA-256 of each file, as they were at the first `verify`."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from deeplab.support.errors import DataError
from deeplab.support.files import read_json
from deeplab.support.schema import MapOf, Record, Rule, text

MOST_FILES = 10**7
FILE = Rule("[size in bytes, SHA-256]", lambda value: isinstance(value, list)
            and len(value) == 2 and type(value[0]) is int and isinstance(value[1], str))
SHAPE = Record({"made": text(), "files": MapOf(
    FILE, MOST_FILES, Rule("the name of a file", lambda name: len(name) < 4096))})


def changes(path: Path, files: Mapping[str, list]) -> Iterator[DataError]:
    """What differs between the manifest at `path` and `files`, one error (E-CHANGED) for each.

    `files` holds size and SHA-256 by name. A manifest that is none is one error (E-MANIFEST).
    """
    manifest = read_json(path, links=False)
    fault = next(SHAPE.faults(manifest), None)
    if fault:
        yield DataError.of("E-MANIFEST", "this is no manifest of a dataset", file=path,
                           found=fault, do="put the file back; or delete it, and the next "
                                           "`verify` takes the files as they are then")
        return
    before = manifest["files"]
    for name in sorted(before.keys() | files.keys()):
        if before.get(name) != files.get(name):
            found, expected = ("no file" if entry is None else f"{entry[0]:,} bytes, sha256 "
                               f"{entry[1][:12]}" for entry in (files.get(name), before.get(name)))
            yield DataError.of(
                "E-CHANGED", "a file is not as it was", file=name, found=found,
                expected=f"{expected} (manifest of {manifest['made']})",
                do="restore it, or prepare the dataset again; if the change was meant, delete "
                   f"{path}")
