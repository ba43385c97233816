"""Datasets as a stranger might send them: an entry, a folder, and what is wrong with either.

A case is `function(entry, root, outside)`: it changes the entry, which is then written, or puts
something into the dataset's folder `root`; `outside` is a sentinel tree that it tries to reach.
"""

import json
import os
import shutil

import numpy as np
from dataset_trees import save
from hostile_results import SCRIPTS

ENTRY = {"title": "Leaves", "resize": [64, 32], "ignored": [255],
         "split_sizes": {"train": 2, "val": 1},
         "layout": {"folders": ["leaf"], "images": "photos/{split}/{id}.jpg",
                    "labels": "labels/{split}/{id}.png", "lists": "lists/{split}.txt"},
         "classes": [{"raw": index, "name": f"c{index}", "color": [index, 2 * index, 9]}
                     for index in range(3)]}


def sound(root):
    """The tree of a dataset of three pictures."""
    for split, ids in (("train", "ab"), ("val", "c")):
        for id in ids:
            save(root / f"photos/{split}/{id}.jpg", np.full((6, 9, 3), 9 * ord(id) % 256))
            save(root / f"labels/{split}/{id}.png", np.full((6, 9), ord(id) - ord("a")))
        (root / "lists").mkdir(exist_ok=True)
        (root / f"lists/{split}.txt").write_text("\n".join(ids))


def layout(**changes):
    """A case that changes the layout; the name is what is changed."""
    return {f"layout {key} {str(value)[:50]}": (
        lambda entry, root, outside, key=key, value=value: entry["layout"].update({key: value}))
        for key, values in changes.items() for value in values}


def whole(**changes):
    """A case that changes a key of the entry."""
    return {f"entry {key} {str(value)[:50]}": (
        lambda entry, root, outside, key=key, value=value: entry.update({key: value}))
        for key, values in changes.items() for value in values}


def dotted(folder):
    """A case in which two harmless texts come to a way out: `.{split}` with a dot."""
    def change(entry, root, outside):
        entry["layout"].update(images=".{split}/outside/{id}.jpg", labels=".{split}/{id}.png",
                               split_folders={"train": folder, "val": folder})
    return {f".{{split}} with {folder}": change}


def names(*texts):
    """Cases in which a class is called so."""
    return {f"class {text[:40]!r}": (lambda entry, root, outside, text=text:
                                     entry["classes"][0].update(name=text)) for text in texts}


def replaced(file, make):
    """A case in which something else stands in place of a file of the dataset."""
    def change(entry, root, outside):
        path = root / file
        if path.is_dir():
            shutil.rmtree(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        make(path, outside)
    return change


def link(name):
    return lambda path, outside: path.symlink_to(outside / name)


def pipe(path, outside):
    os.mkfifo(path)


def folder(path, outside):
    path.mkdir()


def text(content):
    return lambda path, outside: path.write_bytes(content)


def called(name):
    """A case with one more picture, of an odd name."""
    def change(entry, root, outside):
        for kind, end in (("photos", "jpg"), ("labels", "png")):
            save(root / f"{kind}/train/x.{end}", np.zeros((6, 9, 3) if end == "jpg" else (6, 9)))
            os.rename(root / f"{kind}/train/x.{end}", root / f"{kind}/train/{name}.{end}")
        with open(root / "lists/train.txt", "a", encoding="utf-8", errors="replace") as file:
            file.write("\nnot there: " + name.replace("\n", " "))
    return {f"file {name!r}": change}


UP, ROOT = "../../outside/{split}/{id}.jpg", "/etc/{split}/{id}.png"
PATHS = (
    layout(images=[UP, ROOT, "{split}/../../{id}.jpg", "C:/{split}/{id}.jpg",
                   "..\\{split}{id}.png", "x\0/{split}/{id}.jpg", "a" * 5000 + "/{split}/{id}.jpg",
                   "{split}/{id}/../x.png", "~/{split}/{id}.jpg", "photos/{split}/{id}.jpg\n"],
           labels=["../../outside/{id}.png", "/etc/{id}.png", "\x1b[2J/{id}.png", 7],
           lists=["../../outside/{split}.txt", "/etc/{split}", "**x/{split}.txt", "{split}/../x",
                  "[/{split}.txt", "x" * 300 + "/{split}.txt"],
           folders=[[".."], ["/etc"], ["leaf/../../outside"], ["C:\\x"], ["leaf", "/"], [[]]],
           split_folders=[{"train": ".."}, {"train": "/etc"}, {"..": "train"}, {"a/b": "x"}, [1]],
           extra_labels=[{"train": "../../outside/{id}.png"}, {"../x": "labels/{id}.png"}])
    | dotted(".") | dotted("./x") | dotted("./")
    | whole(split_sizes=[{"..": 1}, {".": 1}, {"../../outside/x": 1}, {"/etc/passwd": 1}, [3]]))
TEXTS = (
    whole(title=[*SCRIPTS[:3], "a\x1b[2Jb", "x" * 9999, "a\u202eb", ""], resize=[[10**9, 1], "x"],
          ignored=[[-1], [0], "255"], classes=[[], [{}], "x", [{"raw": 0}] * 300])
    | names(*SCRIPTS, "$\\frac{$", "a\x1b]0;x\x07", "\u202ex", "\n", "_", "x" * 400))
FILES = {
    "list is a link": replaced("lists/train.txt", link("lines.txt")),
    "list is a linked JSON": replaced("lists/train.txt", link("secret.json")),
    "list is a pipe": replaced("lists/train.txt", pipe),
    "list is a folder": replaced("lists/train.txt", folder),
    "list leads up": replaced("lists/train.txt", text(b"../../../outside/secret\n/etc/passwd\n")),
    "list with escapes": replaced("lists/train.txt", text(b"a\nb\n\x1b[2Jx\n")),
    "list of bytes": replaced("lists/train.txt", text(bytes(range(256)))),
    "lists are a link": replaced("lists", link("deep")),
    "image is a link to a text": replaced("photos/train/a.jpg", link("secret.txt")),
    "image is a pipe": replaced("photos/train/a.jpg", pipe),
    "image is a folder": replaced("photos/train/a.jpg", folder),
    "label is a link to a text": replaced("labels/train/a.png", link("secret.txt")),
    "label is a pipe": replaced("labels/train/a.png", pipe),
    "label is a device": replaced("labels/train/a.png", lambda path, outside:
                                  path.symlink_to("/dev/zero")),
    "images are a link": replaced("photos/train", link("deep")),
    "images are a loop": replaced("photos/train", lambda path, outside: path.symlink_to(path)),
    "images lead above": replaced("photos/more", lambda path, outside: path.symlink_to("..")),
    "packs are a link": replaced("packed", link("deep")),
    "pack is a link": replaced("packed/leaf-train.pack", link("secret.pt")),
    "pack is a pipe": replaced("packed/leaf-train.pack", pipe),
    "pack is a text": replaced("packed/leaf-train.pack", text(b"x" * 99)),
    "manifest is a link": replaced("../manifest-leaf.json", link("secret.json")),
    "manifest is a pipe": replaced("../manifest-leaf.json", pipe),
    "manifest is another": replaced("../manifest-leaf.json", text(json.dumps(
        {"made": "\x1b[2J", "files": {}}).encode())),
    "manifest is deep": replaced("../manifest-leaf.json", text(b"[" * 99_999)),
    **called("a\x1b[2Jb"), **called("a\nb"), **called("<img src=x onerror=alert(1)>"),
    **called("\u202egpj"), **called("\udcff\udcfe")}
ENTRIES = {  # what stands in place of the entry
    "entry is a link": link("secret.json"), "entry is a link to lines": link("lines.txt"),
    "entry is a pipe": pipe, "entry is a folder": folder, "entry is cut": text(b'{"title": "x'),
    "entry with NaN": text(b'{"title": NaN}'), "entry deep": text(b"[" * 99_999),
    "entry twice": text(b'{"title": "a", "title": "b"}'), "entry large": text(b" " * 2**27),
    "entry surrogate": text(rb'{"title": "\ud800"}'), "entry list": text(b"[]"),
    "entry number": text(b"1e999")}
