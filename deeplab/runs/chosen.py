"""The runs that patterns of rows and some seeds ask for, and how they compare in work."""

from collections.abc import Callable, Sequence
from typing import Any

from deeplab.runs.config import RunConfig
from deeplab.runs.events import check_tensorboard
from deeplab.support.errors import UsageError
from deeplab.table.rows import match_rows

EVALUATION_SHARE = 0.2  # of a row's work, about, where the training is another row's


def chosen_runs(patterns: Sequence[str], seeds: Sequence[int], given: dict[str, Any], *,
                say: Callable[[str], None] = print) -> list[RunConfig]:
    """A run for each row that fits any of `patterns` and each of `seeds`, with `given` parameters.

    A row whose output stride no crop of the profile fills is left out, and said, if a pattern
    chose it; named by itself it is refused, as is a choice of which nothing is left. Raises
    `UsageError` as `match_rows` and `RunConfig.of` do, and E-TENSORBOARD.
    """
    if given.get("tensorboard"):
        check_tensorboard()
    configs, left_out = [], {}
    for row_id in match_rows(patterns):
        try:
            configs += [RunConfig.of(row_id=row_id, seed=seed, **given)
                        for seed in dict.fromkeys(seeds)]
        except UsageError as error:
            if error.code != "E-CROP" or row_id in patterns:
                raise
            left_out[row_id] = error
    if left_out and not configs:
        raise next(iter(left_out.values()))
    for row_id in left_out:
        say(f"left out: {row_id}, of which no crop of this profile fills a cell")
    return configs


def relative_cost(config: RunConfig) -> float:
    """About how long a row takes relative to others: pixels times depth times resolution."""
    depth = int(config.row.backbone.removeprefix("resnet"))
    return ((1 if config.training == config else EVALUATION_SHARE)
            * config.row.crop_height * config.row.crop_width * (depth + 50)
            * (1.5 if config.row.output_stride == 8 else 1) * config.row.num_classes ** 0.2)
