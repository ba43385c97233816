"""Pictures of lesson 7: five label sets, folder trees, resized labels, balance, the pipeline."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from deeplab.data import augment, distortion, resample
from deeplab.data.catalog import DATASETS, SegmentationDataset
from deeplab.data.colours import label_colours
from deeplab.data.labelset import LabelSet
from deeplab.figures.numbers import number_pieces
from deeplab.figures.plots import (BLUE, ORANGE, class_legend, classes_by_area, figure, house_style,
                                   picture, pictures_in_a_row, subplots)
from deeplab.miniature.stamp import STAMP
from deeplab.miniature.twins import miniature
from deeplab.support.plain import figure_text
from deeplab.support.void import IGNORE_INDEX

OPENING_IMAGES = {"voc": 2, "ade20k": 0, "cityscapes": 1, "context": 2, "context59": 2}
RED_RGB, BLACK_RGB = (213, 0, 0), (0, 0, 0)  # of values that were invented
PAPER = "#eeeeee"  # behind pictures that do not fill their panel
Pair = tuple[np.ndarray, np.ndarray]  # image uint8 (H, W, 3) and label (H, W)


@house_style
def opening() -> Figure:
    """A picture of each of the five label sets, drawn, and its label in the set's own colours."""
    fig = figure(2.9)
    axes = fig.subplots(2, len(OPENING_IMAGES), width_ratios=[
        2 if name == "cityscapes" else 4 / 3 for name in OPENING_IMAGES])
    for column, (name, index) in enumerate(OPENING_IMAGES.items()):
        dataset = SegmentationDataset(name, miniature(name), "val")
        image, label = dataset[index]
        picture(axes[0, column], image, f"{name}\n{dataset.label_set.num_classes} classes")
        picture(axes[1, column], label_colours(label, dataset.label_set))
    return fig


def folder_tree(root: Path, *, shown: int = 1, depth: int = 0) -> str:
    """A folder as indented text: its folders, and of its files the first few and their number."""
    lines, indent = [], "  " * depth
    paths = sorted(path for path in root.iterdir() if path.name != STAMP)
    names = [path.name for path in paths if path.is_file()]
    for path in paths:
        if path.is_dir():
            lines += [f"{indent}{path.name}/", folder_tree(path, shown=shown, depth=depth + 1)]
    if len(names) > shown + 2:
        names = [*names[:shown], f"... {len(names)} files"]
    return "\n".join([*lines, *(indent + name for name in names)])


def invented(label: np.ndarray, true: np.ndarray, label_set: LabelSet
             ) -> tuple[np.ndarray, np.ndarray]:
    """Where an interpolated label (H, W) holds no class at all, and where one that is not there.

    `true` is the same label without interpolation, which says what is there.
    """
    no_class = (label >= label_set.num_classes) & (label != IGNORE_INDEX)
    return no_class, ~no_class & ~np.isin(label, np.unique(true))


@house_style
def resized_labels(nearest: np.ndarray, bilinear: np.ndarray, label_set: LabelSet) -> Figure:
    """One label (H, W) enlarged in two ways, and which values the second way has invented."""
    no_class, wrong = invented(bilinear, nearest, label_set)
    fig, axes = subplots(3.4, 1, 3)
    known = np.where(no_class, IGNORE_INDEX, bilinear)
    pictures_in_a_row(axes[:2], {
        f"nearest: {len(classes_by_area([nearest], label_set))} classes": nearest,
        f"bilinear: {len(classes_by_area([known], label_set))} classes": known}, label_set)
    faults = np.full((*bilinear.shape, 3), 235, np.uint8)
    faults[no_class], faults[wrong] = RED_RGB, BLACK_RGB
    picture(axes[2], faults, "invented by bilinear")
    class_legend(fig, [nearest, known], label_set)
    axes[2].legend(handles=[Patch(color=np.array(colour) / 255, label=text) for colour, text in (
        (RED_RGB, "no class"), (BLACK_RGB, "absent class"))], loc="upper right",
        frameon=True, handlelength=1)
    return fig


def counted_shares(dataset: SegmentationDataset) -> np.ndarray:
    """The share of each class among all pixels of a split that are not void, (K,) in [0, 1]."""
    size = dataset.label_set.num_classes
    counts = sum(np.bincount(label.ravel(), minlength=size)[:size] for _, label in dataset)
    return counts / counts.sum()


@house_style
def class_shares(shares: Mapping[str, np.ndarray], label_set: LabelSet) -> Figure:
    """Per cent of the pixels that each class covers, one marker per split, largest first."""
    first = next(iter(shares.values()))
    order = np.argsort(-first, kind="stable")
    fig, axes = subplots(0.22 * len(order) + 1.1)
    for (split, values), colour, mark in zip(shares.items(), (BLUE, ORANGE), "os", strict=True):
        axes.plot(100 * values[order], np.arange(len(order)), mark, color=colour, label=split)
    axes.set(yticks=range(len(order)),
             yticklabels=[figure_text(label_set.classes[index]) for index in order],
             ylim=(len(order) - 0.4, -0.6), xscale="log", xticks=(0.3, 1, 3, 10, 30, 100),
             xlim=(0.2, 130), xlabel="per cent of the pixels that count (logarithmic)",
             xticklabels=("0.3", "1", "3", "10", "30", "100"))
    axes.minorticks_off()
    axes.grid(True)
    axes.legend(loc="lower right")
    return fig


def steps(image: np.ndarray, label: np.ndarray, transform: augment.TrainTransform,
          rng: np.random.Generator) -> dict[str, Pair]:
    """What `transform` makes of a sample, step by step, with the same draws from `rng`.

    `image` is uint8 (H, W, 3) and `label` (H, W). The last image is brought back to bytes
    from the normalised one, so that padding has the colour that 0 stands for.
    """
    found = {"as stored": (image, label)}
    scale = rng.uniform(*transform.scale_range)
    height, width = resample.resized_size(*label.shape, target=transform.target, scale=scale)
    image = resample.resize_image(image, height=height, width=width)
    label = resample.resize_label(label, height=height, width=width)
    found[f"resized, s = {scale:.2f}"] = image, label
    crop = {"height": transform.crop_height, "width": transform.crop_width}
    image, label = augment.random_crop(image, label, **crop, rng=rng)
    found["cropped"] = image, label
    flips = rng.random() < 0.5
    if flips:
        image, label = augment.flip(image, label)
    found["flipped" if flips else "not flipped"] = image, label
    image = distortion.photometric_distortion(image, distortion.draw_distortion(rng))
    found["distorted"] = image, label
    image, label = augment.pad_center(augment.normalize(image), label, **crop)
    found["padded"] = np.round(image * augment.STD + augment.MEAN).astype(np.uint8), label
    return found


@house_style
def pipeline(draws: Sequence[Mapping[str, Pair]], label_set: LabelSet) -> Figure:
    """A picture and its label after each step, one pair of rows per draw, all at one scale."""
    sides = [label.shape for steps in draws for _, label in steps.values()]
    height, width = (max(side[axis] for side in sides) for axis in (0, 1))
    columns = max(map(len, draws))
    fig = figure(2 * len(draws) * (9 / columns * height / width + 0.1) + 0.45 * len(draws) + 0.6)
    grid = fig.subplots(2 * len(draws), columns, squeeze=False)
    for row, steps in enumerate(draws):
        for column, (name, (image, label)) in enumerate(steps.items()):
            rows, cols = label.shape
            place = (width - cols) / 2, (width + cols) / 2, (height + rows) / 2, (height - rows) / 2
            for ax, pixels in ((grid[2 * row, column], image),
                               (grid[2 * row + 1, column], label_colours(label, label_set))):
                ax.imshow(pixels, extent=place)
                ax.set(xlim=(0, width), ylim=(height, 0), xticks=(), yticks=(), facecolor=PAPER)
                ax.spines[:].set_visible(False)
            number_pieces(grid[2 * row + 1, column], label, label_set, left=place[0], top=place[3])
            grid[2 * row, column].set_title(f"{name}\n{rows} x {cols}", loc="center")
    class_legend(fig, [label for steps in draws for _, label in steps.values()], label_set)
    return fig


def meanings(raw_value: int) -> dict[str, str]:
    """What one value in a label file means, for each of the five label sets."""
    def meaning(label_set: LabelSet) -> str:
        train_id = label_set.label_map.get(raw_value)
        if train_id is None:
            return "not allowed"
        return label_set.classes[train_id] if train_id < label_set.num_classes else "ignored"
    return {name: meaning(label_set) for name, label_set in DATASETS.items()}
