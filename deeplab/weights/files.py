"""Weight files read without running code, and written with the row they belong to.

Two formats are read: safetensors, and what `torch.load(weights_only=True)` accepts. Keys do
not tell a row from its twin at another output stride, because rates have no weights; so a
file says itself whose it is: ours in the safetensors header, a published one by its name.
"""

from __future__ import annotations

import json
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from deeplab.model.network import DeepLabV3, ModelRow
from deeplab.model.weights import model_for, unwrap
from deeplab.support.errors import CheckpointError
from deeplab.support.files import atomic_write

PUBLISHED_NAME = re.compile(r"deeplabv3_resnet\d+os\d+_[a-z0-9]+\.pth")
BAD_WEIGHTS = "download the file again, or choose another"


class Origin(NamedTuple):
    """What a weight file of ours says of itself; None where it says nothing."""

    row_id: str | None
    profile: str | None


def save_weights(path: Path | str, state_dict: dict[str, Tensor], *, row_id: str,
                 profile: str) -> Path:
    """Write `state_dict` as safetensors, atomically, with the row and profile it belongs to."""
    tensors = {key: value.detach().cpu().contiguous() for key, value in state_dict.items()}
    note = {"row": row_id, "profile": profile}
    return atomic_write(path, safetensors.torch.save(tensors, metadata=note))


def load_weights(path: Path | str) -> dict[str, Tensor]:
    """The tensors of a weight file by key, on the CPU, without wrapper or `module.` prefix.

    Raises `CheckpointError`: E-PICKLE for a file that asks to run code (nothing is run),
    E-CKPT for one that is missing, cut short or damaged, E-WEIGHTS for one that holds no
    weights or weights that are not finite.
    """
    content = _read_safetensors(path) if _is_safetensors(path) else _read_torch(path)
    weights = unwrap(content, file=path)
    broken = [key for key, value in weights.items() if not value.isfinite().all()]
    if broken:
        raise CheckpointError.of("E-WEIGHTS", f"{len(broken)} tensors hold NaN or infinity",
                                 file=path, found=", ".join(broken[:10]),
                                 expected="finite numbers", do=BAD_WEIGHTS)
    return weights


def load_model(path: Path | str, row: ModelRow, profile: str | None = None) -> DeepLabV3:
    """`model_for` the weights in a file, which must not belong to another row.

    Without `profile` the one that the file records is taken, or else `full`. Raises
    `CheckpointError`: E-CKPT for another row's file, and as `load_weights` and `convert` do.
    """
    check_origin(path, row)
    return model_for(load_weights(path), row, profile or origin(path).profile or "full")


def origin(path: Path | str) -> Origin:
    """The row and profile that a weight file of ours records; (None, None) for any other."""
    if not _is_safetensors(path):
        return _checkpoint_origin(path)
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            note = file.metadata() or {}
    except (safetensors.SafetensorError, OSError) as error:
        raise _unreadable(path, error) from error
    return Origin(note.get("row"), note.get("profile"))


def _checkpoint_origin(path: Path | str) -> Origin:
    """What a training checkpoint of ours says in its `identity`; nothing is read but that."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        return Origin(content["identity"]["row_id"], content["identity"]["profile"])
    except Exception:  # no checkpoint of ours; load_weights says what is wrong with it, if anything
        return Origin(None, None)


def check_origin(path: Path | str, row: ModelRow) -> None:
    """Refuse a file that says it belongs to another row: `CheckpointError` (E-CKPT).

    It says so in its header, or by bearing the name of another row's published file. A
    file that says nothing passes; its keys and shapes are then all there is to check.
    """
    claims = origin(path).row_id
    if claims is not None and claims != row.row_id:
        raise CheckpointError.of("E-CKPT", "these weights belong to another row", file=path,
                                 found=f"row {claims}", expected=f"row {row.row_id}",
                                 do=f"use --row {claims}, or the weights of {row.row_id}")
    name = Path(path).name
    if PUBLISHED_NAME.fullmatch(name) and name != row.published_weights:
        raise CheckpointError.of(
            "E-CKPT", "this is the published file of another row", file=path, found=name,
            expected=f"{row.published_weights} for row {row.row_id}",
            do="choose the row of this file; if the name is wrong, rename the file")


def _is_safetensors(path: Path | str) -> bool:
    """A safetensors file has the length of its header in 8 bytes, then a JSON object."""
    try:
        with open(path, "rb") as file:
            return file.read(9)[8:] == b"{"
    except OSError as error:
        raise CheckpointError.of("E-CKPT", "cannot open the weight file", file=path,
                                 found=error.strerror, expected="a weight file",
                                 do="check the path") from error


def _read_safetensors(path: Path | str) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError, json.JSONDecodeError) as error:
        raise _unreadable(path, error) from error


def _read_torch(path: Path | str) -> Any:
    try:
        if zipfile.is_zipfile(path):  # torch itself does not look at the checksums
            with zipfile.ZipFile(path) as archive:
                damaged = archive.testzip()
            if damaged is not None:
                raise _unreadable(path, f"the checksum of {damaged} is wrong")
        return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError,
            zipfile.BadZipFile) as error:
        raise _refusal(path, error) from error


def _refusal(path: Path | str, error: Exception) -> CheckpointError:
    """Tell code in a file from damage; torch's own text advises to load unsafely."""
    asked = re.search(r"GLOBAL ([\w.]+)|(TorchScript)", str(error))
    if asked:
        return CheckpointError.of(
            "E-PICKLE", f"the file asks to run code while loading: {asked[1] or asked[2]} "
            "(blocked, nothing was run)", file=path, expected="tensors, numbers and text only",
            do="do not use this file; ask its author for safetensors")
    if isinstance(error, pickle.UnpicklingError):
        return _unreadable(path, "not written by torch")
    return _unreadable(path, error)


def _unreadable(path: Path | str, why: object) -> CheckpointError:
    first = str(why).strip().split("\n", 1)[0][:120]
    return CheckpointError.of("E-CKPT", "the weight file cannot be read; cut short or damaged",
                              file=path, found=f"{Path(path).stat().st_size:,} bytes: {first}",
                              expected="safetensors or a torch file of tensors", do=BAD_WEIGHTS)
