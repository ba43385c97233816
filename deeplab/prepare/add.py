"""Make the entry of a dataset of one's own from its folder, asking nothing that can be seen."""

import hashlib
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from deeplab.data.catalog import DATASETS, SegmentationDataset
from deeplab.data.colours import overlay
from deeplab.data.images import index_palette, read_indices
from deeplab.data.labelset import LabelSet, parse_label_set
from deeplab.prepare.class_file import ClassLine, find_class_file, read_classes, with_values
from deeplab.prepare.look import Found, look_at
from deeplab.support.errors import DataError, UsageError
from deeplab.support.files import atomic_write, write_json
from deeplab.support.listing import files_below, shown
from deeplab.support.own import refuse_linked
from deeplab.support.plain import printable
from deeplab.support.void import IGNORE_INDEX

LISTS = "splits/{split}.txt"  # written where nothing says what is for validation
VAL_SHARE = 5  # every fifth image, chosen by its name
MOST_READ = 500  # labels whose values are counted
RESIZE = [2048, 512]  # VOC's, whose recipe rows of one's own have
SHEET_COLUMNS, SHEET_IMAGES, SHEET_WIDTH = 4, 8, 320  # of the contact sheet; width in pixels


class Added(NamedTuple):
    """What was written, and what was understood, in lines."""

    entry: Path
    sheet: Path
    lines: list[str]


def add_dataset(name: str, folder: Path, entries: Path, *, classes: Path | None = None) -> Added:
    """Look at `folder` and write `entries`/NAME.json and the contact sheet NAME.png beside it.

    Names and colours come from `classes`, or a class file in the folder, or the labels'
    palettes. Where nothing divides the images, lists are written into the folder. Raises
    `UsageError` (E-DATASET) for a name that is taken, `DataError`: E-LOOK, E-CLASSES, and what
    opening raises; then nothing is written but the lists.
    """
    target = entries / f"{name}.json"
    if name in DATASETS or target.exists():
        raise UsageError.of("E-DATASET", f"the name {name!r} is taken", file=target,
                            expected="a new name", do="choose another, or remove that file")
    found = look_at(folder)
    file = classes or find_class_file(folder, files_below(folder).files,
                                      found.labels.rpartition("/")[0])
    counts, images, palette, is_part = _values(folder, found)
    named = _classes(counts, read_classes(file) if file else [], palette)
    if found.splits or found.lists:
        division = ", ".join(f"{split}: {part}" for split, part in found.splits.items()) or \
            f"lists {found.lists}"
    else:
        division = f"no validation images are told; every {VAL_SHARE}th goes to {LISTS}"
        _write_lists(folder, found.ids)
    facts = _entry(name, folder, found, named, counts)
    label_set = parse_label_set(name, facts, target)
    splits = {split: SegmentationDataset(label_set, folder, split, use_pack=False)
              for split in ("train", "val")}
    lines = [f"photographs: {found.images}", f"labels: {found.labels}", f"splits: {division}",
             *(f"  {split}: {len(samples):,} images" for split, samples in splits.items()),
             f"values in {'some of ' * is_part}the labels, "
             + (f"named by {file}:" if file else "for which no class file was found:"),
             *_value_lines(counts, images, label_set),
             *(f"left out: {text}" for text in found.left_out),
             *(f"left out of {split}: {len(names):,} {why}: {shown(names)}" for split, samples in
               splits.items() for why, names in samples.left_out.items())]
    sheet = atomic_write(entries / f"{name}.png", contact_sheet(splits["train"], label_set))
    return Added(write_json(target, facts), sheet, lines)


def _entry(name: str, folder: Path, found: Found, named: Sequence[ClassLine],
           counts: Mapping[int, int]) -> dict[str, Any]:
    layout: dict[str, Any] = {"folders": [folder.name], "images": found.images,
                              "labels": found.labels}
    other = {split: part for split, part in found.splits.items() if part != split}
    if other:
        layout["split_folders"] = other
    if not found.splits:
        layout["lists"] = found.lists or LISTS
    ignored = {IGNORE_INDEX, *counts} - {line.raw for line in named}
    return {"title": name, "layout": layout, "resize": RESIZE, "ignored": sorted(ignored),
            "classes": [{"raw": line.raw, "name": line.name, "color": list(line.colour)}
                        for line in named]}


def _values(folder: Path, found: Found) -> tuple[
        Counter[int], Counter[int], bytes, bool]:
    """Pixels and images of each value, the first palette, and whether only some were read."""
    files = [folder / name for name in found.label_files]
    step = -(-len(files) // MOST_READ)
    counts: Counter[int] = Counter()
    images: Counter[int] = Counter()
    for path in files[::step]:
        values, pixels = np.unique(read_indices(path), return_counts=True)
        counts.update(dict(zip(values.tolist(), pixels.tolist(), strict=True)))
        images.update(values.tolist())
    return counts, images, index_palette(files[0]), step > 1


def _classes(counts: Mapping[int, int], lines: Sequence[ClassLine],
             palette: bytes) -> list[ClassLine]:
    """A class for each value that a class file names, or else for each that occurs (but 255)."""
    colours = {index: tuple(palette[3 * index:3 * index + 3]) for index in range(256)
               if len(palette) >= 3 * index + 3}
    is_ramp = all(colour == (index,) * 3 for index, colour in colours.items())
    known = {line.raw: line for line in with_values(lines)}
    values = [raw for raw, line in known.items() if not line.is_void] if lines else sorted(counts)
    if not lines and len(values) > 2:  # black and white masks mean two classes by 0 and 255
        values = [raw for raw in values if raw != IGNORE_INDEX]
    found = []
    for raw in values:
        line = known.get(raw)
        colour = line and line.colour or (None if is_ramp else colours.get(raw))
        found.append(ClassLine(line.name if line else f"class {raw}", raw,
                               colour or voc_colour(raw)))
    return found


def voc_colour(index: int) -> tuple[int, int, int]:
    """The colour that PASCAL VOC's devkit gives to an index: its bits, spread over R, G and B."""
    return tuple(sum((index >> 3 * bit + channel & 1) << 7 - bit for bit in range(3))
                 for channel in range(3))


def _write_lists(folder: Path, ids: Sequence[str]) -> None:
    """Every fifth id, in the order of a hash of its name, for validation; the others to train."""
    odd = [id for id in ids if printable(id) != id]
    if odd:
        raise DataError.of("E-LOOK", "names that cannot stand in a list, a line each",
                           file=folder, found=shown(odd), expected="printable text",
                           do="rename these files, images and labels alike")
    order = sorted(ids, key=lambda id: hashlib.sha256(id.encode()).digest())
    val = set(order[::VAL_SHARE])
    for split, part in (("train", [id for id in ids if id not in val]),
                        ("val", [id for id in ids if id in val])):
        path = folder / LISTS.replace("{split}", split)
        refuse_linked(path.parent)
        if not path.exists():
            atomic_write(path, "".join(f"{id}\n" for id in part))


def _value_lines(counts: Mapping[int, int], images: Mapping[int, int],
                 label_set: LabelSet) -> Iterator[str]:
    names = dict(zip(label_set.raw_values, label_set.classes, strict=True))
    total = sum(counts.values())
    for raw in sorted(counts.keys() | names.keys()):
        share = (f"{100 * counts[raw] / total:5.1f} % of pixels, in {images[raw]:,} labels"
                 if counts[raw] else "nowhere")
        yield f"  {raw:>3}  {names.get(raw, '(ignored)'):<20} {share}"


def contact_sheet(samples: SegmentationDataset, label_set: LabelSet) -> bytes:
    """The first images of a split with their labels laid over them, as a PNG file."""
    tiles = []
    for index in range(min(SHEET_IMAGES, len(samples))):
        image, label = samples[index]
        tile = Image.fromarray(overlay(image, label, label_set, 0.5))
        tile.thumbnail((SHEET_WIDTH, SHEET_WIDTH))
        tiles.append(tile)
    rows = -(-len(tiles) // SHEET_COLUMNS)
    sheet = Image.new("RGB", (SHEET_COLUMNS * SHEET_WIDTH, rows * SHEET_WIDTH), "white")
    for place, tile in enumerate(tiles):
        row, column = divmod(place, SHEET_COLUMNS)
        sheet.paste(tile, (column * SHEET_WIDTH, row * SHEET_WIDTH))
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()
