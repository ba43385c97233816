"""Decode every image and label of a dataset, and notice if a file ever changes.

The first time that everything is right, sizes and SHA-256 of all files are written to
`manifest-NAME.json` in the data root. From then on every file must be as it was: a flipped
bit in a picture is seldom seen otherwise, for most of them still decode.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from deeplab.data.catalog import (DATASETS, SegmentationDataset, find_root, get_dataset,
                                  published_sizes)
from deeplab.data.images import read_indices
from deeplab.data.labelset import LabelSet
from deeplab.data.layout import UNUSED_LABELS
from deeplab.prepare.manifest import changes
from deeplab.prepare.suspect import (Pixels, images_in_two_splits, labelled_splits,
                                     labels_without_images, odd_borders)
from deeplab.support.errors import DataError, ResourceError
from deeplab.support.files import write_json
from deeplab.support.known import identity, name_below
from deeplab.support.listing import shown
from deeplab.support.pictures import format_of
from deeplab.support.plain import printable

SHOWN = 5  # problems of a kind that are listed; the rest is counted
ODD_SHARE = 0.01  # of the images of a published dataset may be odd: it is scored as it is
ENDINGS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG"}


@dataclass
class Report:
    """What was found."""

    title: str
    manifest: Path
    counts: dict[str, int] = field(default_factory=dict)  # images per split
    files: dict[str, list] = field(default_factory=dict)  # path: [bytes, SHA-256]
    problems: list[DataError] = field(default_factory=list)
    odd: list[DataError] = field(default_factory=list)  # unlikely, but so few that it may be so
    left_out: list[str] = field(default_factory=list)  # files and splits not used, and why
    unwritten: ResourceError | None = None  # why the manifest could not be written
    misnamed: dict[str, None] = field(default_factory=dict)  # of another format than their ending

    def __str__(self) -> str:
        counts = ", ".join(f"{split} {count:,}" for split, count in self.counts.items())
        lines = [f"{self.title}: {counts or 'no split is whole'}; {len(self.files):,} files, "
                 f"{len(self.problems):,} problems"]
        if self.misnamed:
            lines.append(f"  note: {len(self.misnamed):,} files are of another format than their "
                         f"ending says, and are read by their content: {shown(self.misnamed)}")
        lines += [f"  left out: {text}" for text in self.left_out]
        if self.odd:
            lines += [f"  odd, but perhaps so as published: {len(self.odd):,}",
                      *(line for line in grouped(self.odd) if not line.startswith("    do: "))]
        return "\n".join([*lines, *grouped(self.problems)])


def grouped(problems: Iterable[DataError]) -> Iterator[str]:
    """The lines that tell `problems`: those with one advice together, the first few of each."""
    groups = defaultdict(list)
    for problem in problems:
        lines = [line.strip() for line in str(problem).splitlines()]
        advice = [line for line in lines if line.startswith("do: ")]
        groups[problem.code, *advice].append(" | ".join(lines[:len(lines) - len(advice)]))
    for (_, *advice), texts in groups.items():
        yield from (f"  {text}" for text in texts[:SHOWN])
        if len(texts) > SHOWN:
            yield f"    and {len(texts) - SHOWN:,} more"
        yield from (f"    {line}" for line in advice)


class Checked(NamedTuple):
    """What was found of one sample."""

    problem: DataError | None
    odd: DataError | None
    pixels: str | None  # digest of the image's pixels
    files: dict[str, list]
    misnamed: list[str]


def verify(name: str, data_root: Path, *, part: bool = False,
           manifest: Path | None = None) -> Report:
    """Check every file of the splits of dataset `name` below `data_root`, on all cores.

    With `part` the number of images need not be the published one. Writes the manifest, to
    `manifest` or into the data root, if there are no problems and none is there yet. Raises
    `DataError` (E-LAYOUT) if there is no dataset or no split.
    """
    label_set = get_dataset(name)
    root = find_root(label_set, data_root)
    report = Report(label_set.title, manifest or data_root / f"manifest-{name}.json")
    pixels: Pixels = {}
    splits, unlabelled = labelled_splits(label_set.layout, root, label_set.split_sizes)
    report.left_out += [f"split {split}: no image in it has a label" for split in unlabelled]
    for split in splits:
        try:
            samples = SegmentationDataset(label_set, root, split, use_pack=False)
        except DataError as error:
            report.problems.append(error)
            continue
        report.counts[split] = len(samples)
        report.problems += [] if part else _wrong_count(label_set, split, len(samples))
        report.problems += labels_without_images(samples)
        report.left_out += [f"split {split}: {len(names):,} {why}: {shown(names)}" for why, names
                            in samples.left_out.items() if why != UNUSED_LABELS]
        pixels[split] = _check_samples(samples, data_root, report)
        listed = label_set.layout.list_file(root, split)
        if listed.is_file():
            report.files[name_below(listed, data_root)] = identity(listed.read_bytes())
    _judge_odd(report, images_in_two_splits(pixels), is_published=name in DATASETS)
    if not report.counts and not report.problems:
        raise DataError.of("E-LAYOUT", f"{label_set.title} has no splits", file=root,
                           expected=label_set.layout.lists or label_set.layout.images,
                           do="check that the dataset was copied or unpacked completely")
    if report.manifest.is_file():
        report.problems += changes(report.manifest, report.files)
    elif not report.problems:
        try:
            write_json(report.manifest, {
                "dataset": name, "made": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
                "counts": report.counts, "files": dict(sorted(report.files.items()))})
        except ResourceError as error:  # what was found is worth telling all the same
            report.unwritten = error
    return report


def _check_samples(samples: SegmentationDataset, data_root: Path, report: Report,
                   ) -> dict[str, Path]:
    """Decode all samples, note in `report` what is wrong and what each file is.

    Returns the file of each image by the digest of its pixels.
    """
    # a file may be in several splits
    pixels, known = {}, {*map(str, report.problems), *map(str, report.odd)}
    name = printable(samples.split)
    with ThreadPoolExecutor() as pool:  # Pillow and SHA-256 let go of the interpreter's lock
        found = pool.map(lambda index: _check(samples, index, data_root), range(len(samples)))
        for index, checked in enumerate(tqdm(found, name, len(samples), disable=None)):
            report.files |= checked.files
            report.misnamed |= dict.fromkeys(checked.misnamed)
            if checked.problem and str(checked.problem) not in known:
                report.problems.append(checked.problem)
            if checked.odd and str(checked.odd) not in known:
                report.odd.append(checked.odd)
            if checked.pixels:
                pixels[checked.pixels] = samples.image_path(index)
    return pixels


def _check(samples: SegmentationDataset, index: int, data_root: Path) -> Checked:
    image_path, label_path = samples.image_path(index), samples.label_path(index)
    problem, odd, pixels, files, misnamed = None, None, None, {}, []
    try:
        image, _ = samples.decoded(index, thorough=True)
        pixels = hashlib.sha256(image).hexdigest()
    except DataError as error:
        problem = error
    else:
        odd = odd_borders(read_indices(label_path), samples.label_set, label_path)
    for path in (image_path, label_path):
        if path.is_file():
            content = path.read_bytes()
            files[name_below(path, data_root)] = identity(content)
            if ENDINGS.get(path.suffix.lower()) not in (None, format_of(content)) and not problem:
                misnamed.append(name_below(path, data_root))
    return Checked(problem, odd, pixels, files, misnamed)


def _judge_odd(report: Report, leaks: Iterable[DataError], *, is_published: bool) -> None:
    """Make a problem of what is odd, unless it is little and of a dataset that is as it is."""
    report.odd += leaks
    if not is_published or len(report.odd) > ODD_SHARE * sum(report.counts.values()):
        report.problems += report.odd
        report.odd = []


def _wrong_count(label_set: LabelSet, split: str, count: int) -> list[DataError]:
    right = published_sizes(label_set, split)
    if not right or count in right:
        return []
    return [DataError.of("E-COUNT", f"split {split} has another number of images",
                         found=f"{count:,} images", expected=" or ".join(map("{:,}".format, right)),
                         do="copy or unpack the dataset completely, or say --part if a part of it "
                            "is meant")]
