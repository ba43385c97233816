"""The manifest of a dataset: size and SHA-256 of each file, as they were at the first `verify`."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from deeplab.support.errors import DataError
from deeplab.support.files import read_json
from deeplab.support.known import KNOWN, Manifest, changed_file
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
    manifest = _read(path)
    if isinstance(manifest, DataError):
        yield manifest
        return
    for name in sorted(manifest.files.keys() | files.keys()):
        if manifest.files.get(name) != files.get(name):
            yield changed_file(manifest, name, files.get(name))


def expect_unchanged(path: Path) -> None:
    """From now on compare the pictures that this process reads with the manifest at `path`.

    Their names in it are relative to its folder. Without a manifest nothing is compared; raises
    `DataError` (E-MANIFEST, E-JSON) for one that is none.
    """
    KNOWN.pop(path.parent, None)
    if path.is_file():
        manifest = _read(path)
        if isinstance(manifest, DataError):
            raise manifest
        KNOWN[path.parent] = manifest


def _read(path: Path) -> Manifest | DataError:
    content = read_json(path, links=False)
    fault = next(SHAPE.faults(content), None)
    if fault:
        return DataError.of("E-MANIFEST", "this is no manifest of a dataset", file=path,
                            found=fault, do="put the file back; or delete it, and the next "
                                            "`verify` takes the files as they are then")
    return Manifest(path, content["made"], content["files"], {})
