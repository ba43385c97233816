"""Results folders as a stranger might send them: each case spoils one run that was in order.

A case is `function(folder, outside)`; `outside` is a sentinel tree that it tries to reach. It
has a code: the exit code of `deeplab run` on it, or None where the run starts all the same.
"""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

MARK = 'document.title="RAN"'  # what a script would do
SCRIPTS = (f"<script>{MARK}</script>", f"<img src=x onerror='{MARK}'>",
           f"<svg onload='{MARK}'></svg>", f"[x](javascript:{MARK})",
           "<meta http-equiv=refresh content='0;url=http://127.0.0.1:PORT/x'>",
           "![x](http://127.0.0.1:PORT/x.png)", "<base href=http://127.0.0.1:PORT/>",
           "<iframe src=http://127.0.0.1:PORT/x></iframe>",
           "<link rel=stylesheet href=http://127.0.0.1:PORT/x.css>",
           "<form action=http://127.0.0.1:PORT/><input type=submit></form>",
           "|</td></table><script>" + MARK + "</script>", "$\\href{javascript:x}{y}$",
           "-->\"'><script>" + MARK + "</script>")


def put(folder: Path, name: str, **changes) -> None:
    """Replace members of a JSON file."""
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def member(name: str, key: str, *values) -> dict[str, Callable]:
    """Cases that give a member of a JSON file another value."""
    return {f"{name} {key} {str(value)[:40]}": (
        lambda folder, outside, value=value: put(folder, name, **{key: value}))
        for value in values}


def content(name: str, **texts: bytes) -> dict[str, Callable]:
    """Cases that write other bytes into a file."""
    def write(folder, outside, text):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(text)
    return {f"{name} {kind}": (lambda folder, outside, text=text: write(folder, outside, text))
            for kind, text in texts.items()}


def instead(name: str) -> dict[str, Callable]:
    """Cases in which something else stands where a file should be."""
    def cleared(folder):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).unlink(missing_ok=True)
        return folder / name
    return {f"{name} is a link": lambda folder, outside: cleared(folder).symlink_to(
                outside / "secret.json"),
            f"{name} is a pipe": lambda folder, outside: os.mkfifo(cleared(folder)),
            f"{name} is a folder": lambda folder, outside: cleared(folder).mkdir(),
            f"{name} is a device": lambda folder, outside: cleared(folder).symlink_to("/dev/zero")}


def parameters(**changes) -> Callable:
    """A case that changes what `run.json` says was asked for."""
    def change(folder, outside):
        told = json.loads((folder / "run.json").read_text())["parameters"]
        put(folder, "run.json", parameters=told | changes)
    return change


def linked_folder(folder, outside):
    shutil.rmtree(folder)
    folder.symlink_to(outside / "deep" / "seed0")


def file_as_folder(folder, outside):
    shutil.rmtree(folder)
    folder.write_text("{}")


def linked_checkpoints(folder, outside):
    (folder / "checkpoints").symlink_to(outside / "deep" / "seed0" / "checkpoints")


def line(**fields) -> Callable:
    """A case that adds a line to the log."""
    def add(folder, outside):
        with open(folder / "log.jsonl", "a", encoding="utf-8") as log:
            log.write(json.dumps(fields) + "\n")
    return add


BROKEN = {"empty": b"", "half": b'{"miou": 4', "nan": b'{"miou": NaN}', "infinite": b'{"a": 1e999}',
          "twice": b'{"miou": 1, "miou": 2}', "deep": b"[" * 100_000, "large": b" " * 2**21 + b"{}",
          "list": b"[1]", "text": b'"x"', "null": b"null", "latin-1": b'{"a": "\xe9"}',
          "zeros": bytes(500), "surrogate": rb'{"a": "\ud800"}', "digits": b"9" * 9000}
MANIFEST = {"sha256": 64 * "0", "step": 7}
RESULTS = (
    content("result.json", **BROKEN) | instead("result.json")
    | member("result.json", "miou", *SCRIPTS[:3], -1, 1e300, True, [1], {"a": 1})
    | member("result.json", "dataset", "../../outside/x", SCRIPTS[0], "voc|x", "/etc/passwd")
    | member("result.json", "class_iou", {one: 1.0 for one in SCRIPTS}, {"a\x1b[2J": 1}, [],
             {str(n): 1 for n in range(999)}, {"cat": 1e9})
    | member("result.json", "device", "cuda\x1b]0;x\x07", "x" * 9999)
    | member("result.json", "row_id", "voc_r101_d8", SCRIPTS[0], None)
    | member("result.json", "seed", 99999, "0") | member("result.json", "profile", "demo")
    | member("result.json", "backbone", "resnet9") | member("result.json", "output_stride", 0)
    | member("result.json", "deviations", [SCRIPTS[1]], [10**30], {})
    | member("result.json", "minutes", -5, "long") | member("result.json", "gmacs", "a|b", None)
    | member("result.json", "complete", 1) | member("result.json", "steps", -1, 1.5, "6"))
RECORDS = (
    content("run.json", **BROKEN) | instead("run.json")
    | {"run.json is missing": lambda folder, outside: (folder / "run.json").unlink(),
       "run.json of another row": parameters(row_id="voc_r101_d8"),
       "run.json of no row": parameters(row_id=SCRIPTS[0]),
       "run.json of another seed": parameters(seed=77777),
       "run.json of another profile": parameters(profile="demo"),
       "run.json with cls": parameters(cls=1), "run.json with --help": parameters(**{"--help": 1}),
       "run.json list for a path": parameters(data_root=[1]),
       "run.json escape in a path": parameters(data_root="/x\x1b[2J"),
       "run.json zero in a path": parameters(backbone_weights="/x\0y"),
       "run.json negative steps": parameters(max_steps=-1)}
    | member("run.json", "threads", -1, 10**6, "1", True) | member("run.json", "fingerprint", [], 1)
    | member("run.json", "surroundings", {"torch": "x" * 999}, {"torch": ["x"]}, "x"))
LOGS = (
    content("log.jsonl", nan=b'{"step": NaN}\n', half=b'{"step": 1\n', list=b"[1]\n",
            long=b'{"step": 1, "a": "' + b"x" * 2**21 + b'"}\n', zeros=bytes(99) + b"\n")
    | instead("log.jsonl")
    | {"log.jsonl no step": line(loss=1.0), "log.jsonl text": line(step=1, loss=SCRIPTS[0]),
       "log.jsonl too much": line(step=1, miou=1e9), "log.jsonl negative": line(step=-1),
       "log.jsonl list": line(step=1, miou=[1])})
CHECKPOINTS = (
    content("checkpoints/checkpoints.json", half=b"[", object=b"{}", numbers=b"[1]",
            up=json.dumps([MANIFEST | {"file": "../../../outside/secret.pt"}]).encode(),
            root=json.dumps([MANIFEST | {"file": "/etc/passwd"}]).encode(),
            other=json.dumps([MANIFEST | {"file": "step-0000008.pt"}]).encode())
    | instead("checkpoints/checkpoints.json"))
OTHERS = instead("outcome.json") | instead("notebook.ipynb") | instead("rank-0.json")
FOLDERS = {"a linked folder": linked_folder, "a file for a folder": file_as_folder,
           "linked checkpoints": linked_checkpoints}
DAMAGED = RESULTS | RECORDS | LOGS | FOLDERS  # `report` and `status` must say so, a line for each
PUBLISHED = {f"published {kind}": text for kind, text in {
    "half": b"{", "script": json.dumps({"miou": SCRIPTS[0], "num_images": 1, "row_id": "x",
                                        "profile": "full"}).encode(),
    "other": json.dumps({"miou": 1, "num_images": 1, "row_id": "x", "profile": "full"}).encode(),
    "nan": b'{"miou": NaN}'}.items()}
