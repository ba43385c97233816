"""Pictures of lesson 10: one image in several ways, windows, borders, reliability."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from deeplab.course.inference.calibration import Reliability
from deeplab.course.inference.trimap import border_band
from deeplab.course.quick import demo_experiment, trained_demo_model
from deeplab.data.augment import EvalTransform
from deeplab.data.colours import label_colours
from deeplab.data.labelset import LabelSet
from deeplab.evaluation.inference import Inference, predict, window_slices
from deeplab.figures.plots import (BLUE, GREY, LINES, ORANGE, figure, finish, house_style, note,
                                   row_of, side_by_side, subplots)
from deeplab.model.network import DeepLabV3, build_model

ROW, STEPS = "voc_r50_d16", 340
STREET = 0  # of the drawn VOC's val split: a person, a car, a bus, a motorbike and a bicycle
SCALES = (0.75, 1.0, 1.25)
MARKS = ("o-", "s--", "^:")


def finer(model: DeepLabV3, output_stride: int = 8) -> DeepLabV3:
    """The same weights in a demo network of another output stride, in eval mode."""
    row = replace(demo_experiment(ROW).config.row, output_stride=output_stride)
    network = build_model(row, "demo")
    network.load_state_dict(model.state_dict())
    return network.eval()


def opening() -> Figure:
    """One image, its label, and three predictions with the same weights."""
    experiment, model = demo_experiment(ROW), trained_demo_model(ROW, steps=STEPS)
    image, label = experiment.eval_set[STREET]
    x, fine = EvalTransform(experiment.config.resize)(image), finer(model)
    size = dict(zip(("height", "width"), label.shape, strict=True))
    panels = {"image": image, "label": label,
              "output stride 16": predict(model, x, **size),
              "output stride 8": predict(fine, x, **size),
              "8, scales and flip": predict(fine, x, **size,
                                            inference=Inference(scales=SCALES, flip=True))}
    return side_by_side(panels, experiment.config.label_set, height=2.5)


@house_style
def windows(height: int, width: int, *, window: int, stride: int) -> Figure:
    """How often each pixel of an image is seen by square windows, and where they lie."""
    visits = np.zeros((height, width), int)
    fig, axes = subplots(3.4, width=6.0)
    places = [(rows, columns) for rows in window_slices(height, window=window, stride=stride)
              for columns in window_slices(width, window=window, stride=stride)]
    for index, (rows, columns) in enumerate(places):
        visits[rows, columns] += 1
        inset = 4 * (index + 1)  # so that frames at the same edge can be told apart
        axes.add_patch(Rectangle((columns.start + inset, rows.start + inset), window - 2 * inset,
                                 window - 2 * inset, fill=False, linewidth=2,
                                 edgecolor=LINES[index % len(LINES)]))
    drawn = axes.imshow(visits, cmap="Greys", vmin=0, vmax=2 * visits.max())
    axes.set(xlabel="pixels", ylabel="pixels")
    bar = fig.colorbar(drawn, ax=axes, boundaries=np.arange(0.5, visits.max() + 1),
                       ticks=range(1, visits.max() + 1))
    bar.set_label("windows that see a pixel")
    return fig


@house_style
def scores(paper: Mapping[str, float], demo: Mapping[str, float]) -> Figure:
    """mIoU of the same four ways of inference, of the paper and of the demo, gain by gain."""
    fig = figure(3.0)
    for ax, (title, values), colour in zip(
            fig.subplots(1, 2), (("paper, VOC val", paper), ("demo, drawn val", demo)),
            (GREY, BLUE), strict=True):
        numbers = list(values.values())
        ax.plot(range(len(numbers)), numbers, "o-", color=colour)
        for place, number in enumerate(numbers):
            note(ax, f"{number:.1f}", (place, number), -6, 6, ha="right")
        ax.set(xticks=range(len(numbers)), xticklabels=list(values), ylabel="mIoU, per cent",
               xlim=(-0.6, len(numbers) - 0.6),
               ylim=(min(numbers) - 1, max(numbers) + 1))
        ax.grid(axis="y")
        ax.set_title(title)
    return fig


def bands(image: np.ndarray, label: np.ndarray, widths: Sequence[int],
          label_set: LabelSet) -> Figure:
    """An image uint8 (h, w, 3), its label (h, w), and what bands of these widths keep of it."""
    colours = label_colours(label, label_set)
    return row_of({"image": image, "label": colours, **{
        f"within {width} pixel{'s' * (width > 1)}":
            np.where(border_band(label, width)[..., None], colours, 255)
        for width in widths}}, height=1.9)


@house_style
def band_curves(widths: Sequence[int], values: Mapping[str, Sequence[float]],
                everywhere: Mapping[str, float]) -> Figure:
    """mIoU in the band by its width, one line per network, and dotted on all pixels."""
    fig, axes = subplots(3.0)
    for (name, numbers), colour, mark in zip(values.items(), (BLUE, ORANGE), MARKS, strict=False):
        axes.plot(widths, numbers, mark, color=colour, label=name)
        axes.axhline(everywhere[name], color=colour, linewidth=1, linestyle=":",
                     label=f"{name}, all pixels")
    finish(axes, xlabel="width of the band, pixels", ylabel="mIoU, per cent", xticks=widths,
           ylim=(0, 1.1 * max(everywhere.values())), xlim=(0, None))
    return fig


@house_style
def reliability_diagram(found: Mapping[str, Reliability]) -> Figure:
    """Accuracy by confidence, a line per network, above how many pixels are how sure."""
    fig, (above, below) = subplots(3.8, 2, 1, sharex=True, height_ratios=(3, 1))
    above.plot([0, 1], [0, 1], color=GREY, linewidth=1, label="calibrated")
    for place, ((name, one), colour, mark) in enumerate(
            zip(found.items(), (BLUE, ORANGE), MARKS, strict=False)):
        above.plot(one.confidence, one.accuracy, mark, color=colour, label=name)
        share = 100 * one.count / one.count.sum()
        middle = (np.arange(len(share)) + 0.32 + 0.36 * place) / len(share)
        below.bar(middle, share, 0.34 / len(share), color=colour)
    below.set(xlabel="confidence", ylabel="% of pixels")
    finish(above, ylabel="share right", ylim=(0, 1), xlim=(0, 1), grid="both")
    return fig
