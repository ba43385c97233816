"""Switch the branches of ASPP off, one by one, and see what a trained network still makes of it.

`draw` is the picture for one setting of the switches, `strip` shows each switch off in turn, and
`explore` shows the strip or, on request, puts `draw` behind buttons.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from itertools import compress

import numpy as np
import torch
from matplotlib.figure import Figure

from deeplab.data.colours import label_colours
from deeplab.evaluation.metrics import confusion_matrix, mean_iou
from deeplab.figures.plots import (class_legend, classes_by_area, figure, house_style, picture,
                                   png, show)
from deeplab.figures.run import error_map
from deeplab.model.aspp import ASPP
from deeplab.model.network import DeepLabV3
from deeplab.runs.experiment import Experiment
from deeplab.support.errors import UsageError


def branch_names(aspp: ASPP) -> list[str]:
    """Names of the branches, in the order in which they are concatenated."""
    rates = [branch[0].dilation[0] for branch in aspp.atrous]
    return ["1x1", *(f"rate {rate}" for rate in rates), "image"]


@contextlib.contextmanager
def mixed(aspp: ASPP, on: Sequence[bool]) -> Iterator[None]:
    """Inside, the branches that are not `on` reach the projection as zeros.

    Raises `UsageError` (E-INPUT) unless there is one switch per branch.
    """
    if len(on) != len(branch_names(aspp)):
        raise UsageError.of("E-INPUT", "the mixer needs one switch per branch", found=len(on),
                            expected=f"{len(branch_names(aspp))}: {', '.join(branch_names(aspp))}")
    projection = aspp.project[0]
    channels = projection.in_channels // len(on)  # of one branch
    gains = torch.tensor(on, dtype=torch.float32).repeat_interleave(channels)
    hook = projection.register_forward_pre_hook(
        lambda _, inputs: (inputs[0] * gains.to(inputs[0].device)[:, None, None],))
    try:
        yield
    finally:
        hook.remove()


def one_off(count: int) -> list[tuple[bool, ...]]:
    """All on, then each of `count` switches off alone."""
    return [(True,) * count] + [tuple(index != off for index in range(count))
                                for off in range(count)]


def mixed_prediction(experiment: Experiment, model: DeepLabV3, number: int,
                     on: Sequence[bool]) -> tuple[np.ndarray, float]:
    """The prediction (H, W) for evaluation image `number`, and its own mIoU in per cent."""
    with mixed(model.aspp, on):
        prediction = experiment.predict(model, number)
    label = experiment.eval_set[number][1]
    return prediction, mean_iou(confusion_matrix(
        prediction, label, num_classes=experiment.config.row.num_classes))


@house_style
def draw(experiment: Experiment, model: DeepLabV3, *, number: int, on: Sequence[bool]) -> Figure:
    """Evaluation image `number`: label, prediction with the branches that are `on`, its errors."""
    image, label = experiment.eval_set[number]
    label_set = experiment.config.label_set
    prediction, miou = mixed_prediction(experiment, model, number, on)
    _, best = mixed_prediction(experiment, model, number, [True] * len(on))
    change = "all branches on" if all(on) else f"{miou - best:+.1f} points"
    fig = figure(2.6)
    axes = fig.subplots(1, 4)
    picture(axes[0], image, f"image {number}")
    picture(axes[1], label_colours(label, label_set), "label")
    picture(axes[2], label_colours(prediction, label_set), f"{miou:.1f} % mIoU")
    picture(axes[3], error_map(label, prediction), change)
    class_legend(fig, classes_by_area([label, prediction], label_set), label_set)
    return fig


@house_style
def strip(experiment: Experiment, model: DeepLabV3, *, number: int) -> Figure:
    """The same image with all branches on and with each of them off: what `explore` can show."""
    label, label_set = experiment.eval_set[number][1], experiment.config.label_set
    names = branch_names(model.aspp)
    fig = figure(3.9)
    axes = fig.subplots(2, 4).ravel()
    picture(axes[0], experiment.eval_set[number][0], f"image {number}")
    picture(axes[1], label_colours(label, label_set), "label")
    shown = [label]
    for ax, on in zip(axes[2:], one_off(len(names)), strict=True):
        prediction, miou = mixed_prediction(experiment, model, number, on)
        off = next(compress(names, (not is_on for is_on in on)), None)
        picture(ax, label_colours(prediction, label_set),
                f"{f'without {off}' if off else 'all five branches'}: {miou:.0f} %")
        shown.append(prediction)
    class_legend(fig, classes_by_area(shown, label_set), label_set)
    return fig


def explore(experiment: Experiment, model: DeepLabV3, *, number: int = 0,
            interactive: bool = False) -> None:
    """Five switches and an image chooser around `draw`; without them, the strip.

    The strip is also what readers without a kernel or without ipywidgets see.
    """
    if interactive and find_spec("ipywidgets"):
        _switches(experiment, model, number)
        return
    names = ", ".join(branch_names(model.aspp))
    show(strip(experiment, model, number=number),
         alt=f"Image {number}, its label, the prediction, and that without each of: {names}.")
    if interactive:
        print("There are no switches without ipywidgets: pip install ipywidgets")


def _switches(experiment: Experiment, model: DeepLabV3, number: int) -> None:
    """One button per branch, a slider for the image, and the picture that they ask for."""
    from IPython.display import display
    from ipywidgets import HBox, Image, IntSlider, ToggleButton, VBox

    buttons = [ToggleButton(value=True, description=name) for name in branch_names(model.aspp)]
    chooser = IntSlider(number, 0, len(experiment.eval_set) - 1, description="image",
                        continuous_update=False)
    shown = Image(format="png")

    def redraw(_: object = None) -> None:
        on = [button.value for button in buttons]
        shown.value = png(draw(experiment, model, number=chooser.value, on=on))

    for control in (*buttons, chooser):
        control.observe(redraw, names="value")
    redraw()
    display(VBox([HBox(buttons), chooser, shown]))
