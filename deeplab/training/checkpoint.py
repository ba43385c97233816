"""Checkpoints of a training: what it needs to go on with the same bits, written and read back.

Two are kept. `checkpoints.json` names them with their SHA-256 and is replaced last, so a
checkpoint counts only when it is whole; a damaged newest one is set aside and the one before
is used. Sample order and augmentation are functions of the seed, so that they need no saving.
"""

import hashlib
import io
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch.utils._pytree import tree_map_only

from deeplab.support.crash import crash_point
from deeplab.support.errors import CheckpointError
from deeplab.support.files import atomic_write, read_json, sha256, write_json
from deeplab.support.torch_file import check_torch_file
from deeplab.training.ranks import Ranks

KEPT = 2  # checkpoints: the newest, and one to fall back to
SAID = {"labels"}  # of an identity: for who takes the weights; run.json tells if it has changed


class Checkpoints:
    """The checkpoints of one run, in `folder`.

    `identity` says what the run is (row, profile, seed, threads ...); a checkpoint with another
    identity is refused, because going on from it would not be this run.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]):
        self.folder = Path(folder)
        self.identity = dict(identity)
        self._manifest = self.folder / "checkpoints.json"

    def entries(self) -> list[dict[str, Any]]:
        """What the manifest lists: step, file and SHA-256, oldest first.

        Raises `CheckpointError` (E-CKPT) for a manifest that `save` has not written: a name in
        it must not lead to another file.
        """
        listed = read_json(self._manifest, links=False) if self._manifest.exists() else []
        if not isinstance(listed, list) or not all(map(_is_entry, listed)):
            raise CheckpointError.of(
                "E-CKPT", "this is not a list of checkpoints", file=self._manifest,
                found="other names, steps or digests", expected="step, step-NNNNNNN.pt, SHA-256",
                do="put the file back, or delete this folder to start the run from zero")
        return listed

    @property
    def newest(self) -> int:
        """The step of the newest checkpoint, 0 if there is none."""
        return max((entry["step"] for entry in self.entries()), default=0)

    def save(self, step: int, state: Mapping[str, Any]) -> Path:
        """Write the state after `step` steps; the file of the third-newest is removed."""
        name, buffer = f"step-{step:07d}.pt", io.BytesIO()
        torch.save({"identity": self.identity, "step": step, **state}, buffer)
        path = atomic_write(self.folder / name, buffer.getvalue())
        crash_point("checkpoint-before-manifest")
        digest = hashlib.sha256(buffer.getbuffer()).hexdigest()  # of what was meant to be written
        earlier = [entry for entry in self.entries() if entry["file"] != name]
        listed = [*earlier, {"step": step, "file": name, "sha256": digest}]
        write_json(self._manifest, listed[-KEPT:])
        for old in listed[:-KEPT]:
            (self.folder / old["file"]).unlink(missing_ok=True)
        return path

    def load(self) -> dict[str, Any] | None:
        """The newest state that is whole, or None if there is none yet.

        A damaged file is renamed to `*.bad`. Raises `CheckpointError`: E-CKPT if all that are
        listed are damaged or one is listed that `save` has not written, E-OTHER-RUN if the
        checkpoint belongs to another run.
        """
        entries = self.entries()
        for entry in reversed(entries):
            path = self.folder / entry["file"]
            if path.is_file() and sha256(path) == entry["sha256"]:
                state = _loaded(path, entry["step"])
                self._check_identity(state["identity"], path)
                return state
            if path.is_file():
                os.replace(path, path.with_suffix(".bad"))
        if entries:
            raise CheckpointError.of(
                "E-CKPT", "no checkpoint of this run is whole", file=self.folder,
                found=f"{len(entries)} damaged or missing", expected="one that fits its SHA-256",
                do="delete this folder to start the run from zero")
        return None

    def _check_identity(self, found: Mapping[str, Any], path: Path) -> None:
        different = [key for key in self.identity.keys() - SAID
                     if found.get(key) != self.identity[key]]
        if different:
            raise CheckpointError.of(
                "E-OTHER-RUN", "the checkpoint belongs to another run", file=path,
                found=", ".join(f"{key}={_told(found.get(key))}" for key in different),
                expected=", ".join(f"{key}={self.identity[key]}" for key in different),
                do="run it as it was started, or choose another folder with --results")


def _loaded(path: Path, step: int) -> dict[str, Any]:
    """The state in a file that fits its SHA-256; raises `CheckpointError` (E-CKPT) if it is none.

    Whoever wrote the digest may be a stranger, too.
    """
    found = "another structure"
    try:
        check_torch_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
        if isinstance(state, dict) and isinstance(state.get("identity"), dict) and (
                state.get("step") == step):
            return state
    except (MemoryError, OSError):
        raise
    except Exception as error:  # torch raises almost anything for what it did not write
        found = type(error).__name__
    raise CheckpointError.of(
        "E-CKPT", "this is no checkpoint of a training", file=path, found=found,
        expected=f"the state after step {step}",
        do="delete this folder to start the run from zero; do not use a stranger's")


def _told(value: Any) -> str:
    """A value of a checkpoint in a message; lists within lists may be longer than memory."""
    return str(value)[:100] if isinstance(value, str | int | float | None) else (
        type(value).__name__)


def _is_entry(entry: Any) -> bool:
    """Whether `entry` is a line of a manifest as `save` writes it."""
    return (isinstance(entry, dict) and entry.keys() == {"step", "file", "sha256"}
            and type(entry["step"]) is int and entry["file"] == f"step-{entry['step']:07d}.pt"
            and re.fullmatch("[0-9a-f]{64}", str(entry["sha256"])) is not None)


def training_state(model: torch.nn.Module, optimizer: torch.optim.Optimizer,
                   scaler: torch.amp.GradScaler, ranks: Ranks, device: str) -> dict[str, Any]:
    """The state of a training that is not a function of the step: weights, momenta, dropout.

    All ranks must call this together: each has random numbers of its own.
    """
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(),
             "scaler": scaler.state_dict(), "torch_rng": ranks.gathered(torch.get_rng_state())}
    if device.startswith("cuda"):
        state["cuda_rng"] = ranks.gathered(torch.cuda.get_rng_state())
    return state


def snapshot(state: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of `state` on the CPU: it can be written while the training changes the original."""
    return tree_map_only(torch.Tensor, lambda tensor: tensor.detach().to("cpu", copy=True), state)


def restore_training(state: Mapping[str, Any], model: torch.nn.Module,
                     optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler,
                     ranks: Ranks, device: str) -> None:
    """Put a saved training state back in place, for a training on `device`.

    Raises `CheckpointError` (E-CKPT) for a state that is not of this network.
    """
    try:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        scaler.load_state_dict(state["scaler"])
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "state_dict" not in str(error):
            raise  # of memory, of a device
        raise CheckpointError.of(
            "E-CKPT", "the state of a checkpoint is not that of this network",
            found=str(error).splitlines()[0] if str(error) else type(error).__name__,
            do="delete the folder of the checkpoints to start the run from zero") from error
    torch.set_rng_state(state["torch_rng"][ranks.rank])
    if device.startswith("cuda") and "cuda_rng" in state:
        torch.cuda.set_rng_state(state["cuda_rng"][ranks.rank])
