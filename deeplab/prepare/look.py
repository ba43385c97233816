"""Look at a folder of photographs and label images, and find its layout: where is what."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from deeplab.data.images import read_image, read_indices
from deeplab.support.errors import DataError
from deeplab.support.listing import canonical, files_below, read_list

SPLITS = {"train": ("train", "training", "trn"), "val": ("val", "valid", "validation", "dev"),
          "test": ("test", "testing", "tst")}
SPLIT_OF = {name: split for split, names in SPLITS.items() for name in names}
LOOKED_AT = 5  # files of a group that tell what kind it is
MOST_VALUES = 64  # an image with more different values or colours is a photograph
IMAGE_ENDINGS = ("jpg", "png")  # as `canonical` writes them


class Group(NamedTuple):
    """Files of one ending whose paths differ in split and name alone."""

    pattern: str  # "photos/{split}/", or "photos/" without splits
    ending: str  # "jpg" or "png"
    files: list[str]
    kind: str  # "photos", "labels" (index images) or "masks" (few colours)


@dataclass
class Found:
    """The layout of a folder, and what in it is no part of it."""

    images: str  # pattern with {id}
    labels: str
    splits: dict[str, str]  # split: folder; empty where lists are needed
    lists: str | None
    ids: list[str]  # images with a label, where there are no split folders
    left_out: list[str] = field(default_factory=list)


def look_at(folder: Path) -> Found:
    """The layout of what lies below `folder`.

    Raises `DataError` (E-LOOK) if there are no photographs, no index images beside them, or
    nothing that pairs the two.
    """
    files = files_below(folder).files
    groups = _groups(folder, files)
    photos = [group for group in groups if group.kind == "photos"]
    labels = [group for group in groups if group.kind == "labels"]
    if not photos or not labels:
        raise _nothing(folder, groups)
    pairs = [(score, photo, label, start, ending) for photo in photos for label in labels
             for score, start, ending in [_pairing(photo, label)] if score]
    if not pairs:
        raise DataError.of(
            "E-LOOK", "no label has the name of a photograph", file=folder,
            found=f"{photos[0].files[0]} and {labels[0].files[0]}",
            expected="names that are alike, such as photos/1.jpg and labels/1.png",
            do="rename the labels after their photographs")
    _, photo, label, start, ending = max(pairs, key=lambda pair: pair[0])
    found = _layout(folder, files, photo, label, f"{start}{{id}}{ending}")
    used = {photo.pattern, label.pattern}
    found.left_out += [f"{len(group.files):,} {group.kind} in {group.pattern.strip('/') or '.'}"
                       for group in groups if group.pattern not in used]
    return found


def _groups(folder: Path, files: Sequence[str]) -> list[Group]:
    """Pictures by folder and ending; masks beside photographs are told by what follows a name."""
    found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for file in sorted(files):
        ending = canonical(file).rpartition(".")[2]
        if ending in IMAGE_ENDINGS:
            suffix = re.search(r"[_-][A-Za-z]+\d?$", PurePosixPath(file).stem)
            found[_pattern(file), ending, suffix[0] if suffix else ""].append(file)
    merged: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for (pattern, ending, _), members in found.items():
        merged[pattern, ending, _kind(folder, members)] += members
    return [Group(pattern, ending, sorted(members), kind)
            for (pattern, ending, kind), members in sorted(merged.items())]


def _split_in(file: str) -> tuple[int, str] | None:
    """Which part of a file's folders names a split, and the word; "train_labels" does so too."""
    for place, part in enumerate(file.split("/")[:-1]):
        for word in re.split("[_-]", part):
            if word.lower() in SPLIT_OF:
                return place, word
    return None


def _pattern(file: str) -> str:
    """The folder of a file, with the word that names a split replaced by {split}."""
    parts, split = file.split("/")[:-1], _split_in(file)
    if split:
        place, word = split
        parts[place] = re.sub(rf"(^|(?<=[_-])){re.escape(word)}($|(?=[_-]))", "{split}",
                              parts[place], count=1)
    return "".join(f"{part}/" for part in parts)


def _kind(folder: Path, files: Sequence[str]) -> str:
    """What the files of a group are, by some of them."""
    kinds = Counter(_kind_of(folder / file) for file in files[::max(1, len(files) // LOOKED_AT)])
    return kinds.most_common(1)[0][0]


def _kind_of(path: Path) -> str:
    if canonical(path.name).endswith(".jpg"):
        return "photos"
    try:
        return "labels" if len(np.unique(read_indices(path))) <= MOST_VALUES else "photos"
    except DataError:
        pass  # no index image
    try:
        colours = np.unique(read_image(path).reshape(-1, 3), axis=0)
    except DataError:
        return "unreadable pictures"
    return "masks" if len(colours) <= MOST_VALUES else "photos"


def _pairing(photo: Group, label: Group) -> tuple[int, str, str]:
    """(pairs, what precedes, what follows the name of a photograph in that of its label)."""
    names = {_key(file): PurePosixPath(canonical(file)).stem for file in photo.files}
    forms: Counter[tuple[str, str]] = Counter()
    stems = sorted(set(names.values()), key=len, reverse=True)[:200]
    for file in label.files[:200]:
        stem, ending = PurePosixPath(canonical(file)).stem, f".{label.ending}"
        own = next((name for name in stems if name in stem), None)
        if own is not None:
            before, _, after = stem.partition(own)
            forms[before, after + ending] += 1
    if not forms:
        return 0, "", ""
    (start, ending), _ = forms.most_common(1)[0]
    labels = {_key(file) for file in label.files}
    pairs = sum((split, f"{start}{name}{ending.rpartition('.')[0]}") in labels
                for (split, _), name in names.items())
    return pairs, start, ending


def _key(file: str) -> tuple[str | None, str]:
    """(split, stem) of a file."""
    split = _split_in(file)
    return split and SPLIT_OF[split[1].lower()], PurePosixPath(canonical(file)).stem


def _layout(folder: Path, files: Sequence[str], photo: Group, label: Group, name: str) -> Found:
    """Patterns and splits: folders where there are train and val, else lists or one part."""
    there = {SPLIT_OF[split[1].lower()]: split[1] for split in map(_split_in, photo.files) if split}
    images, labels = f"{photo.pattern}{{id}}.{photo.ending}", f"{label.pattern}{name}"
    if {"train", "val"} <= there.keys() and "{split}" in label.pattern:
        return Found(images, labels, there, None, [])
    part = there.get("train", next(iter(there.values()), ""))
    images, labels = (pattern.replace("{split}", part) for pattern in (images, labels))
    stem = re.compile(re.escape(images).replace(r"\{id\}", "(.+)"))
    known = {match[1]: file for file in photo.files
             if (match := stem.fullmatch(canonical(file)))}
    have = set(map(canonical, label.files))
    ids = [id for id in known if labels.replace("{id}", id) in have]
    found = Found(images, labels, {}, _lists(folder, files, known), ids)
    if len(ids) < len(known):
        found.left_out.append(f"{len(known) - len(ids):,} photographs without a label")
    return found


def _lists(folder: Path, files: Iterable[str], known: dict[str, str]) -> str | None:
    """The pattern of list files train and val that name photographs, if there are such."""
    for file in sorted(files):
        if PurePosixPath(file).name == "train.txt":
            pattern = file.removesuffix("train.txt") + "{split}.txt"
            both = [folder / pattern.replace("{split}", split) for split in ("train", "val")]
            if all(path.is_file() and set(read_list(path, known)) & known.keys() for path in both):
                return pattern
    return None


def _nothing(folder: Path, groups: Sequence[Group]) -> DataError:
    kinds = ", ".join(f"{len(group.files):,} {group.kind} in {group.pattern.strip('/') or '.'}"
                      for group in groups) or "no JPEG or PNG files"
    masks = any(group.kind == "masks" for group in groups)
    return DataError.of(
        "E-LOOK", "no photographs with index images as labels were found", file=folder,
        found=kinds, expected="JPEG or PNG photographs, and PNG labels with a value for each class",
        do="the masks are pictures in colour: deeplab data convert MASKS NEW --colours FILE makes "
           "index images of them" if masks else "choose the folder that holds both")
