"""A small dataset that nobody has described to the package yet: drawn rows of fruit trees.

Folders, values and names are of the kind that one meets: two splits under names of their own,
masks with a suffix, values with gaps, one value for what was not annotated, and another that
occurs in a single file, of which ABOUT.txt, what its makers say, knows nothing.
"""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from deeplab.support.folders import data_folder, write_folder

NAME = "orchard"
SPLITS = {"train": ("training", 6), "val": ("held_out", 3)}  # folder, pictures
SIDES = (48, 64)  # pixels, height and width
CLASSES = {10: ("soil", (139, 90, 43)), 40: ("grass", (124, 176, 60)), 50: ("sky", (135, 206, 235)),
           20: ("trunk", (101, 67, 33)), 30: ("leaf", (34, 110, 40)), 90: ("fruit", (214, 40, 40))}
NOT_ANNOTATED, UNSURE = 0, 250
ABOUT = """ORCHARD: rows of fruit trees, drawn

pictures/training/row_00.jpg ...   pictures
pictures/held_out/row_06.jpg ...   pictures for scoring
masks/.../row_00_mask.png ...      8-bit grey, one value a pixel

value  what              colour
   0   not annotated     -
  10   soil              #8B5A2B
  20   trunk             #654321
  30   leaf              #226E28
  40   grass             #7CB03C
  50   sky               #87CEEB
  90   fruit             #D62828
"""


def new_dataset() -> Path:
    """The data root that holds the folder orchard/, drawn on the first call."""
    root = data_folder() / "miniature" / "new"
    if not (root / NAME).exists():
        write_folder(root / NAME, files())
    return root


def files() -> list[tuple[str, bytes]]:
    """(relative path, content) of all files; always the same bytes."""
    found, number = [("ABOUT.txt", ABOUT.encode())], 0
    for folder, count in SPLITS.values():
        for _ in range(count):
            mask = np.array(_row_of_trees(number))
            name = f"{folder}/row_{number:02}"
            found += [(f"pictures/{name}.jpg", _encoded(_painted(mask, number), "JPEG")),
                      (f"masks/{name}_mask.png", _encoded(mask, "PNG"))]
            number += 1
    return found


def masks(split: str) -> list[np.ndarray]:
    """The values of a split's masks, uint8 (48, 64) each, in the order of their names."""
    first = 0 if split == "train" else SPLITS["train"][1]
    return [np.array(_row_of_trees(first + number)) for number in range(SPLITS[split][1])]


def _row_of_trees(number: int) -> Image.Image:
    """The mask of one picture: trees before grass, soil and sky; some with fruit."""
    rng = np.random.default_rng(number)
    height, width = SIDES
    mask = Image.new("L", (width, height), 50)
    draw = ImageDraw.Draw(mask)
    horizon = int(rng.integers(18, 26))
    draw.rectangle((0, horizon, width, height), fill=40)
    draw.polygon([(20, height), (30, horizon), (36, horizon), (48, height)], fill=10)
    for middle in rng.choice(np.arange(6, width - 6, 9), 4, replace=False).tolist():
        foot = horizon + int(rng.integers(6, 16))
        draw.rectangle((middle - 1, foot - 14, middle + 1, foot), fill=20)
        draw.ellipse((middle - 7, foot - 24, middle + 7, foot - 10), fill=30)
        if number % 2:
            for across, up in rng.integers(-4, 5, (3, 2)).tolist():
                left, top = middle + across, foot - 17 + up
                draw.rectangle((left, top, left + 1, top + 1), fill=90)
    draw.rectangle((0, 0, 5, 3), fill=NOT_ANNOTATED)
    if number == 7:
        draw.rectangle((30, 8, 37, 12), fill=UNSURE)
    return mask


def _painted(mask: np.ndarray, number: int) -> np.ndarray:
    """A picture of a mask: each class in its colour, with noise."""
    rng = np.random.default_rng(100 + number)
    image = np.full((*mask.shape, 3), 128.0)
    for value, (_, colour) in CLASSES.items():
        image[mask == value] = colour
    return (image + rng.normal(0, 8, image.shape)).clip(0, 255).astype(np.uint8)


def _encoded(pixels: np.ndarray, form: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form)
    return buffer.getvalue()
