"""Pictures of lesson 6: an image on its way, what the pieces cost, weights at wrong rates."""

from collections.abc import Mapping

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from deeplab.course.model.layer_costs import Piece
from deeplab.course.quick import demo_experiment, trained_demo_model
from deeplab.data.augment import EvalTransform
from deeplab.evaluation.upsample import upsampled_argmax
from deeplab.figures.plots import (BLUE, GREEN, ORANGE, RED, SKY, class_legend, figure, house_style,
                                   pictures_in_a_row)

ROW, STEPS = "voc_r50_d16", 340  # the network that comes with the package
OPENING_IMAGE = 1  # of the drawn VOC's val split: a person in front of a train
COLOURS = {"stem": SKY, "conv": BLUE, "ASPP": ORANGE, "classifier": GREEN, "auxiliary": RED}


@house_style
def opening() -> Figure:
    """One drawn street on its way through a trained demo network, and the shape at each stop."""
    experiment, model = demo_experiment(ROW), trained_demo_model(ROW, steps=STEPS)
    label_set = experiment.config.label_set
    image, _ = experiment.eval_set[OPENING_IMAGE]
    with torch.inference_mode():
        stages = model.backbone(EvalTransform(experiment.config.resize)(image)[None])
        pyramid = model.aspp(stages.conv5)
        logits = model.classifier(pyramid)
    prediction = upsampled_argmax(logits, *image.shape[:2])[0].numpy()
    cells = logits[0].argmax(0).numpy()
    stops = [("image", image, (3, *image.shape[:2])),
             *((name, as_colours(value[0]), value.shape[1:])
               for name, value in (*stages._asdict().items(), ("aspp", pyramid))),
             ("logits, best class", cells, logits.shape[1:]),
             ("prediction", prediction, prediction.shape)]
    fig = figure(4.6)
    pictures_in_a_row(fig.subplots(2, 4).flat, {
        f"{name}\n{' x '.join(map(str, shape))}": pixels for name, pixels, shape in stops},
        label_set)
    class_legend(fig, [prediction], label_set)
    return fig


def as_colours(features: Tensor) -> np.ndarray:
    """A map (C, h, w) as colours, uint8 (h, w, 3): its three strongest directions as RGB.

    Cells of one colour have alike features; the colours themselves mean nothing.
    """
    height, width = features.shape[1:]
    cells = features.flatten(1).T.double()  # (h w, C)
    cells = cells - cells.mean(0)
    _, _, directions = torch.linalg.svd(cells, full_matrices=False)
    values = cells @ directions[:3].T
    low, high = values.quantile(0.02, 0), values.quantile(0.98, 0)
    scaled = ((values - low) / (high - low)).nan_to_num().clamp(0, 1)  # 0/0: all cells alike
    return (255 * scaled).byte().view(height, width, 3).numpy()


@house_style
def piece_bars(found: Mapping[str, Piece]) -> Figure:
    """For each piece: its parameters, how often an image uses each weight, the product."""
    names = list(found)
    colours = [next(COLOURS[key] for key in COLOURS if name.startswith(key)) for name in names]
    fig = figure(3.9)
    columns = (("parameters, millions", [one.parameters / 1e6 for one in found.values()], "%.3g"),
               ("uses of a weight per image", [one.uses for one in found.values()], "%d"),
               ("multiply-adds, billions", [one.macs / 1e9 for one in found.values()], "%.3g"))
    for ax, (text, values, form) in zip(fig.subplots(1, 3, sharey=True), columns, strict=True):
        bars = ax.barh(names, values, color=colours)
        ax.bar_label(bars, fmt=form, padding=3)
        ax.set(xlabel=text, xlim=(0, 1.3 * max(values)))
        ax.tick_params(axis="y", length=0)
        ax.locator_params(axis="x", nbins=4)
    ax.invert_yaxis()
    return fig
