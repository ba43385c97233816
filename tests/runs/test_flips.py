"""One flipped bit in any file that decides a number is refused, or changes nothing that is read.

200 of each kind here; DEEPLAB_FUZZ gives another number.
"""

import hashlib
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from mutate import COUNT
from results_folders import result_facts

from deeplab.miniature.stamp import is_whole, stamped
from deeplab.runs.config import RunConfig
from deeplab.runs.records import read_result, read_run
from deeplab.support.errors import DeeplabError
from deeplab.support.files import JsonLines, write_json
from deeplab.support.pack import Pack, Source, write_pack
from deeplab.support.seal import sealed
from deeplab.training.checkpoint import Checkpoints
from deeplab.weights.files import WeightFile, save_weights
from deeplab.weights.shipped import SHA256, read_shipped

PIXELS = np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)


class Twin:
    """A drawn folder of two files; read when it is whole."""

    def __init__(self, folder: Path, name: str):
        self.root = folder / "twin"
        for path, content in stamped([("a.jpg", PIXELS.tobytes()), ("b.png", PIXELS.tobytes()[9:])],
                                     version="one", dataset="voc"):
            (self.root / path).parent.mkdir(exist_ok=True)
            (self.root / path).write_bytes(content)
        self.path = self.root / name

    def read(self):
        if not is_whole(self.root, "one"):
            raise DeeplabError("drawn anew")
        return (self.root / "a.jpg").read_bytes(), (self.root / "b.png").read_bytes()


class Weights:
    """A weight file of ours."""

    def __init__(self, folder: Path):
        tensors = {"conv.weight": torch.arange(24.0).reshape(2, 3, 2, 2)}
        self.path = save_weights(folder / "w.safetensors", tensors, row_id="voc_r50_d8",
                                 profile="demo", dataset="voc")

    def read(self):
        file = WeightFile.read(self.path)
        return ({key: value.tolist() for key, value in file.tensors.items()}, file.row_id,
                file.profile, file.labels)


class Shipped(Weights):
    """A file that comes with the package."""

    def __init__(self, folder: Path, monkeypatch):
        super().__init__(folder)
        digest = hashlib.sha256(self.path.read_bytes()).hexdigest()
        monkeypatch.setitem(SHA256, self.path.name, digest)

    def read(self):
        return read_shipped(self.path).tensors["conv.weight"].tolist()


class Packed:
    """A pack of two samples."""

    def __init__(self, folder: Path):
        self.sources = [Source(name, folder / "x", folder / "x") for name in "ab"]
        (folder / "x").touch()
        self.lookup = np.arange(4, dtype=np.uint8)
        samples = [(PIXELS, PIXELS[..., 0]), (PIXELS[:5], PIXELS[:5, :, 1])]
        self.path = write_pack(folder / "voc.pack", samples, self.sources, lookup=self.lookup)

    def read(self):
        pack = Pack.open(self.path, self.sources, lookup=self.lookup)
        return [array.tolist() for number in range(2) for array in pack[number]]


class Saved:
    """Two checkpoints, or their manifest: what is gone on from must be one of the two."""

    def __init__(self, folder: Path, name: str):
        self.checkpoints = Checkpoints(folder, {"row_id": "voc_r50_d8"})
        for step in (10, 20):
            self.checkpoints.save(step, {"weight": torch.arange(30.) + step})
        self.path = folder / name
        self.whole = {path: path.read_bytes() for path in folder.iterdir()}

    def read(self):
        for path, content in self.whole.items():
            if path != self.path:
                path.write_bytes(content)
        state = self.checkpoints.load()
        if state["step"] == 10:
            raise DeeplabError("the newest is set aside")
        return state["step"], state["weight"].tolist()


class Log:
    """A log that a checkpoint tells of."""

    def __init__(self, folder: Path):
        self.path = folder / "log.jsonl"
        log = JsonLines(self.path, size=0)
        for step in range(9):
            log.write(step=step, loss=1.5 / (step + 1))
        self.size, self.digest = log.size, log.digest

    def read(self):
        JsonLines(self.path, size=self.size, digest=self.digest).close()
        return self.path.read_bytes()


class Record:
    """`result.json` or `run.json` of a run."""

    def __init__(self, folder: Path, name: str):
        config = RunConfig.of(row_id="voc_r50_d8", results_root=str(folder))
        facts = {"result.json": result_facts(config), "run.json": {
            "parameters": config.parameters, "fingerprint": {"code": "0" * 12}, "threads": 1}}
        self.path = config.folder / name
        write_json(self.path, sealed(facts[name]))

    def read(self):
        reader = {"result.json": read_result, "run.json": read_run}[self.path.name]
        found = reader(self.path.parent)
        found.pop("digest", None)
        return found


KINDS = {
    "twin's image": lambda folder, _: Twin(folder, "a.jpg"),
    "twin's label": lambda folder, _: Twin(folder, "b.png"),
    "twin's stamp": lambda folder, _: Twin(folder, "miniature.json"),
    "weights": lambda folder, _: Weights(folder),
    "shipped weights": Shipped,
    "pack": lambda folder, _: Packed(folder),
    "checkpoint": lambda folder, _: Saved(folder, "step-0000020.pt"),
    "manifest": lambda folder, _: Saved(folder, "checkpoints.json"),
    "log": lambda folder, _: Log(folder),
    "result": lambda folder, _: Record(folder, "result.json"),
    "run": lambda folder, _: Record(folder, "run.json"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore")
def test_a_flipped_bit_is_refused_or_changes_nothing_that_is_read(tmp_path, monkeypatch, kind):
    file = KINDS[kind](tmp_path, monkeypatch)
    rng, whole, refused, wanted = random.Random(kind), file.path.read_bytes(), 0, file.read()
    for _ in range(COUNT):
        bit = rng.randrange(8 * len(whole))
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        file.path.write_bytes(content)
        try:
            found = file.read()
        except DeeplabError:
            refused += 1
        else:
            same = {key: found.get(key) for key in wanted} if isinstance(wanted, dict) else found
            assert same == wanted, f"bit {bit}"
    print(kind, refused, "of", COUNT, "refused")
    assert refused > 0.8 * COUNT
