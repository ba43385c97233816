"""What a result rests on, as short hashes: row, code, notebook, data, weights, libraries ...

A result is shown only while all parts still agree; otherwise the report names those that
changed. Code is hashed as parsed, without docstrings and comments, so that neither a touched
file nor better wording makes a week of training stale.
"""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from deeplab.miniature.twins import version as miniature_version
from deeplab.runs.config import RunConfig, row_facts
from deeplab.support.files import PROJECT, sha256
from deeplab.support.source import without_words

LIBRARIES = ("torch", "torchvision", "numpy", "pillow", "opencv-python-headless")
# the modules that can move a number; what only reads, checks, tells or starts is not among them
DECISIVE = ("profiles.py", "table/rows.py", "runs/config.py", "runs/experiment.py",
            *(f"model/{name}.py" for name in ("atrous", "backbone", "aspp", "network")),
            *(f"data/{name}.py" for name in ("images", "labelset", "resample", "distortion",
                                             "augment", "sampling")),
            *(f"evaluation/{name}.py" for name in ("metrics", "upsample", "inference")),
            *(f"training/{name}.py" for name in ("recipe", "loss", "loop", "ranks")))
PACKAGE = Path(__file__).parents[1]
NOTEBOOK = PROJECT / "notebooks" / "row.ipynb"


def fingerprint(config: RunConfig) -> dict[str, str]:
    """Twelve hexadecimal digits for each part that a result of this run rests on."""
    return {"row": digest(row_facts(config.row)),
            "profile": digest(asdict(config.profile) | {"purpose": None}),
            "label set": digest(label_set(config)),
            "code": digest(code_identity()),
            "notebook": digest(notebook_code(NOTEBOOK)),
            "data": digest(data_identity(config)),
            "weights": digest(weights_identity(config)),
            "libraries": digest(libraries())}


def digest(value: Any) -> str:
    """Twelve hexadecimal digits of the SHA-256 of a JSON-serialisable value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def code_identity() -> list[str]:
    """Every decisive module of the package, parsed and without docstrings."""
    return [without_words((PACKAGE / name).read_text(encoding="utf-8")) for name in DECISIVE]


def notebook_code(path: Path) -> list[str]:
    """The code cells of a notebook, without their outputs."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def label_set(config: RunConfig) -> list[Any]:
    """What of a label set can change a number: not its title and not its colours."""
    facts = config.label_set
    return [facts.classes, facts.raw_values, facts.ignored, facts.resize, asdict(facts.layout)]


def data_identity(config: RunConfig) -> Any:
    """What identifies the data: the twin's version, or the manifest that `data verify` wrote.

    A real dataset that was never verified is identified by nothing but its folder's name.
    """
    if config.profile.name == "demo":
        return miniature_version()
    manifest = config.real_data_root / f"manifest-{config.row.dataset}.json"
    return sha256(manifest) if manifest.exists() else f"unverified {config.real_data_root.name}"


def weights_identity(config: RunConfig) -> str | None:
    """What the backbone starts from: the SHA-256 of a file, the name of what is published."""
    choice = config.first_weights
    shipped = PACKAGE / "miniature" / "pretrained" / f"miniature_{config.row.backbone}.safetensors"
    file = shipped if choice == "miniature" else Path(choice)
    return sha256(file) if file.is_file() else choice


def libraries() -> dict[str, str]:
    """The versions of the libraries that can change a number."""
    return {name: version(name) for name in LIBRARIES}


def changed(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """The names of the parts that differ."""
    return [part for part in now if before.get(part) != now[part]]


def surroundings() -> dict[str, Any]:
    """Where and with what a number was made: library versions, commit, machine."""
    return {**libraries(), "python": platform.python_version(), "machine": platform.machine(),
            **_commit()}


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
