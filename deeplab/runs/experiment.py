"""A run as the notebook sees it: open the data, build the network, train, judge.

`Experiment` is the thin line between a `RunConfig` and the packages that do the work; the
cells of `row.ipynb` call it in order and show what it returns.
"""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deeplab.data.augment import EvalTransform, TrainTransform
from deeplab.data.catalog import SegmentationDataset
from deeplab.data.sampling import TrainSamples
from deeplab.evaluation.inference import evaluate, predict
from deeplab.evaluation.metrics import Evaluation
from deeplab.miniature.backbone import miniature_backbone
from deeplab.miniature.mark import refuse_drawn
from deeplab.miniature.twins import miniature
from deeplab.prepare.suspect import check_splits
from deeplab.runs.begin import begin_alone
from deeplab.runs.config import RunConfig
from deeplab.runs.device import check_gpus, check_shared, check_training, device_of
from deeplab.runs.launch import launch
from deeplab.runs.network import Network, network_to_evaluate, started_network
from deeplab.runs.outcome import Outcome
from deeplab.runs.recompute import recompute_blocks
from deeplab.runs.records import read_log
from deeplab.runs.shared import finished_training
from deeplab.support.machine import loader_count
from deeplab.support.scores import rounded
from deeplab.support.signals import die_with_parent
from deeplab.training.checkpoint import Checkpoints
from deeplab.training.loop import train
from deeplab.training.ranks import SINGLE_PROCESS, Ranks
from deeplab.training.settings import TrainingSettings
from deeplab.weights.files import load_weights
from deeplab.weights.labels import labels_of
from deeplab.weights.published import backbone_file

LOG_LINES = 60  # loss values that the log of a shortened run holds, about


class Experiment:
    """One run: its data, its network and its training. Data and network are made on first use.

    Raises `DataError` when the dataset is missing, misplaced or damaged.
    """

    def __init__(self, config: RunConfig, ranks: Ranks = SINGLE_PROCESS):
        self.config = config
        self.ranks = ranks
        self.device = device_of(config)

    @functools.cached_property
    def data_root(self):
        """The folder that holds the dataset; the demo's twin is drawn if it is not there."""
        config = self.config
        if config.profile.name == "demo":
            return miniature(config.row.dataset, config.data_root)
        return config.real_data_root

    @functools.cached_property
    def train_set(self) -> SegmentationDataset:
        """The row's training split."""
        return self._opened(self.config.row.train_split)

    @functools.cached_property
    def eval_set(self) -> SegmentationDataset:
        """The row's evaluation split."""
        return self._opened(self.config.row.eval_split)

    def _opened(self, split: str) -> SegmentationDataset:
        is_demo = self.config.profile.name == "demo"
        samples = SegmentationDataset(self.config.row.dataset, self.data_root, split,
                                      keep=is_demo)
        if not is_demo:
            refuse_drawn(samples)
        return samples

    @functools.cached_property
    def samples(self) -> TrainSamples:
        """Augmented training samples, keyed by (epoch, index)."""
        config = self.config
        transform = TrainTransform(target=config.resize, crop_height=config.crop[0],
                                   crop_width=config.crop[1])
        return TrainSamples(self.train_set, transform, config.seed)

    @functools.cached_property
    def model(self) -> Network:
        """The row's network at the profile's size, with the weights a run starts from."""
        first = self._first_weights()
        torch.manual_seed(self.config.seed)
        model = started_network(self.config.row, self.config.profile.name, first)
        return recompute_blocks(model) if self.config.checkpoint_activations else model

    def _first_weights(self) -> dict[str, torch.Tensor] | None:
        """The weights of the backbone before training, fetched if need be; None for random."""
        choice, backbone = self.config.first_weights, self.config.row.backbone
        if choice == "miniature":
            return miniature_backbone(backbone)
        file = backbone_file(choice, backbone)
        return load_weights(file) if file else None

    @property
    def backbone_weights(self) -> str:
        """Where the backbone's first weights come from: a name, or the name of their file."""
        return Path(self.config.first_weights).name

    @property
    def settings(self) -> TrainingSettings:
        """How the training goes."""
        config, num_images = self.config, len(self.train_set)
        total = config.total_steps(num_images)
        return TrainingSettings(
            seed=config.seed, batch_size=config.batch_size, total_steps=total,
            stop_step=min(total, config.max_steps or total), base_lr=config.base_lr,
            weight_decay=config.row.weight_decay,
            evaluate_every=config.evaluate_every(num_images),
            checkpoint_every=config.checkpoint_every(num_images),
            log_every=max(1, total // LOG_LINES) if config.profile.steps else 50,
            label_step=config.row.output_stride if config.row.variant.label_downsampled else 1,
            device=self.device,
            precision=config.gpu_precision if self.device == "cuda" else
            config.precision or "float32",
            workers=(loader_count() if self.device == "cuda" else 0)
            if config.workers is None else config.workers)

    @property
    def identity(self) -> dict[str, Any]:
        """What a checkpoint must agree in to be of this run."""
        on_cpu = {"threads": torch.get_num_threads(),
                  "cpu": torch.backends.cpu.get_cpu_capability()}
        return {"row_id": self.config.row.row_id, "profile": self.config.profile.name,
                "seed": self.config.seed, "total_steps": self.settings.total_steps,
                "processes": self.config.world, "device": self.device,
                "labels": labels_of(self.config.row.dataset),
                **(on_cpu if self.device == "cpu" else {}), **self.config.changes}

    def evaluate(self, model: Network,
                 progress: Callable[[int, int], None] | None = None) -> Evaluation:
        """Score `model` on the evaluation split, in the row's inference mode."""
        config, count = self.config, len(self.eval_set)
        mine = evaluate(self._evaluated(model), self.eval_set,
                        transform=EvalTransform(config.resize, self.device),
                        num_classes=config.row.num_classes, inference=config.inference,
                        indices=self.ranks.share(count), progress=progress)
        return self.ranks.merged(mine, count)

    def _evaluated(self, model: Network) -> Network:
        return network_to_evaluate(self.config.row, self.config.profile.name, model)

    def predict(self, model: Network, index: int) -> np.ndarray:
        """The prediction for one image of the evaluation split, uint8 (H, W) at its own size."""
        image, label = self.eval_set[index]
        return predict(self._evaluated(model), EvalTransform(self.config.resize)(image),
                       height=label.shape[0], width=label.shape[1],
                       inference=self.config.inference)

    def train(self) -> Outcome:
        """Train and evaluate, going on from the last checkpoint if there is one.

        With more than one process they are started here, and this one only evaluates what they
        leave, or what processes on several machines left. Raises as `train` and `launch` of
        `deeplab.training`, and `UsageError` (E-GPUS, E-CUDA, E-MPS, E-STALE).
        """
        die_with_parent()
        # what is wrong with a split is said before anything is written, and not after the training
        check_splits(self.train_set, self.eval_set)
        threads = self.ranks.in_turn(lambda: begin_alone(self.config, self.ranks.world))
        if threads and self.ranks.world == 1:
            torch.set_num_threads(threads)
        if self.config.training != self.config:
            return self._evaluate_shared()
        settings, folder = self.settings, self.config.folder
        is_trained = Checkpoints(folder / "checkpoints", {}).newest >= settings.stop_step
        if not is_trained:
            check_shared(self.config)
            if self.ranks.world == 1:
                check_gpus(self.config)
            check_training(self.config, self.device)
        if self.config.world > self.ranks.world:
            torch.set_num_threads(max(1, torch.get_num_threads() // self.config.world))
            if not is_trained:
                launch("deeplab.runs.rank", [json.dumps(self.config.parameters)],
                       processes=self.config.world, folder=folder,
                       threads=torch.get_num_threads())
        evaluation = train(self.model, self.samples, settings, folder=folder,
                           identity=self.identity, evaluate=self.evaluate, ranks=self.ranks)
        log = list(read_log(folder))
        return Outcome(self.model, evaluation, settings.stop_step, settings.total_steps,
                       log[-1]["seconds"], log)

    def _evaluate_shared(self) -> Outcome:
        """Evaluate what the run has learnt whose training this row shares; raises E-TRAINING."""
        other = Experiment(self.config.training)
        weights, log = finished_training(other.config, other.settings.stop_step, other.identity)
        model = self.model.to(self.device)
        model.load_state_dict(weights)
        evaluation = self.evaluate(model)
        total, step = other.settings.total_steps, other.settings.stop_step
        log.append({"step": step, "total_steps": total, "miou": rounded(evaluation.mean_iou)})
        return Outcome(model, evaluation, step, total, evaluation.seconds, log)
