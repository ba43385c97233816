"""The result of a run: `result.json`, the only proof that a row is done.

The notebook leaves the same content as `outcome.json`; the runner renames it when everything
else is in place.
"""

from __future__ import annotations

from typing import Any

from deeplab.runs.config import RunConfig
from deeplab.runs.fingerprint import changed, fingerprint
from deeplab.support.files import read_json, replace_file


def promote_outcome(config: RunConfig) -> dict[str, Any]:
    """Turn the notebook's outcome into the result, in one rename; returns its content."""
    outcome = config.folder / "outcome.json"
    facts = read_json(outcome)
    replace_file(outcome, config.folder / "result.json")
    return facts


def finished_result(config: RunConfig) -> dict[str, Any] | None:
    """The result of this run if it is done as far as asked and still fits, else None."""
    path = config.folder / "result.json"
    if not path.exists():
        return None
    facts = read_json(path)
    wanted = min(config.max_steps or facts["total_steps"], facts["total_steps"])
    fits = not changed(read_json(config.folder / "run.json")["fingerprint"], fingerprint(config))
    return facts if fits and facts["steps"] >= wanted else None
