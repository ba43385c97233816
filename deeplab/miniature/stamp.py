"""The stamp of a twin: what it is, and a digest of each file that was drawn.

By it a changed byte is seen, and by it files are known that somebody else has put there.
"""

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from deeplab.data.root import TWIN_STAMP as STAMP
from deeplab.support.errors import DataError, UsageError
from deeplab.support.files import read_json
from deeplab.support.listing import is_hidden, shown
from deeplab.support.pack import PACKS

File = tuple[str, bytes]  # path relative to the twin's folder, and content


def stamped(drawn: Iterable[File], **facts: Any) -> Iterator[File]:
    """The same files, and last the stamp that says `facts` and a digest of each."""
    digests = {}
    for path, content in drawn:
        digests[path] = _digest(content)
        yield path, content
    yield STAMP, json.dumps(facts | {"files": dict(sorted(digests.items()))}, indent=1).encode()


def is_whole(folder: Path, version: str) -> bool:
    """Whether `folder` holds a twin of this version with every byte in place, and nothing else.

    Packs, which are made of a twin's files and check themselves, may lie beside them, and so
    may hidden files, which no dataset looks at.
    """
    said = _said(folder)
    return said.get("version") == version and said.get("files") == {
        name: _digest(path.read_bytes()) if path.is_file() else None
        for name, path in sorted(_contents(folder).items())
        if not any(map(is_hidden, name.split("/")))}


def refuse_strangers(folder: Path, drawn: Callable[[], Iterable[str]]) -> None:
    """Raise `UsageError` (E-TWIN) if there is a file in a twin that deeplab did not draw.

    To draw a twin anew is to remove what is there. Where the stamp is damaged or of an earlier
    version, files are ours whose names are among those that would be `drawn`.
    """
    listed = _said(folder).get("files")
    ours = listed if isinstance(listed, dict) else set(drawn())
    strangers = [name for name in _contents(folder) if name not in ours]
    if strangers:
        raise UsageError.of(
            "E-TWIN", "files that deeplab did not draw lie in a miniature twin", file=folder,
            found=shown(sorted(strangers)), expected="nothing but the twin, which is drawn anew",
            do="move them elsewhere, and run the same command again; nothing was touched")


def _contents(folder: Path) -> dict[str, Path]:
    """Everything in a twin but folders, its stamp and its packs, by relative name."""
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")
            if (path.is_symlink() or not path.is_dir()) and path != folder / STAMP
            and not (path.parent.name == PACKS and path.suffix == ".pack")}


def _said(folder: Path) -> dict[str, Any]:
    """What the stamp says; nothing where there is none or it is damaged."""
    with contextlib.suppress(DataError):
        said = read_json(folder / STAMP)
        return said if isinstance(said, dict) else {}
    return {}


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()[:16]
