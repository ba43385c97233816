"""Weight files read without running code, and written with the row they belong to.

Two formats are read: safetensors, and what `torch.load(weights_only=True)` accepts. Keys do
not tell a row from its twin at another output stride, because rates have no weights; so a
file says itself whose it is: ours in the safetensors header, a published one by its name.
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from deeplab.model.network import DeepLabV3, ModelRow
from deeplab.model.weights import model_for, unwrap
from deeplab.support.errors import CheckpointError, UsageError
from deeplab.support.files import atomic_write
from deeplab.support.strict_json import parse
from deeplab.support.torch_file import check_torch_file
from deeplab.support.torch_program import MOST_TENSORS, refused
from deeplab.table.row import PaperRow
from deeplab.weights.labels import check_labels, labels_of
from deeplab.weights.safety import check_regular, check_tensors

PUBLISHED_NAME = re.compile(r"deeplabv3_resnet\d+os\d+_[a-z0-9]+\.pth")
KINDS = ("F16", "BF16", "F32", "F64", "I64")  # of tensors, as safetensors names them
BAD_WEIGHTS = "download the file again, or choose another"


@dataclass(frozen=True)
class WeightFile:
    """A weight file that was read: its tensors, and the row and profile that it names.

    The one place where a file becomes tensors. Ours says whose it is, in the safetensors
    header or in the `identity` of a training checkpoint; others say nothing (None).
    """

    path: Path
    tensors: dict[str, Tensor]  # by key, on the CPU, without wrapper or `module.` prefix
    row_id: str | None = None
    profile: str | None = None
    labels: dict[str, Any] | None = None  # what its outputs mean, see `labels_of`

    @classmethod
    def read(cls, path: Path | str) -> WeightFile:
        """The file at `path`.

        Raises `CheckpointError`: E-PICKLE for a file that asks to run code (nothing is run),
        E-CKPT for one that is missing, cut short or damaged, E-WEIGHTS for one that holds no
        weights, or tensors that no network can have (`deeplab.weights.safety`).
        """
        check_regular(path)
        reader = _read_safetensors if _is_safetensors(path) else _read_torch
        content, note = reader(path)
        tensors = unwrap(content, file=path)
        check_tensors(tensors, path)
        return cls(Path(path), tensors, *note)

    def check_row(self, row: ModelRow) -> None:
        """Refuse a file that says it belongs to another row: `CheckpointError` (E-CKPT).

        And any file for a row of the paper's tables: `UsageError` (E-ROW).

        It says so in its header, or by bearing the name of another row's published file. A
        file that says nothing passes; its keys and shapes are then all there is to check.
        """
        if isinstance(row, PaperRow):
            raise UsageError.of(
                "E-ROW", "what a row of the paper's tables has learnt is scored by its own run",
                found=row.row_id, expected="a row of the published table, or one of your own",
                do=f"deeplab run {row.row_id}")
        if self.row_id is not None and self.row_id != row.row_id:
            raise CheckpointError.of(
                "E-CKPT", "these weights belong to another row", file=self.path,
                found=f"row {self.row_id}", expected=f"row {row.row_id}",
                do=f"use --row {self.row_id}, or the weights of {row.row_id}")
        check_labels(self.labels, row, self.path)
        name = self.path.name
        if PUBLISHED_NAME.fullmatch(name) and name != row.published_weights:
            raise CheckpointError.of(
                "E-CKPT", "this is the published file of another row", file=self.path, found=name,
                expected=f"{row.published_weights} for row {row.row_id}",
                do="choose the row of this file; if the name is wrong, rename the file")

    def model(self, row: ModelRow, profile: str | None = None) -> DeepLabV3:
        """`model_for` these weights, which must not belong to another row.

        Without `profile` the one that the file records is taken, or else `full`. Raises
        `CheckpointError` as `check_row` and `convert` do.
        """
        self.check_row(row)
        return model_for(self.tensors, row, profile or self.profile or "full")


def save_weights(path: Path | str, state_dict: dict[str, Tensor], *, row_id: str,
                 profile: str, dataset: str | None = None) -> Path:
    """Write `state_dict` as safetensors, atomically, with the row and profile it belongs to.

    With `dataset` the file also says what its outputs mean.
    """
    tensors = {key: value.detach().cpu().contiguous() for key, value in state_dict.items()}
    note = {"row": row_id, "profile": profile}
    if dataset:
        note["labels"] = json.dumps(labels_of(dataset))
    note["sha256"] = _digest(tensors, note)
    return atomic_write(path, safetensors.torch.save(tensors, metadata=note))


def _digest(tensors: dict[str, Tensor], note: dict[str, str]) -> str:
    """SHA-256 over names, types, shapes and bytes of `tensors` and what the file says of itself."""
    said = {key: value for key, value in note.items() if key != "sha256"}
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    for key, value in sorted(tensors.items()):
        digest.update(f"{key} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def load_weights(path: Path | str) -> dict[str, Tensor]:
    """The tensors of a weight file by key; raises as `WeightFile.read`."""
    return WeightFile.read(path).tensors


def load_model(path: Path | str, row: ModelRow, profile: str | None = None) -> DeepLabV3:
    """The network of a weight file; raises as `WeightFile.read` and `WeightFile.model`."""
    return WeightFile.read(path).model(row, profile)


Note = tuple[str | None, str | None, dict[str, Any] | None]  # row, profile, labels


def _is_safetensors(path: Path | str) -> bool:
    """A safetensors file has the length of its header in 8 bytes, then a JSON object."""
    try:
        with open(path, "rb") as file:
            return file.read(9)[8:] == b"{"
    except OSError as error:
        raise CheckpointError.of("E-CKPT", "cannot open the weight file", file=path,
                                 found=error.strerror, expected="a weight file",
                                 do="check the path") from error


def _read_safetensors(path: Path | str) -> tuple[dict[str, Tensor], Note]:
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            note, keys = file.metadata() or {}, list(file.keys())
            if len(keys) > MOST_TENSORS:
                raise refused(path, f"{len(keys):,} tensors", f"at most {MOST_TENSORS:,}")
            odd = [f"{key[:100]}: of type {kind}" for key in keys
                   if (kind := file.get_slice(key).get_dtype()) not in KINDS]
            if odd:
                raise refused(path, "; ".join(odd[:10]), f"tensors of {', '.join(KINDS)}")
            tensors = {key: file.get_tensor(key) for key in keys}
    except (safetensors.SafetensorError, OSError, ValueError, OverflowError) as error:
        raise _unreadable(path, error) from error
    if "sha256" in note and note["sha256"] != _digest(tensors, note):
        raise _unreadable(path, "it does not fit the SHA-256 in its header")
    try:
        labels = parse(note.get("labels", "null").encode())
    except ValueError as error:
        raise _unreadable(path, error) from error
    return tensors, (note.get("row"), note.get("profile"), labels)


def _read_torch(path: Path | str) -> tuple[Any, Note]:
    try:
        check_torch_file(path)
        if zipfile.is_zipfile(path):  # torch itself does not look at the checksums
            with zipfile.ZipFile(path) as archive:
                damaged = archive.testzip()
            if damaged is not None:
                raise _unreadable(path, f"the checksum of {damaged} is wrong")
        content = torch.load(path, map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except Exception as error:  # a damaged file makes the readers raise almost anything
        raise unreadable_torch(path, error) from error
    identity = content.get("identity") if isinstance(content, dict) else None
    note = identity if isinstance(identity, dict) else {}
    return content, (*(value if isinstance(value, str) else None
                       for value in (note.get("row_id"), note.get("profile"))), note.get("labels"))


def unreadable_torch(path: Path | str, error: Exception) -> CheckpointError:
    """Tell code in a file from damage; torch's own text advises to load unsafely."""
    asked = re.search(r"GLOBAL ([\w.]+)|(TorchScript)", str(error))
    if asked:
        return CheckpointError.of(
            "E-PICKLE", f"the file asks to run code while loading: {asked[1] or asked[2]} "
            "(blocked, nothing was run)", file=path, expected="tensors, numbers and text only",
            do="ask its author for safetensors, or take the tensors alone out of a training "
               "checkpoint with: deeplab weights extract")
    if not isinstance(error, (RuntimeError, OSError, EOFError)):  # of a reader that lost its way
        return _unreadable(path, "not written by torch")
    return _unreadable(path, error)


def _unreadable(path: Path | str, why: object) -> CheckpointError:
    first = str(why).strip().split("\n", 1)[0][:120]
    return CheckpointError.of("E-CKPT", "the weight file cannot be read; cut short or damaged",
                              file=path, found=f"{Path(path).stat().st_size:,} bytes: {first}",
                              expected="safetensors or a torch file of tensors", do=BAD_WEIGHTS)
