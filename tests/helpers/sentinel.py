"""A tree beside what is attacked: nothing in it may be read into a message, changed or removed."""

import hashlib
import json
import os
from pathlib import Path

SECRET = "SENTINEL-7f3a"  # stands in every file of the tree, and in its names


def plant(folder: Path) -> Path:
    """Make the tree: texts, JSON that would pass for records, an image's name, a lock, folders."""
    (folder / "deep" / "seed0" / "checkpoints").mkdir(parents=True)
    facts = json.dumps({"miou": SECRET, "step": SECRET, "steps": 1, "made": [SECRET],
                        "title": [SECRET]})
    for name in ("secret.json", "secret.txt", "secret.pt", "lock", "deep/result.json",
                 "deep/seed0/run.json", "deep/seed0/log.jsonl"):
        (folder / name).write_text(facts + "\n", encoding="utf-8")
    (folder / "lines.txt").write_text(f"{SECRET}:x:0:0\nroot:{SECRET}\n", encoding="utf-8")
    return folder


def digest(folder: Path) -> str:
    """A hash of every name, kind, mode, time of change and byte below `folder`."""
    facts = []
    for path in sorted([folder, *folder.rglob("*")]):
        state = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        facts.append([str(path.relative_to(folder)), state.st_mode, state.st_nlink,
                      state.st_mtime_ns, hashlib.sha256(content).hexdigest(),
                      os.readlink(path) if path.is_symlink() else ""])
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def told(texts) -> list[str]:
    """Those of some texts, or files, that the secret has got into."""
    found = []
    for text in texts:
        content = text.read_text(errors="replace") if isinstance(text, Path) else text
        if SECRET in content:
            found.append(str(text)[:200])
    return found
