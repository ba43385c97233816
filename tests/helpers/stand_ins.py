"""Stand-ins for the official archives: their real structure, with a few small pictures in it."""

import hashlib
import io
import json
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from deeplab.prepare.context import CATEGORIES
from deeplab.prepare.prepare import prepare
from deeplab.prepare.sources import get_source

HEIGHT, WIDTH = 60, 80
TRAIN, VAL = 9, 3
RAW = {"voc": range(21), "ade20k": range(151), "context": range(60),
       "cityscapes": (7, 8, 11, 13, 21, 23, 24, 26, 0, 3)}


def scene(name, number):
    """(image uint8 (H, W, 3), raw label uint8 (H, W)): upright bands of a few classes."""
    rng = np.random.default_rng([sum(name.encode()), number])
    raw = np.repeat(rng.choice(list(RAW[name]), 4), WIDTH // 4).astype(np.uint8)
    raw = np.broadcast_to(raw, (HEIGHT, WIDTH)).copy()
    raw[HEIGHT // 2:] = rng.choice(list(RAW[name]))
    colour = np.random.default_rng(1).integers(0, 256, (256, 3))
    noise = rng.integers(-9, 9, (HEIGHT, WIDTH, 3))
    return np.clip(colour[raw] + noise, 0, 255).astype(np.uint8), raw


def encoded(array, kind, palette=False):
    """The bytes of an image file."""
    picture, buffer = Image.fromarray(array), io.BytesIO()
    if palette:
        picture.putpalette([value for index in range(256) for value in (index, 255 - index, 7)])
    picture.save(buffer, kind)
    return buffer.getvalue()


def bordered(raw):
    """The label with VOC's void border between its classes."""
    raw = raw.copy()
    raw[:, 1:][np.diff(raw.astype(int), axis=1) != 0] = 255
    return raw


def voc():
    """VOC 2012: val and a third of the training images; SBD: everything but one training image."""
    train, val = [f"2008_{n:06d}" for n in range(TRAIN)], [f"2007_{n:06d}" for n in range(VAL)]
    scenes = {id: scene("voc", n) for n, id in enumerate(train + val)}
    base = "VOCdevkit/VOC2012"
    tar = {f"{base}/JPEGImages/{id}.jpg": encoded(image, "JPEG")
           for id, (image, _) in scenes.items()}
    tar |= {f"{base}/SegmentationClass/{id}.png": encoded(bordered(scenes[id][1]), "PNG", True)
            for id in train[::3] + val}
    tar |= {f"{base}/ImageSets/Segmentation/{split}.txt": lines(ids) for split, ids in
            {"train": train[::3], "val": val, "trainval": train[::3] + val}.items()}
    tar[f"{base}/Annotations/x.xml"] = b"<annotation/>"
    sbd = "benchmark_RELEASE/dataset"
    tgz = {f"{sbd}/cls/{id}.mat": mat(scenes[id][1]) for id in train[1:] + val[:1]}
    tgz |= {f"{sbd}/train.txt": lines(train[1:-2]), f"{sbd}/val.txt": lines(train[-2:] + val[:1]),
            f"{sbd}/inst/x.mat": b"", "benchmark_RELEASE/README": b"read me"}
    return {"VOCtrainval_11-May-2012.tar": tarred(tar), "benchmark.tgz": tarred(tgz, "w:gz")}


def mat(raw):
    """A label file of SBD."""
    buffer, boundaries = io.BytesIO(), np.empty((20, 1), object)
    boundaries.fill(np.zeros((0, 0)))
    savemat(buffer, {"GTcls": {"Boundaries": boundaries, "Segmentation": raw,
                               "CategoriesPresent": np.unique(raw)}}, do_compression=True)
    return buffer.getvalue()


def ade20k():
    base, content = "ADEChallengeData2016", {"ADEChallengeData2016/objectInfo150.txt": b"Idx"}
    for split, folder, count in (("train", "training", TRAIN), ("val", "validation", VAL)):
        for n in range(count):
            image, raw = scene("ade20k", n + 100 * (split == "val"))
            content[f"{base}/images/{folder}/ADE_{split}_{n + 1:08d}.jpg"] = encoded(image, "JPEG")
            label = f"{base}/annotations/{folder}/ADE_{split}_{n + 1:08d}.png"
            content[label] = encoded(raw, "PNG")
    return {"ADEChallengeData2016.zip": zipped(content)}


def cityscapes():
    images, labels = {"README": b"read me"}, {"license.txt": b"licence"}
    for split, city, count in (("train", "ulm", TRAIN), ("val", "bonn", VAL), ("test", "bern", 1)):
        for n in range(count):
            image, raw = scene("cityscapes", n + 100 * (split == "val"))
            id = f"{split}/{city}/{city}_{n:06d}_000019"
            images[f"leftImg8bit/{id}_leftImg8bit.png"] = encoded(image, "PNG")
            labels[f"gtFine/{id}_gtFine_labelIds.png"] = encoded(raw, "PNG")
            labels[f"gtFine/{id}_gtFine_polygons.json"] = b"{}"
    return {"leftImg8bit_trainvaltest.zip": zipped(images),
            "gtFine_trainvaltest.zip": zipped(labels)}


def context():
    tar, images, regions = {}, [], []
    for n in range(TRAIN + VAL):
        image, raw = scene("context", n)
        id, phase = f"2008_{n:06d}", "train" if n < TRAIN else "val"
        tar[f"VOCdevkit/VOC2010/JPEGImages/{id}.jpg"] = encoded(image, "JPEG")
        images.append({"image_id": 2008000000 + n, "file_name": f"{id}.jpg", "height": HEIGHT,
                       "width": WIDTH, "phase": phase})
        regions += [{"id": len(regions) + index, "image_id": 2008000000 + n, "iscrowd": 1,
                     "category_id": CATEGORIES[value], "segmentation": runs(raw == value)}
                    for index, value in enumerate(np.unique(raw)) if value]
    images.append(images[0] | {"image_id": 1, "phase": "test", "file_name": "2008_900000.jpg"})
    tar["VOCdevkit/VOC2010/ImageSets/Segmentation/train.txt"] = b"2008_000000\n"
    content = {"info": {}, "images": images, "annos_segmentation": regions, "categories": []}
    return {"VOCtrainval_03-May-2010.tar": tarred(tar),
            "trainval_merged.json": json.dumps(content).encode()}


def runs(mask):
    """A mask in COCO's run-length code, as text."""
    flat = np.r_[mask.T.ravel(), not mask.T.ravel()[-1]]
    ends = np.flatnonzero(np.diff(np.r_[False, flat])) if not flat[0] else np.r_[
        0, np.flatnonzero(np.diff(flat)) + 1]
    counts = np.diff(np.r_[0, ends])
    text = ""
    for index, count in enumerate(counts.tolist()):
        rest = count - (counts[index - 2].item() if index > 2 else 0)
        more = True
        while more:
            digit, rest = rest & 31, rest >> 5
            more = rest != (-1 if digit & 16 else 0)
            text += chr(digit + 32 * more + 48)
    return {"size": list(mask.shape), "counts": text}


def lines(ids):
    return "".join(f"{id}\n" for id in ids).encode()


def tarred(content, mode="w"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as file:
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def zipped(content):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, data in content.items():
            file.writestr(name, data)
    return buffer.getvalue()


MAKERS = {"voc": voc, "ade20k": ade20k, "cityscapes": cityscapes, "context": context,
          "context59": context}


def write_stand_ins(name, folder: Path) -> Path:
    """Write the archives of dataset `name` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in MAKERS[name]().items():
        (folder / file).write_bytes(content)
    return folder


def write_tree(name, data_root: Path) -> Path:
    """Prepare dataset `name` from its stand-ins; returns the data root."""
    archives = write_stand_ins(name, data_root / "archives")
    source = stand_in_source(name, archives, "https://example.org")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deeplab.prepare.prepare.get_source", lambda asked: source)
        return prepare(name, data_root, archives=archives, say=lambda text: None)


def stand_in_source(name, folder: Path, address: str | None):
    """The source of `name` with the stand-ins' lengths and hashes, at `address` if given."""
    source, archives = get_source(name), []
    for archive in source.archives:
        content = (folder / archive.file).read_bytes()
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        archives.append(replace(archive, gigabytes=len(content) / 1e9, length=len(content),
                                checksum=digest,
                                url=archive.url and f"{address}/{archive.file}"))
    return replace(source, archives=tuple(archives), unpacked_gb=0.001)
