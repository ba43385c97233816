"""What a results folder may hold: the shape of each of its JSON files, and their only readers.

A folder may have been copied from a stranger, or cut short by a full disk. Every value is
looked at before it is used, so that a damaged file is one sentence and not a traceback.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from deeplab.runs.config import RunConfig, row_facts
from deeplab.runs.parameters import PARAMETERS, command_words
from deeplab.support.errors import DataError, ResourceError
from deeplab.support.files import read_json, read_json_lines, sha256
from deeplab.support.own import refuse_linked
from deeplab.support.schema import (ListOf, MapOf, Record, Rule, Shape, flag, maybe, number, text,
                                    whole)
from deeplab.support.seal import is_intact

LARGEST = 2**20  # bytes of a record; a result with 150 classes has some 6,000
MOST_LINES = 200_000  # of a log
MOST_CLASSES = 256
DO = ("put the file back, or add --again to `deeplab run`, which sets this folder aside and "
      "makes it anew")
PATH = Rule("a path, a name, a number, true, false or null", lambda value: value is None or type(
    value) in (bool, int) or isinstance(value, str) and len(value) < 4096 and not re.search(
        r"[\x00-\x1f\x7f-\x9f]", value))

SCORE, STEP, LIBRARY = maybe(number(0, 100)), whole(0, 10**9), maybe(text())
SURROUNDINGS = dict.fromkeys(
    ("torch", "torchvision", "numpy", "pillow", "opencv-python-headless", "python", "machine",
     "commit", "gpu", "cuda"), LIBRARY) | {
    "dirty": maybe(flag()), "cudnn": maybe(whole()),
    "tf32": Rule("null or an object of true and false", lambda value: value is None or isinstance(
        value, Mapping) and all(isinstance(one, bool) for one in value.values()))}
VARIANT = {  # of a row of the paper's tables
    "table": text(), "what": text(), "checked": flag(), "iterations": STEP, "trained_as": text(),
    "blocks": maybe(whole(4, 7)), "multi_grid": ListOf(whole(1, 9), 3),
    "aspp_rates": ListOf(whole(1, 99), 9), "image_level": flag(),
    "eval_output_stride": maybe(whole(1, 256)), "scales": ListOf(number(0, 9), 9), "flip": flag(),
    "label_downsampled": flag(), "train_norm": flag()}
EVALUATION = {
    "row_id": text(), "dataset": text(), "backbone": text(), "output_stride": whole(1, 256),
    "crop_height": STEP, "crop_width": STEP, "base_lr": number(0), "weight_decay": number(0),
    "batch_size": STEP, "epochs": maybe(STEP), "train_split": text(), "eval_split": text(),
    "inference": text(), "published_miou": SCORE, "published_weights": text(), "source": text(),
    "profile": text(), "num_images": STEP, "class_iou": MapOf(SCORE, MOST_CLASSES),
    "minutes": number(0), "device": text(), "threads": whole(1, 4096), **VARIANT,
    **SURROUNDINGS}
TRAINING = {
    "seed": whole(0, 2**31), "complete": flag(), "gmacs": number(0), "parameters": whole(),
    "peak_memory_mb": maybe(whole()), "backbone_weights": text(),
    "deviations": ListOf(whole(1, 999), 99), "command": text(4096), "log": text(64)}
RESULT = Record({"miou": SCORE, "steps": STEP, "total_steps": STEP}, EVALUATION | TRAINING)
PUBLISHED = Record({"miou": SCORE, "num_images": STEP, "row_id": text(), "profile": text()},
                   EVALUATION)
NEEDED = ("complete", "num_images", "class_iou", "minutes", "gmacs", "deviations")  # in a report
RUN = Record(
    {"parameters": Record({"row_id": text()}, dict.fromkeys(PARAMETERS, PATH), is_open=False)},
    {"fingerprint": MapOf(maybe(text(64)), 99), "threads": whole(1, 4096), "started": text(),
     "surroundings": Record({}, SURROUNDINGS)})
LINE = Record({"step": STEP}, {
    "total_steps": STEP, "processes": whole(1, 2**20), "lr": number(0), "loss": number(),
    "loss_aux": number(), "seconds": number(0), "miou": SCORE,
    "class_iou": ListOf(maybe(number(0, 1)), MOST_CLASSES)})
SAID = Record({}, {"command": text(4096)})
CHECKPOINT = Rule("the name of a checkpoint", lambda value: isinstance(value, str)
                  and re.fullmatch(r"step-[0-9]{7,10}\.pt", value) is not None)
MANIFEST = ListOf(Record({"step": STEP, "file": CHECKPOINT, "sha256": text(64)}), 99)


def read_result(folder: Path, name: str = "result.json") -> dict[str, Any]:
    """The facts of `result.json`, or of `outcome.json`, those that deeplab writes there.

    Raises `DataError` (E-JSON, E-RECORD).
    """
    facts = _read(folder / name, RESULT)
    return {key: value for key, value in facts.items()
            if key in RESULT.required or key in RESULT.optional}


def read_published(path: Path, row_id: str, profile: str) -> dict[str, Any]:
    """What `deeplab evaluate` found of a row's published weights; raises `DataError`."""
    facts = _read(path, PUBLISHED)
    _check_equal(path, facts, {"row_id": row_id, "profile": profile})
    return facts


def read_run(folder: Path) -> dict[str, Any]:
    """What `run.json` tells of how the run in `folder` began.

    Raises `DataError` (E-JSON, E-RECORD), also for the record of another row, profile or seed.
    """
    record = _read(folder / "run.json", RUN)
    asked = {"profile": "demo", "seed": 0} | record["parameters"]
    told = (asked["profile"], asked["row_id"], f"seed{asked['seed']}")
    if told != folder.parts[-3:]:
        raise _refused(folder / "run.json", f"a run of {told}", f"one of {folder.parts[-3:]}")
    return {"fingerprint": {}, "surroundings": {}} | record


def run_config(folder: Path) -> RunConfig:
    """What the run in `folder` was asked to do, for the place where its folder lies now.

    Raises as `read_run` does, and `UsageError` as `RunConfig.of` does.
    """
    return RunConfig.of(**read_run(folder)["parameters"] | {
        "results_root": str(folder.parents[2])})


def check_facts(folder: Path, facts: Mapping[str, Any], config: RunConfig) -> None:
    """Raise `DataError` (E-RECORD) unless a result that counts is whole, and of its own row."""
    path = folder / "result.json"
    wanted = row_facts(config.row) | {"profile": config.profile.name, "seed": config.seed}
    for key in NEEDED:
        if key not in facts:
            raise _refused(path, f"no {key}", "the facts of a run")
    _check_equal(path, facts, wanted)
    if facts["class_iou"].keys() != set(config.label_set.classes):
        raise _refused(path, f"{len(facts['class_iou'])} classes in class_iou",
                       f"the {config.row.num_classes} of {config.row.dataset}")
    log = folder / "log.jsonl"
    if facts["complete"] and "log" in facts and (
            not log.is_file() or sha256(log) != facts["log"]):
        raise _refused(log, "another log than the one of which result.json was made",
                       "the log as the run left it")


def read_log(folder: Path) -> Iterator[dict[str, Any]]:
    """Each whole line of `log.jsonl`; nothing if there is none.

    Raises `DataError` (E-JSON, E-RECORD) at the first line that no run writes.
    """
    path = folder / "log.jsonl"
    for number_, line in enumerate(read_json_lines(path), start=1):
        _check(f"{path}, line {number_}", LINE, line)
        if number_ > MOST_LINES:
            raise _refused(path, f"more than {MOST_LINES:,} lines", "a log of a run")
        yield line


def newest_checkpoint(folder: Path) -> int:
    """The step of the newest checkpoint that a run lists, 0 if there is none.

    Raises `DataError` (E-JSON, E-RECORD). `deeplab.training.checkpoint` judges the files.
    """
    manifest = folder / "checkpoints" / "checkpoints.json"
    listed = _read(manifest, MANIFEST) if manifest.exists() else []
    return max((entry["step"] for entry in listed), default=0)


def check_place(folder: Path) -> None:
    """Raise `ResourceError` (E-LINK) where the folder of a run, or one around it, is a link.

    What is written here must not land elsewhere; the results folder itself may be a link.
    """
    for place in (folder.parents[1], folder.parents[0], folder, folder / "checkpoints"):
        refuse_linked(place)
        if place.exists() and not place.is_dir():
            raise ResourceError.of("E-WRITE", "this is no folder", file=place, found="a file",
                                   expected="a folder, or none yet", do="remove it")


def other_command(folder: Path) -> list[str]:
    """The words that go on with a notebook which no runner executed, from its `outcome.json`.

    The text in the file is shown to people who will type it: it counts only if it is a run of
    this row with options that there are. Raises `DataError` (E-JSON, E-RECORD).
    """
    import shlex
    plain = ["run", folder.parent.name]
    if not (folder / "outcome.json").exists():
        return plain
    said = _read(folder / "outcome.json", SAID).get("command", "")
    try:
        words = shlex.split(said)[1:]
    except ValueError:
        return plain
    options = {command_words({"row_id": "", name: "x"})[2] for name in PARAMETERS
               if name != "row_id"}
    is_run = words[:2] == plain and all(word in options for word in words[2::2])
    return words if is_run else plain


def _read(path: Path, shape: Shape) -> Any:
    value = read_json(path, largest=LARGEST, links=False)
    _check(path, shape, value)
    if isinstance(value, dict) and not is_intact(value):
        raise _refused(path, "content that was changed since",
                       "what fits the digest that stands in it")
    return value


def _check(source: object, shape: Shape, value: Any) -> None:
    fault = next(shape.faults(value), None)
    if fault:
        raise DataError.of("E-RECORD", "no run leaves this", file=source, found=fault, do=DO)


def _check_equal(path: Path, facts: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    for key, value in wanted.items():
        if facts.get(key, value) != value:
            raise _refused(path, f"{key} {facts[key]!r}", f"{value!r}, as its folder says")


def _refused(path: Path, found: str, expected: str) -> DataError:
    return DataError.of("E-RECORD", "no run leaves this", file=path, found=found,
                        expected=expected, do=DO)
