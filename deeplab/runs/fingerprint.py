"""What a result rests on, as short hashes: row, code, notebook, data, weights, libraries ...

A result counts only while all parts still agree; otherwise those that changed are named.
Code is hashed as parsed, without docstrings, comments and the texts of errors, so that neither
a touched file nor better wording makes a week of training stale.
"""

import functools
import hashlib
import json
import platform
import re
import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from deeplab.data.catalog import SegmentationDataset
from deeplab.miniature.twins import version as miniature_version
from deeplab.runs.config import RunConfig, row_facts
from deeplab.support.errors import DataError
from deeplab.support.files import sha256
from deeplab.support.folders import PROJECT
from deeplab.support.source import without_words
from deeplab.support.void import IGNORE_INDEX

LIBRARIES = ("torch", "torchvision", "numpy", "pillow", "opencv-python-headless")
# The modules that can move a number. Not among them, though a run imports them: what checks,
# tells, starts, stops, saves or restores (errors, locks, signals, failures, runlog, launch, peak,
# checkpoint: resuming is tested to the bit), what hands over bytes of files that are a part of
# their own (weights, miniature), and packs, which hold the decoded pixels.
DECISIVE = (
    "profiles.py",  # sizes and lengths: what a row and a profile come to
    *(f"table/{name}.py" for name in ("row", "rows", "paper")),
    # how they become data, network and training, and where it computes
    *(f"runs/{name}.py" for name in ("config", "device", "experiment", "network", "recompute")),
    *(f"model/{name}.py" for name in ("atrous", "backbone", "aspp", "network", "cascade")),
    *(f"data/{name}.py" for name in (
        "catalog", "layout",  # which files make a split, in which order
        "images", "labelset", "resample", "distortion", "augment", "sampling")),
    "support/decode.py",  # which decoder, and in which mode
    "support/listing.py",  # which files there are, and which id is whose
    *(f"evaluation/{name}.py" for name in ("metrics", "upsample", "inference")),
    *(f"training/{name}.py" for name in ("settings", "recipe", "loss", "loop", "session", "ranks")))
LARGEST_WEIGHTS = 2**33  # bytes; a copied run.json may name a file of the system without an end
PACKAGE = Path(__file__).parents[1]
NOTEBOOK = PROJECT / "notebooks" / "row.ipynb"


def fingerprint(config: RunConfig) -> dict[str, str]:
    """Twelve hexadecimal digits for each part that a result of this run rests on.

    Data that are not here have None: nobody can say whether they changed.
    """
    return {"row": digest(row_facts(config.row)),
            "profile": digest(asdict(config.profile) | {"purpose": None} | config.changes),
            "label set": digest(label_set(config)),
            "code": digest(code_identity()),
            "notebook": digest(notebook_code(NOTEBOOK)),
            "data": _data_digest(config),
            "weights": digest(weights_identity(config)),
            "libraries": digest({name: minor(text) for name, text in libraries().items()})}


def digest(value: Any) -> str:
    """Twelve hexadecimal digits of the SHA-256 of a JSON-serialisable value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def code_identity() -> list[str]:
    """Every decisive module of the package, parsed, without words and without other profiles.

    The values of a run's own profile are a part of their own.
    """
    texts = [(PACKAGE / name).read_text(encoding="utf-8") for name in DECISIVE]
    return [without_words(re.sub(r"^PROFILES = .*?^\)}$", "", text, flags=re.M | re.S))
            for text in texts]


def notebook_code(path: Path) -> list[str]:
    """The code cells of a notebook, without their outputs."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def label_set(config: RunConfig) -> list[Any]:
    """What of a label set can change a number: not its title and not its colours."""
    facts = config.label_set
    return [facts.classes, facts.raw_values, facts.ignored, IGNORE_INDEX, facts.resize,
            asdict(facts.layout)]


def data_identity(config: RunConfig, *splits: str) -> Any:
    """What identifies the data: the twin's version, or the manifest that `data verify` wrote.

    Data that were never verified: names, sizes and times of the files of `splits` (by default
    the two that a run uses).
    Raises `DataError` (E-LAYOUT, E-LIST, E-PAIR) if they are not there.
    """
    if config.profile.name == "demo":
        return miniature_version(config.row.dataset)
    root, row = config.real_data_root, config.row
    manifest = root / f"manifest-{row.dataset}.json"
    if manifest.is_file():
        return sha256(manifest)
    return file_states(row.dataset, root, *(splits or (row.train_split, row.eval_split)))


@functools.lru_cache(maxsize=16)
def file_states(dataset: str, root: Path, *splits: str) -> str:
    """A hash of names, sizes and times of the files of `splits`; looked at once per process.

    `file_states.cache_clear()` makes the next call look again.
    """
    return digest([[source.state for source in SegmentationDataset(
        dataset, root, split, use_pack=False).sources] for split in splits])


def _data_digest(config: RunConfig) -> str | None:
    try:
        return digest(data_identity(config))
    except DataError:
        return None


def weights_identity(config: RunConfig) -> str | None:
    """What the backbone starts from: the SHA-256 of a file, the name of what is published."""
    choice = config.first_weights
    shipped = PACKAGE / "miniature" / "pretrained" / f"miniature_{config.row.backbone}.safetensors"
    file = shipped if choice == "miniature" else Path(choice)
    is_one = file.is_file() and 0 < file.stat().st_size <= LARGEST_WEIGHTS
    return sha256(file) if is_one else choice


def libraries() -> dict[str, str]:
    """The versions of the libraries that can change a number."""
    return {name: version(name) for name in LIBRARIES}


def minor(text: str) -> str:
    """The release without its patch, which may round otherwise but means the same.

    >>> minor("2.5.1+cu124"), minor("4.10.0.84")
    ('2.5', '4.10')
    """
    return ".".join(text.split(".")[:2])


def changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The names of the parts that differ, of those that are known now."""
    return [part for part in now if now[part] is not None and before.get(part) != now[part]]


def noted(before: Mapping[str, Any]) -> list[str]:
    """Libraries of another version than in the surroundings `before`: `torch 2.5.0, now 2.5.1`."""
    return [f"{name} {before[name]}, now {text}" for name, text in libraries().items()
            if before.get(name, text) != text]


def software() -> dict[str, Any]:
    """With what a number was made: library versions, commit, machine."""
    return {**libraries(), "python": platform.python_version(), "machine": platform.machine(),
            **_commit()}


def surroundings(device: str = "cpu") -> dict[str, Any]:
    """`software`, and on a GPU its name, CUDA, cuDNN and whether TF32 may replace float32."""
    facts = dict.fromkeys(("gpu", "cuda", "cudnn", "tf32"))
    if device.startswith("cuda"):
        import torch

        from deeplab.support.cuda import TF32
        facts = {"gpu": torch.cuda.get_device_name(), "cuda": torch.version.cuda,
                 "cudnn": torch.backends.cudnn.version(), "tf32": TF32}
    return software() | facts


def _commit() -> dict[str, Any]:
    """The commit of the clone and whether files differ from it; nothing outside a clone."""
    def git(*words: str) -> str:
        return subprocess.run(["git", "-C", str(PROJECT), *words], capture_output=True,
                              text=True, check=True, timeout=10).stdout.strip()
    try:
        return {"commit": git("rev-parse", "--short=12", "HEAD"),
                "dirty": bool(git("status", "--porcelain", "--untracked-files=no"))}
    except (OSError, subprocess.SubprocessError):
        return {"commit": None, "dirty": None}
