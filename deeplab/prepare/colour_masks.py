"""Colour masks into index images: each colour of a table becomes the value of its class."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from deeplab.data.images import index_png, read_image
from deeplab.prepare.class_file import ClassLine, read_classes, with_values
from deeplab.support.errors import DataError, UsageError
from deeplab.support.folders import write_folder
from deeplab.support.listing import files_below

SHOWN = 8  # unknown colours that an error message lists
CLASS_FILE = "classes.csv"  # written beside the masks; `deeplab data add` reads it


def convert_masks(source: Path, target: Path, colours: Path) -> tuple[int, list[ClassLine]]:
    """Write each mask (PNG) below `source` as an index PNG of the same name below `target`.

    `colours` is a file of classes with colours (JSON, CSV, label_colors.txt). Returns the number
    of masks and the classes with their values. Raises `DataError`: E-CLASSES; E-IMAGE for masks
    that cannot be decoded; E-COLOUR, with counts, for colours that are not in the table; then
    nothing is written. Raises `UsageError` (E-TARGET) if there is something in `target`.
    """
    if target.exists() and any(target.iterdir()):
        raise UsageError.of("E-TARGET", "the folder for the converted masks is not empty",
                            file=target, expected="a new or an empty folder",
                            do="choose another folder; nothing was written")
    classes = _coloured(colours)
    names = [name for name in sorted(files_below(source).files) if name.lower().endswith(".png")]
    if not names:
        raise DataError.of("E-IMAGE", "there are no masks here", file=source,
                           found="no PNG files", expected="colour masks as PNG",
                           do="choose the folder of the masks; lossy formats cannot be converted")
    write_folder(target, _converted(source, names, classes, colours), replace=True)
    return len(names), classes


def _coloured(path: Path) -> list[ClassLine]:
    """The classes of a file with values; raises `DataError` (E-CLASSES) for one without colour."""
    classes = with_values(read_classes(path))
    bare = [line.name for line in classes if line.colour is None]
    if bare:
        raise DataError.of("E-CLASSES", "classes without a colour", file=path,
                           found=", ".join(bare[:SHOWN]), expected="red, green and blue of each",
                           do="add three numbers 0..255 to each line")
    return classes


def _converted(source: Path, names: Sequence[str], classes: Sequence[ClassLine],
               colours: Path) -> Iterator[tuple[str, bytes]]:
    """(name, index PNG) of each mask, then the class file; raises E-COLOUR when all are read."""
    table = np.array([_code(np.array(line.colour)) for line in classes])
    order = np.argsort(table)
    values = np.array([line.raw for line in classes], np.uint8)[order]
    strange: Counter[int] = Counter()
    places: dict[int, str] = {}
    for name in names:
        codes = _code(read_image(source / name).astype(np.int32))
        index = np.searchsorted(table[order], codes).clip(max=len(table) - 1)
        wrong = table[order][index] != codes
        if wrong.any():
            found, counts = np.unique(codes[wrong], return_counts=True)
            strange.update(dict(zip(found.tolist(), counts.tolist(), strict=True)))
            for code in found.tolist():
                places.setdefault(code, name)
        elif not strange:
            yield name, index_png(values[index])
    if strange:
        raise _unknown_colours(strange, places, source, colours)
    lines = [f"{line.raw},{line.name},{','.join(map(str, line.colour))}\n" for line in classes]
    yield CLASS_FILE, "".join(["value,name,red,green,blue\n", *lines]).encode()


def _code(rgb: np.ndarray) -> np.ndarray:
    """Colours (..., 3) as one number each."""
    return (rgb[..., 0] << 16) | (rgb[..., 1] << 8) | rgb[..., 2]


def _unknown_colours(strange: Counter[int], places: dict[int, str], source: Path,
                     colours: Path) -> DataError:
    listed = "".join(
        f"\n    ({code >> 16}, {code >> 8 & 255}, {code & 255}) {count:,} pixels, first in "
        f"{places[code]}" for code, count in strange.most_common(SHOWN))
    more = f"\n    and {len(strange) - SHOWN:,} more colours" if len(strange) > SHOWN else ""
    return DataError.of(
        "E-COLOUR", f"{len(strange):,} colours of the masks are not in the table", file=source,
        found=listed + more, expected=f"the colours of {colours}",
        do="add them to the table; many colours with few pixels mean smoothed edges: export the "
           "masks without smoothing")
