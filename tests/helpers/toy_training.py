"""A training small enough to be killed a hundred times: 24 pictures, one block per stage."""

import hashlib
import json
import os
import signal
import sys
import traceback
from pathlib import Path

import numpy as np
import torch
import torch._dynamo  # what the first backward pass imports; here once, not in every child

from deeplab.data.augment import EvalTransform, TrainTransform
from deeplab.data.sampling import TrainSamples
from deeplab.evaluation.inference import evaluate
from deeplab.model.network import DeepLabV3
from deeplab.training.checkpoint import Checkpoints
from deeplab.training.loop import train
from deeplab.training.ranks import SINGLE_PROCESS
from deeplab.training.settings import TrainingSettings

torch.set_num_threads(1)
CLASSES, SIZE, CROP = 4, 48, 32
STEPS = 12  # two epochs of 24 images in batches of 4
IDENTITY = {"row_id": "toy", "processes": 1}
POINTS = [f"write-{place}-{name}" for name in ("step-0000006.pt", "checkpoints.json")
          for place in ("begin", "flushed", "synced", "done")]
POINTS = [*POINTS, "checkpoint-before-manifest", "step:2", "step:8", "step:12", "evaluation:1",
          "evaluation:6", "evaluation:12"]  # evaluations of 5 images after steps 5, 10 and 12


class ToySet:
    """Pictures of blocks in four colours, with noise; a data set held in memory."""

    def __init__(self, count: int = 24, seed: int = 0):
        rng = np.random.default_rng(seed)
        blocks = rng.integers(CLASSES, size=(count, SIZE // 12, SIZE // 12), dtype=np.uint8)
        self.labels = blocks.repeat(12, 1).repeat(12, 2)
        noise = rng.integers(60, size=(count, SIZE, SIZE, 3))
        self.images = (60 * self.labels[..., None] + noise).astype(np.uint8)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int):
        return self.images[index], self.labels[index]


def toy_model(seed: int = 0) -> DeepLabV3:
    """DeepLabV3 with the first block of each stage only, 1/32 as wide."""
    torch.manual_seed(seed)
    model = DeepLabV3(num_classes=CLASSES, depth=50, output_stride=16, atrous_rates=(1, 2, 3),
                      width=1 / 32)
    for stage in (1, 2, 3, 4):
        layer = getattr(model.backbone, f"layer{stage}")
        setattr(model.backbone, f"layer{stage}", layer[:1])
    return model


def toy_settings(**changes) -> TrainingSettings:
    """Twelve steps; evaluations after 5, 10 and 12, checkpoints after 3, 5, 6, 9, 10 and 12."""
    facts = dict(seed=3, batch_size=4, total_steps=STEPS, stop_step=STEPS, base_lr=0.05,
                 weight_decay=1e-4, evaluate_every=5, checkpoint_every=3, log_every=1)
    return TrainingSettings(**facts | changes)


def toy_train(folder: Path, *, ranks=SINGLE_PROCESS, scored: int = 5, model=None, data=None,
              identity=None, **changes):
    """Train in `folder`; `scored` images are evaluated, none for 0."""
    model, data = model or toy_model(), data or ToySet()
    settings, scores = toy_settings(**changes), ToySet(max(1, scored), seed=1)
    samples = TrainSamples(data, TrainTransform(
        target=(SIZE, SIZE), crop_height=CROP, crop_width=CROP), settings.seed)

    def score(model, progress):
        mine = evaluate(model, scores, transform=EvalTransform((SIZE, SIZE)),
                        num_classes=CLASSES, indices=ranks.share(scored), progress=progress)
        return ranks.merged(mine, scored)

    return train(model, samples, settings, folder=Path(folder), evaluate=score, ranks=ranks,
                 identity=IDENTITY | (identity or {}), say=lambda text: None)


def in_child(function, *arguments, crash: str = "", **options) -> int:
    """Call `function` in a forked process; its exit code: < 0 for a signal, 99 for an error."""
    return exit_code(forked(function, *arguments, crash=crash, **options))


def forked(function, *arguments, crash: str = "", **options) -> int:
    """Begin to call `function` in a forked process; its process id."""
    child = os.fork()
    if child == 0:
        code = 99
        try:
            os.environ["DEEPLAB_CRASH"] = crash
            function(*arguments, **options)
            code = 0
        except Exception as error:
            code = getattr(error, "exit_code", 99)
            if code == 99:
                traceback.print_exc(file=sys.stderr)
        finally:
            os._exit(code)
    return child


def exit_code(child: int) -> int:
    """Wait for a forked process; its exit code, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


KILLED = -signal.SIGKILL  # the exit code of a process that was killed


def newest_state(folder: Path) -> dict:
    """The content of the newest checkpoint below `folder`."""
    entries = json.loads((folder / "checkpoints" / "checkpoints.json").read_text())
    return torch.load(folder / "checkpoints" / entries[-1]["file"], weights_only=True)


def newest_step(folder: Path) -> int:
    """The step of the newest checkpoint of a run, 0 if it has none."""
    return Checkpoints(folder / "checkpoints", {}).newest


def state_digest(value) -> str:
    """SHA-256 over names, types, shapes and bytes of a nested state, without times."""
    digest = hashlib.sha256()

    def add(value, name):
        if isinstance(value, dict):
            for key in sorted(value, key=str):
                if key not in ("seconds", "log_size", "log_sha256"):
                    add(value[key], f"{name}.{key}")
        elif isinstance(value, (list, tuple)):
            for index, item in enumerate(value):
                add(item, f"{name}.{index}")
        elif isinstance(value, torch.Tensor):
            array = value.contiguous().numpy()
            digest.update(f"{name} {array.dtype} {array.shape}".encode() + array.tobytes())
        else:
            digest.update(f"{name} {value!r}".encode())

    add(value, "")
    return digest.hexdigest()


def log_lines(folder: Path) -> list[dict]:
    """The log without its times."""
    lines = (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()
    return [{key: value for key, value in json.loads(line).items() if key != "seconds"}
            for line in lines]


def run_digest(folder: Path) -> str:
    """Weights, BatchNorm, optimiser, random state, losses and metrics of a finished run."""
    state = state_digest(newest_state(folder))
    return hashlib.sha256((state + json.dumps(log_lines(folder))).encode()).hexdigest()
