"""Look at a folder of photographs and label images, and find its layout: where is what."""

import functools
import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
# a folder's name tells a split by a word, alone or before what is annotated: trainannot, val2017
SPLIT_WORD = re.compile(
    rf"(?i)(?:^|(?<=[_-]))({'|'.join(sorted(SPLIT_OF, key=len, reverse=True))})"
    r"(?=$|[_-]|(?:annot\w*|masks?|labels?|images?|imgs?|gt|\d+)$)")
LOOKED_AT = 5  # files of a group that tell what kind it is
MOST_VALUES = 64  # an image with more different values or colours is a photograph
IMAGE_ENDINGS = ("jpg", "png")  # as `canonical` writes them
MOST_PATTERNS, MOST_PAIRS = 400, 200  # the most frequent ones, that are looked at
# in a file's name an id may begin after one or two of these, and end before one or two
STARTS = re.compile(r"[_-]+|(?<=[A-Za-z])(?=\d)")
ENDS = re.compile(
    r"[_-]+[A-Za-z0-9]+$|(?<=\d)[A-Za-z]+$|(?i:masks?|labels?|seg|gt|\.jpe?g|\.png)$")


class Pattern(NamedTuple):
    """What stands before and after the id in the paths of one kind of files."""

    start: str  # "photos/{split}/", or "photos/" without splits
    end: str  # ".jpg", "_mask.png", "/mask.png"

    def __str__(self) -> str:
        return f"{self.start}{{id}}{self.end}"


class Named(NamedTuple):
    """A file, and the split and id that a pattern gives it."""

    split: str  # "" without
    id: str
    file: str


@dataclass
class Found:
    """The layout of a folder, and what in it is no part of it."""

    images: str  # pattern with {id}
    labels: str
    splits: dict[str, str]  # split: folder; empty where lists are needed
    lists: str | None
    ids: list[str]  # images with a label, where there are no split folders
    label_files: list[str]
    left_out: list[str] = field(default_factory=list)


def look_at(folder: Path) -> Found:
    """The layout of what lies below `folder`.

    Every way to cut the paths of the pictures into a pattern and an id is tried; the two patterns
    that share most ids, one of photographs and one of index images, are the layout.
    Raises `DataError` (E-LOOK) if there are no photographs, no index images beside them, or
    nothing that pairs the two.
    """
    files = files_below(folder).files
    pictures = [file for file in sorted(files)
                if canonical(file).rpartition(".")[2] in IMAGE_ENDINGS]
    by_pattern: dict[Pattern, list[Named]] = defaultdict(list)
    for file in pictures:
        for pattern, named in _patterns(file):
            by_pattern[pattern].append(named)
    for photo, label in _pairs(by_pattern):
        pairs = _common(by_pattern[photo], by_pattern[label], "{split}" in label.start)
        if (_kind(folder, [image.file for image, _ in pairs]) == "photos"
                and _kind(folder, [mask.file for _, mask in pairs]) == "labels"):
            return _layout(folder, files, pictures, photo, label, by_pattern[photo], pairs)
    raise _nothing(folder, pictures)


def _patterns(file: str) -> Iterator[tuple[Pattern, Named]]:
    """Every pattern that a file may be named by."""
    path, split = canonical(file), ""
    *parents, name = path.split("/")
    for place, part in enumerate(parents):
        if word := SPLIT_WORD.search(part):
            split = word[1]
            parents[place] = f"{part[:word.start(1)]}{{split}}{part[word.end(1):]}"
            path = "/".join([*parents, name])
            break
    folders = [0, *(match.end() for match in re.finditer("/", path))]
    stem_end, last = path.rindex("."), folders[-1]
    starts = [*folders, *itertools.islice((last + match.end() for match in STARTS.finditer(
        path[last:stem_end])), 2)]
    ends = [stem_end, *(end - 1 for end in folders[1:])]
    end = stem_end
    for _ in range(2):
        if match := ENDS.search(path[last:end]):
            ends.append(end := last + match.start())
    for start, end in itertools.product(starts, ends):
        id = path[start:end]
        if id and "{split}" not in id + path[end:] and (start <= last or end > last):
            yield Pattern(path[:start], path[end:]), Named(split, id, file)


def _pairs(by_pattern: Mapping[Pattern, Sequence[Named]]) -> list[tuple[Pattern, Pattern]]:
    """Pairs of patterns that share ids, the likeliest first: most ids, then the plainest names."""
    by_id: dict[str, list[tuple[str, Pattern]]] = defaultdict(list)
    frequent = sorted(by_pattern, key=lambda pattern: len(by_pattern[pattern]), reverse=True)
    for pattern in frequent[:MOST_PATTERNS]:
        for split, id, _ in by_pattern[pattern]:
            by_id[id].append((split, pattern))
    counts: Counter[tuple[Pattern, Pattern]] = Counter()
    for named in by_id.values():
        for (split, photo), (other, label) in itertools.permutations(named, 2):
            if photo != label and (split == other or "{split}" not in label.start):
                counts[photo, label] += 1

    def plainness(pair: tuple[Pattern, Pattern]) -> tuple[int, int]:
        names = sum(len(pattern.start.rpartition("/")[2]) + len(pattern.end) for pattern in pair)
        return -names, sum(len(pattern.start) for pattern in pair)

    return sorted(counts, key=lambda pair: (counts[pair], plainness(pair)), reverse=True)[
        :MOST_PAIRS]


def _common(photos: Iterable[Named], labels: Iterable[Named],
            by_split: bool) -> list[tuple[Named, Named]]:
    """The photographs that have a label, and it; labels may lie apart from the splits."""
    by_name = {(label.split if by_split else "", label.id): label for label in labels}
    return [(photo, label) for photo in photos
            if (label := by_name.get((photo.split if by_split else "", photo.id)))]


def _kind(folder: Path, files: Sequence[str]) -> str:
    """What most of some of the files are: photos, labels (index images), masks (few colours)."""
    some = files[::max(1, len(files) // LOOKED_AT)]
    return Counter(_kind_of(folder / file) for file in some).most_common(1)[0][0]


@functools.lru_cache(maxsize=4096)
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


def _layout(folder: Path, files: Sequence[str], pictures: Sequence[str], photo: Pattern,
            label: Pattern, photos: Sequence[Named], pairs: Sequence[tuple[Named, Named]]) -> Found:
    """Patterns and splits: folders where there are train and val, else lists or one part."""
    there = {SPLIT_OF[image.split.lower()]: image.split for image, _ in pairs if image.split}
    used = {image.file for image in photos} | {mask.file for _, mask in pairs}
    found = Found(str(photo), str(label), there, None, [], [mask.file for _, mask in pairs],
                  _groups(folder, [file for file in pictures if file not in used]))
    if {"train", "val"} <= there.keys():
        return found
    part = there.get("train", next(iter(there.values()), ""))
    found.images, found.labels = (pattern.replace("{split}", part)
                                  for pattern in (found.images, found.labels))
    known = {image.id: image.file for image in photos if image.split == part}
    found.splits, found.ids = {}, [image.id for image, _ in pairs if image.split == part]
    found.lists = _lists(folder, files, known)
    if len(found.ids) < len(known):
        found.left_out.append(f"{len(known) - len(found.ids):,} photographs without a label")
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


def _groups(folder: Path, files: Iterable[str]) -> list[str]:
    """Pictures by folder, counted and named by what they are."""
    by_folder: dict[str, list[str]] = defaultdict(list)
    for file in files:
        by_folder[file.rpartition("/")[0] or "."].append(file)
    return [f"{len(members):,} {_kind(folder, members)} in {name}"
            for name, members in by_folder.items()]


def _nothing(folder: Path, pictures: Sequence[str]) -> DataError:
    kinds = {kind: file for file in reversed(pictures[::max(1, len(pictures) // 200)])
             for kind in [_kind_of(folder / file)]}
    if {"photos", "labels"} <= kinds.keys():
        return DataError.of(
            "E-LOOK", "no label has the name of a photograph", file=folder,
            found=f"{kinds['photos']} and {kinds['labels']}",
            expected="names that are alike, such as photos/1.jpg and labels/1.png",
            do="rename the labels after their photographs")
    return DataError.of(
        "E-LOOK", "no photographs with index images as labels were found", file=folder,
        found=", ".join(_groups(folder, pictures)[:LOOKED_AT]) or "no JPEG or PNG files",
        expected="JPEG or PNG photographs, and PNG labels with a value for each class",
        do="the masks are pictures in colour: deeplab data convert MASKS NEW --colours FILE makes "
           "index images of them" if "masks" in kinds else "choose the folder that holds both")
