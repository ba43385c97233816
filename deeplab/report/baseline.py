"""The share of a row's score that colour alone reaches, and whether it stays below a limit."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from deeplab.data.catalog import stored_as
from deeplab.evaluation.metrics import mean_iou
from deeplab.miniature.twins import is_whole
from deeplab.report.colour import ColourClassifier
from deeplab.runs.config import RunConfig
from deeplab.runs.experiment import Experiment
from deeplab.runs.records import run_config

PROMISE = 60  # per cent of the weakest row's mIoU that colour alone reaches at most


def colour_miou(experiment: Experiment) -> float:
    """mIoU, in per cent, of the colour classifier on the data of a run."""
    classifier = ColourClassifier.fit(experiment.train_set, experiment.config.row.num_classes)
    return mean_iou(classifier.evaluate(experiment.eval_set))


def colour_shares(entries: Iterable[Mapping[str, Any]]) -> list[tuple[str, float, str, float]]:
    """For each label set: its name, colour's mIoU, its weakest row and that row's mIoU."""
    weakest: dict[str, Mapping[str, Any]] = {}
    for entry in entries:
        other = weakest.setdefault(entry["dataset"], entry)
        if entry["miou"] < other["miou"]:
            weakest[entry["dataset"]] = entry
    return [(dataset, colour_miou(Experiment(_safely_placed(run_config(entry["folder"])))),
             entry["row_id"], entry["miou"]) for dataset, entry in weakest.items()]


def _safely_placed(config: RunConfig) -> RunConfig:
    """The run with its twin where it is, or else in the user's own data folder.

    The folder's record may be a stranger's: nothing is drawn into a place that it names.
    """
    root = config.data_root
    is_there = root is not None and is_whole(root / stored_as(config.row.dataset))
    return config if is_there else replace(config, data_root=None)


def share_words(shares: Iterable[tuple[str, float, str, float]]) -> str:
    """Whether colour alone stays within the promise, as a sentence."""
    worst = max(((100 * colour / miou, dataset) for dataset, colour, _, miou in shares),
                default=None)
    if worst is None:
        return "Measured for the miniature twins only."
    word = "kept" if worst[0] <= PROMISE else "**broken**"
    return (f"Colour alone reaches at most {worst[0]:.0f} % of the weakest row's mIoU "
            f"({worst[1]}); the promise of at most {PROMISE} % is {word}.")
