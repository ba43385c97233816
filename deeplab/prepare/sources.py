"""Where each dataset comes from: `sources.json` beside this file, as objects.

An archive without an address is one that people must get themselves, after registering.
"""

import functools
import json
from dataclasses import dataclass
from importlib.resources import files

from deeplab.data.catalog import SAME_FILES, stored_as
from deeplab.support.errors import UsageError
from deeplab.support.remote import Remote


@dataclass(frozen=True)
class Archive:
    """One file to fetch, and which part of it becomes which folder below the data root."""

    file: str
    gigabytes: float  # about
    url: str | None = None
    checksum: str | None = None  # see `deeplab.support.remote.Remote`
    length: int | None = None  # bytes
    below: str = ""  # the folder in the archive
    target: str | None = None  # the folder it becomes; None: the file is used as it is
    only: tuple[str, ...] = ("",)  # what is wanted of it
    makes: str | None = None  # the last file that is derived from it

    @property
    def remote(self) -> Remote | None:
        """What to fetch; None for a file that only its user may fetch."""
        return self.url and Remote(self.url, self.gigabytes, self.checksum, self.length)


@dataclass(frozen=True)
class Source:
    """Everything that a dataset is made from."""

    licence: str
    page: str  # where to read more, or to register
    unpacked_gb: float  # on disk after preparing, about
    archives: tuple[Archive, ...]


@functools.cache
def load_sources() -> dict[str, Source]:
    """The sources by dataset, without those that share another's files."""
    text = files("deeplab.prepare").joinpath("sources.json").read_text(encoding="utf-8")
    return {name: Source(**entry | {"archives": tuple(
        Archive(**archive | {"only": tuple(archive.get("only", ("",)))})
        for archive in entry["archives"])}) for name, entry in json.loads(text).items()}


def get_source(name: str) -> Source:
    """The source of dataset `name`; raises `UsageError` (E-SOURCE) for one of your own."""
    name = stored_as(name)
    if name not in load_sources():
        raise UsageError.of("E-SOURCE", f"nothing is known of where {name!r} comes from",
                            found=name, expected=", ".join([*load_sources(), *SAME_FILES]),
                            do="put your own files where its entry says (data/README.md), then "
                               f"run: deeplab data verify {name}")
    return load_sources()[name]
