"""From official archives to the tree that the catalogue reads, in steps that can be repeated.

Each step leaves a folder that appears whole or not at all; a step whose folder is there is
not done again. So a preparation that was interrupted, by whatever, is simply started again.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from deeplab.data.catalog import get_dataset
from deeplab.prepare.archives import unpack
from deeplab.prepare.context import derive_context
from deeplab.prepare.sbd import derive_trainaug
from deeplab.prepare.sources import Archive, Source, get_source
from deeplab.support.download import Patience, fetch
from deeplab.support.errors import DataError, ResourceError
from deeplab.support.folders import data_folder
from deeplab.support.locks import locked
from deeplab.support.remote import check

DOWNLOADS = "downloads"  # below the data root


def announce(name: str, data_root: Path, archives: Path | None = None) -> str:
    """What preparing `name` will fetch, from where, under which licence and how large."""
    source = get_source(name)
    lines = [f"{get_dataset(name).title}: {source.licence} ({source.page})"]
    for archive in source.archives:
        place = _place(archive, data_root, archives)
        state = ("done already" if _is_done(archive, data_root) else
                 f"is at {place}" if place.exists() else
                 f"to fetch from {archive.url}" if archive.url else
                 f"to be downloaded by you, after registering, to {place}")
        lines.append(f"  {archive.file}  {archive.gigabytes:.2f} GB  {state}")
    return "\n".join([*lines, f"  unpacked about {source.unpacked_gb:.1f} GB, in {data_root}"])


def prepare(name: str, data_root: Path | None = None, *, archives: Path | None = None,
            say: Callable[[str], None] = print, patience: Patience = Patience(),
            local_http: bool = False) -> Path:
    """Bring dataset `name` below `data_root` into the form that the catalogue reads.

    Archives are taken from the folder `archives` if they are there, or else fetched into
    downloads/. Returns the data root. `local_http` is for tests.
    Raises `DataError`: E-SOURCE, E-FETCH for a file that only its user may fetch, and those of
    `fetch`, `unpack` and the derivations; `ResourceError` (E-DISK).
    """
    source, data_root = get_source(name), Path(data_root or data_folder())
    with locked(data_root / ".prepare.lock", wait=True):
        _check_space(source, data_root, archives)
        for archive in source.archives:
            if _is_done(archive, data_root) or (
                    archive.target and (data_root / archive.target).is_dir()):
                continue
            path = _obtain(archive, data_root, archives, patience, local_http)
            if archive.target:
                say(f"unpacking {archive.file}")
                with tqdm(desc=archive.target, unit=" files", disable=None) as bar:
                    unpack(path, data_root / archive.target, below=archive.below,
                           only=archive.only, progress=lambda name: bar.update())
        _derive(name, source, data_root, archives, say)
    say(f"{get_dataset(name).title} is in {data_root}; "
        f"check it with: deeplab data verify {name} --data-root {data_root}")
    return data_root


def _derive(name: str, source: Source, data_root: Path, archives: Path | None,
            say: Callable[[str], None]) -> None:
    """Make what no archive holds: VOC's trainaug, and the labels of Context."""
    root, last = data_root / source.archives[0].target, source.archives[-1]
    if last.makes is None or _is_done(last, data_root):
        return
    if name == "voc":
        say(f"trainaug: {derive_trainaug(data_root / last.target, root):,} images")
    else:
        counts = derive_context(_place(last, data_root, archives), root)
        say(", ".join(f"{split}: {count:,} images" for split, count in counts.items()))


def _is_done(archive: Archive, data_root: Path) -> bool:
    """Whether nothing more is needed of the archive."""
    return (data_root / (archive.makes or archive.target)).exists()


def _place(archive: Archive, data_root: Path, archives: Path | None) -> Path:
    """Where the archive is, or is to be."""
    given = archives / archive.file if archives else None
    return given if given and given.exists() else data_root / DOWNLOADS / archive.file


def _obtain(archive: Archive, data_root: Path, archives: Path | None, patience: Patience,
            local_http: bool) -> Path:
    """The checked archive, fetched if need be."""
    path, remote = _place(archive, data_root, archives), archive.remote
    if path.exists():
        if remote:
            check(path, remote)
        return path
    if remote is None:
        raise DataError.of("E-FETCH", f"{archive.file} is not here, and may not be fetched for you",
                           file=path, found="no such file", expected="downloaded by you",
                           do="register at the page of the dataset, download the file and pass "
                              "its folder with --from")
    with tqdm(desc=archive.file, unit="B", unit_scale=True, disable=None) as bar:

        def show(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return fetch(remote, data_root / DOWNLOADS, patience=patience, progress=show,
                     local_http=local_http)


def _check_space(source: Source, data_root: Path, archives: Path | None) -> None:
    """Raise `ResourceError` (E-DISK) unless what is still missing will fit on the disk."""
    missing = [archive for archive in source.archives if not _is_done(archive, data_root)]
    needed = sum(archive.gigabytes for archive in missing
                 if not _place(archive, data_root, archives).exists())
    needed += source.unpacked_gb if missing else 0
    free = shutil.disk_usage(data_root).free / 1e9
    if free < needed:
        raise ResourceError.of("E-DISK", "not enough space to prepare this dataset",
                               file=data_root, found=f"{free:.1f} GB free",
                               expected=f"about {needed:.1f} GB",
                               do="free space, or choose another disk with --data-root")
