"""When a run counts as done, and when what it left no longer fits.

`result.json` is the only proof. The notebook leaves `outcome.json`; the runner renames it when
everything else is in place. What a run left either fits (all parts of its fingerprint agree),
fits but is noted (a library's patch release differs), or is stale, and then left as it is.
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deeplab.runs.config import RunConfig
from deeplab.runs.fingerprint import changed, fingerprint, noted
from deeplab.runs.records import check_facts, newest_checkpoint, read_log, read_result, read_run
from deeplab.runs.status import duration
from deeplab.support.errors import DataError, UsageError
from deeplab.support.files import replace_file
from deeplab.support.scores import score_words

UNVERIFIED = "data (names, sizes and times of unverified files; see `deeplab data verify`)"


@dataclass(frozen=True)
class Standing:
    """How a run that was started stands to today's code, data and libraries."""

    changed: tuple[str, ...] = ()  # parts of the fingerprint that differ: stale
    noted: tuple[str, ...] = ()  # libraries of another patch release: it fits nevertheless

    @property
    def lines(self) -> list[str]:
        """What there is to say, a line each."""
        return [f"stale: another {', '.join(self.changed)} since"] * bool(self.changed) + [
            f"noted: made with {'; '.join(self.noted)}"] * bool(self.noted)


def standing(config: RunConfig, mark: dict[str, Any] | None = None) -> Standing:
    """How the run that `config.folder` holds stands to `mark`, by default today's fingerprint."""
    if not (config.folder / "run.json").exists() and not (config.folder / "result.json").exists():
        return Standing()
    record = read_run(config.folder)
    return Standing(tuple(changed(record["fingerprint"], mark or fingerprint(config))),
                    tuple(noted(record["surroundings"])))


def stale(config: RunConfig, mark: dict[str, Any] | None = None) -> UsageError | None:
    """The error (E-STALE) for a result or checkpoints that no longer fit, None if all fits.

    It says what differs and what it took to make what is there.
    """
    different, folder = standing(config, mark).changed, config.folder
    left = _left(folder) if different else ""
    if not left:
        return None
    is_unverified = not (config.real_data_root / f"manifest-{config.row.dataset}.json").exists()
    parts = [UNVERIFIED if part == "data" and config.profile.name != "demo" and is_unverified
             else part for part in different]
    return UsageError.of(
        "E-STALE", "what this run rests on has changed since; nothing was touched", file=folder,
        found=f"{left} with another {', '.join(parts)}",
        expected="the same row, code, data and libraries",
        do="undo the change, keep this and choose another --results, or make it anew with "
           "--again, which sets this aside")


def _left(folder: Path) -> str:
    """What a run left that has cost something, in words; "" if nothing."""
    if (folder / "result.json").exists():
        facts = read_result(folder)
        return (f"a result of {facts['steps']:,} steps that took "
                f"{duration(60 * facts.get('minutes', 0))}, mIoU {score_words(facts['miou'])}")
    step, seconds = newest_checkpoint(folder), 0
    with contextlib.suppress(DataError):  # of a damaged log only the cost is not known
        seconds = max((line.get("seconds", 0) for line in read_log(folder)), default=0)
    return f"a checkpoint of step {step:,} that took {duration(seconds)}" if step else ""


def damage(config: RunConfig, mark: dict[str, Any]) -> DataError | None:
    """What is wrong with the records of this run on which another one would go on, if anything."""
    try:
        newest_checkpoint(config.folder)
        if not standing(config, mark).changed:
            finished_result(config)
    except DataError as error:
        return error
    return None


def promote_outcome(config: RunConfig) -> dict[str, Any]:
    """Turn the notebook's outcome into the result, in one rename; returns its content."""
    facts = read_result(config.folder, "outcome.json")
    replace_file(config.folder / "outcome.json", config.folder / "result.json")
    return facts


def finished_result(config: RunConfig) -> dict[str, Any] | None:
    """The result of this run if it is done as far as asked, else None.

    It must fit (see `standing`). Raises `DataError` (E-JSON, E-RECORD) for one that is damaged.
    """
    path = config.folder / "result.json"
    if not path.exists():
        return None
    facts = read_result(config.folder)
    check_facts(config.folder, facts, config)
    wanted = min(config.max_steps or facts["total_steps"], facts["total_steps"])
    return facts if facts["steps"] >= wanted else None
