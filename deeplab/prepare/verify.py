"""Decode every image and label of a dataset, and notice if a file ever changes.

The first time that everything is right, sizes and SHA-256 of all files are written to
`manifest-NAME.json` in the data root. From then on every file must be as it was: a flipped
bit in a picture is seldom seen otherwise, for most of them still decode.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tqdm import tqdm

from deeplab.data.catalog import SegmentationDataset, find_root, get_dataset
from deeplab.data.labelset import LabelSet
from deeplab.support.errors import DataError
from deeplab.support.files import read_json, write_json

SHOWN = 20  # problems that are listed; the rest is counted
# the JSON file yields fewer images than PASCAL Context counts (PyTorch-Encoding issue 155)
ALSO_RIGHT = {"context": {"train": 4996, "val": 5104}, "context59": {"train": 4996, "val": 5104}}


@dataclass
class Report:
    """What was found."""

    title: str
    counts: dict[str, int] = field(default_factory=dict)  # images per split
    files: dict[str, list] = field(default_factory=dict)  # path: [bytes, SHA-256]
    problems: list[str] = field(default_factory=list)
    manifest: Path | None = None

    def __str__(self) -> str:
        counts = ", ".join(f"{split} {count:,}" for split, count in self.counts.items())
        shown = [f"  {problem}" for problem in self.problems[:SHOWN]]
        more = len(self.problems) - SHOWN
        return "\n".join([f"{self.title}: {counts}; {len(self.files):,} files, "
                          f"{len(self.problems):,} problems", *shown,
                          *([f"  and {more:,} more"] if more > 0 else [])])


def verify(name: str, data_root: Path, *, part: bool = False) -> Report:
    """Check every file of the splits of dataset `name` below `data_root`, on all cores.

    With `part` the number of images need not be the published one. Writes the manifest if there
    are no problems and none is there yet. Raises `DataError` (E-LAYOUT, E-LIST, E-PAIR) if the
    dataset cannot be read at all.
    """
    label_set = get_dataset(name)
    root = find_root(label_set, data_root)
    report = Report(label_set.title, manifest=data_root / f"manifest-{name}.json")
    for split in label_set.split_sizes or label_set.layout.splits(root):
        samples = SegmentationDataset(label_set, root, split, use_pack=False)
        report.counts[split] = len(samples)
        report.problems += [] if part else _wrong_count(label_set, split, len(samples))
        _check_samples(samples, data_root, report)
        listed = root / (label_set.layout.lists or "").replace("{split}", split)
        if listed.is_file():
            report.files[_key(listed, data_root)] = _identity(listed)
    if report.manifest.exists():
        report.problems += _changes(read_json(report.manifest), report.files)
    elif not report.problems:
        write_json(report.manifest, {
            "dataset": name, "made": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "counts": report.counts, "files": dict(sorted(report.files.items()))})
    return report


def _check_samples(samples: SegmentationDataset, data_root: Path, report: Report) -> None:
    """Decode all samples, note what is wrong and what each file is."""

    def check(index: int) -> tuple[str | None, dict[str, list]]:
        paths = samples.image_path(index), samples.label_path(index)
        try:
            samples[index]
            problem = None
        except DataError as error:
            problem = " | ".join(line.strip() for line in str(error).splitlines()[:3])
        return problem, {_key(path, data_root): _identity(path) for path in paths
                         if path.is_file()}

    with ThreadPoolExecutor() as pool:  # Pillow and SHA-256 let go of the interpreter's lock
        found = pool.map(check, range(len(samples)))
        for problem, files in tqdm(found, samples.split, len(samples), disable=None):
            report.files |= files
            report.problems += [problem] if problem else []


def _key(path: Path, data_root: Path) -> str:
    return path.relative_to(data_root).as_posix()


def _identity(path: Path) -> list:
    """[size in bytes, SHA-256] of a file."""
    content = path.read_bytes()
    return [len(content), hashlib.sha256(content).hexdigest()]


def _wrong_count(label_set: LabelSet, split: str, count: int) -> list[str]:
    right = [sizes[split] for sizes in (label_set.split_sizes, ALSO_RIGHT.get(label_set.name, {}))
             if split in sizes]
    if not right or count in right:
        return []
    return [f"E-COUNT split {split} | found: {count:,} images   expected: "
            f"{' or '.join(f'{size:,}' for size in right)} (--part if that is meant)"]


def _changes(manifest: dict, files: dict[str, list]) -> Iterator[str]:
    """What differs from the manifest, one line for each file."""
    before = manifest["files"]
    for path in sorted(before.keys() | files.keys()):
        if before.get(path) != files.get(path):
            found, expected = ("no file" if entry is None else f"{entry[0]:,} bytes, sha256 "
                               f"{entry[1][:12]}" for entry in (files.get(path), before.get(path)))
            yield (f"E-CHANGED {path} | found: {found}   expected: {expected} "
                   f"(manifest of {manifest['made']})")
