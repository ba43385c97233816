"""Folders of runs as deeplab leaves them, without a training."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from deeplab.runs.config import RunConfig, row_facts
from deeplab.runs.fingerprint import surroundings
from deeplab.support.files import write_json

LOG = [{"step": 0, "total_steps": 6}, {"step": 6, "lr": 0.1, "loss": 2.0, "loss_aux": 1.0,
                                       "seconds": 9.0},
       {"step": 6, "miou": 77.0, "class_iou": [], "seconds": 9.5}]


def result_facts(config: RunConfig, **more) -> dict:
    """Everything that a result of 6 steps states; `more` replaces facts."""
    facts = {
        **row_facts(config.row), "profile": config.profile.name, "seed": config.seed, "miou": 41.5,
        "num_images": 1449, "class_iou": dict.fromkeys(config.label_set.classes, 41.5),
        "steps": 6, "total_steps": 6, "complete": True, "minutes": 1.5, "gmacs": 70.0,
        "parameters": 1, "peak_memory_mb": 1, "device": "cpu", "threads": 1,
        "backbone_weights": "miniature", "deviations": [7, 9], **surroundings()}
    return facts | more


def write_run(config: RunConfig, mark: dict, *, facts: dict | None = None,
              name: str = "result.json") -> Path:
    """Record a run with the fingerprint `mark`, its log and, if it ended, `facts`; its folder."""
    write_json(config.folder / "run.json", {"parameters": config.parameters, "fingerprint": mark,
                                            "threads": 1, "surroundings": surroundings()})
    if facts is not None:
        write_json(config.folder / name, facts)
    lines = "".join(json.dumps(line) + "\n" for line in LOG)
    (config.folder / "log.jsonl").write_text(lines, encoding="utf-8")
    return config.folder


def leave_pictures(folder: Path, shift: int, count: int = 3) -> None:
    """Pictures of a run in `folder` whose predictions are off by `shift` pixels, 60 x 80."""
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    for number in range(count):
        label = np.indices((60, 80)).sum(0).astype(np.uint8) // 20 % (number + 2)
        photo = np.repeat(40 * label[..., None], 3, 2)
        for name, pixels in (("image.jpg", photo), ("label.png", label),
                             ("prediction.png", np.roll(label, shift, 1))):
            Image.fromarray(pixels).save(folder / f"pictures/{number}-{name}")
