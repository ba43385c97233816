"""Score weights that are already trained: published ones, converted ones, or one's own.

Published weights leave `published.json` beside the row's runs, the column "published weights,
evaluated here" of the table; all others leave `evaluated-<hash>.json`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from deeplab.data.augment import EvalTransform
from deeplab.evaluation.inference import evaluate
from deeplab.runs.config import RunConfig
from deeplab.runs.evidence import save_counts
from deeplab.runs.experiment import Experiment
from deeplab.runs.facts import evaluation_facts
from deeplab.runs.fingerprint import data_identity, digest
from deeplab.runs.predict import weight_file
from deeplab.runs.records import check_place
from deeplab.support.files import sha256, write_json
from deeplab.support.seal import sealed
from deeplab.support.torch_errors import translate_torch_errors
from deeplab.table.rows import get_row
from deeplab.weights.fused import optimize_for_inference

LESS_MEMORY = ("leave out the largest of --scales, or evaluate on the CPU (--device cpu), which "
               "takes longer and counts the same; another process may hold the GPU: nvidia-smi")


def evaluate_weights(row_id: str, weights: str, *, profile: str | None = None,
                     device: str | None = None, data_root: Path | None = None,
                     results_root: Path | None = None, scales: Sequence[float] = (1.0,),
                     flip: bool = False,
                     progress: Callable[[int, int], None] | None = None) -> dict[str, Any]:
    """Evaluate `weights`, a file or "published", on the row's evaluation split.

    Without `profile` the one that the file records is taken, or else `full`. Writes the result
    and returns it. Raises `CheckpointError` for weights that do not fit the row, `DataError`,
    `ResourceError` (E-OOM, E-CUDA).
    """
    row = get_row(row_id)
    file = weight_file(weights, row_id)
    config = RunConfig.of(row_id=row_id, profile=profile or file.profile or "full", device=device,
                          data_root=data_root, results_root=results_root)
    check_place(config.folder)
    inference = replace(config.inference, scales=scales, flip=flip)
    model = file.model(row, config.profile.name)
    experiment = Experiment(config)
    with translate_torch_errors("an image of the evaluation split", less=LESS_MEMORY):
        network = optimize_for_inference(model.to(experiment.device))
        evaluation = evaluate(
            network, experiment.eval_set, inference=inference, progress=progress,
            transform=EvalTransform(config.resize, experiment.device),
            num_classes=config.row.num_classes)
    facts = evaluation_facts(experiment, evaluation) | {
        "weights": file.path.name, "weights_sha256": sha256(file.path),
        "scales": list(scales), "flip": flip,
        "data": digest(data_identity(config, config.row.eval_split))}
    path = config.folder.parent / _result_name(facts, config)
    save_counts(path.with_suffix(".safetensors"), experiment.eval_set, evaluation)
    write_json(path, sealed(facts))
    return facts


def _result_name(facts: dict[str, Any], config: RunConfig) -> str:
    """Only the published file, evaluated as the row says, is the published weights' result."""
    plain = facts["scales"] == [1.0] and not facts["flip"]
    if plain and config.profile.name == "full" and facts["weights"] == config.row.published_weights:
        return "published.json"
    asked = digest([facts["weights_sha256"], facts["scales"], facts["flip"]])
    return f"evaluated-{asked}.json"
