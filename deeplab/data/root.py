"""Find the root of a dataset below a data root, or say where it may be."""

from collections.abc import Iterator
from pathlib import Path

from deeplab.data.layout import Layout
from deeplab.support.errors import DataError
from deeplab.support.listing import shown

TWIN_STAMP = "miniature.json"  # lies at the top of a miniature twin, and of no real dataset


def find_root(layout: Layout, data_root: Path | str, *, title: str = "the dataset") -> Path:
    """The root of a dataset below `data_root`, or `data_root` if it is the root itself.

    Raises `DataError` (E-LAYOUT) with the expected tree, what is there instead and, when the
    dataset lies up to two levels above or below, the folder to pass; a twin is never proposed.
    """
    data_root = Path(data_root)
    root = layout.root_below(data_root)
    if root is not None:
        return root
    images, labels = layout.landmarks()
    near = next((folder for folder in _nearby(data_root) if (other := layout.root_below(folder))
                 and not any((place / TWIN_STAMP).exists() for place in (other, *other.parents))),
                None)
    raise DataError.of(
        "E-LAYOUT", f"{title} is not here", file=data_root, found=_entries(data_root),
        expected=f"{layout.folders[0]}/ with {images}/ and {labels}/ in it",
        do=f"pass --data-root {near}" if near else
        "pass the folder that holds it with --data-root; data/README.md says where to get it")


def _nearby(folder: Path) -> Iterator[Path]:
    """Folders one and two levels above and below, nearest first."""
    absolute = folder.absolute()
    yield from absolute.parents[:2]
    for pattern in ("*", "*/*"):
        yield from sorted(path for path in folder.glob(pattern) if path.is_dir())


def _entries(folder: Path) -> str:
    """The first few names in a folder, as an error message shows them."""
    if not folder.is_dir():
        return "no such folder" if not folder.exists() else "a file, not a folder"
    names = sorted(path.name + "/" * path.is_dir() for path in folder.iterdir())
    return shown(names) or "an empty folder"
