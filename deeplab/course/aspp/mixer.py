"""Switch the branches of ASPP off, one by one, and see what a trained network still makes of it.

`draw` is the picture for one setting of the switches, `strip` shows each switch off in turn, and
`explore` shows the strip or, on request, puts `draw` behind buttons.
"""

import contextlib
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from itertools import compress

import numpy as np
import torch
from matplotlib.figure import Figure

from deeplab.course.real_picture import RealPicture
from deeplab.course.switches import show_switches
from deeplab.data.colours import overlay
from deeplab.evaluation.metrics import confusion_matrix, mean_iou
from deeplab.figures.plots import show, side_by_side
from deeplab.figures.run import error_map
from deeplab.model.aspp import ASPP
from deeplab.model.network import DeepLabV3
from deeplab.runs.experiment import Experiment
from deeplab.support.errors import UsageError

HOW = ("Click a branch to switch it off or on; drag the slider for another image. By keyboard: Tab "
       "to a button and Space, or Tab to the slider and the arrow keys. In the errors white is "
       "right, orange wrong and grey void.")
ALL_OFF = "The projection reads zeros, so that every cell gets the same scores."


def branch_names(aspp: ASPP) -> list[str]:
    """Names of the branches, in the order in which they are concatenated."""
    rates = [branch[0].dilation[0] for branch in aspp.atrous]
    return ["1x1", *(f"rate {rate}" for rate in rates), "image-level"]


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


def draw(experiment: Experiment, model: DeepLabV3, *, number: int, on: Sequence[bool],
         best: float | None = None) -> Figure:
    """Evaluation image `number`: label, prediction with the branches that are `on`, its errors.

    `best` is the mIoU with all of them, if it is known already.
    """
    image, label = experiment.eval_set[number]
    label_set = experiment.config.label_set
    prediction, miou = mixed_prediction(experiment, model, number, on)
    if best is None:
        best = mixed_prediction(experiment, model, number, [True] * len(on))[1]
    change = "all branches on" if all(on) else f"{miou - best:+.1f} points"
    return side_by_side({f"image {number}\n": image, "label\n": label,
                         f"prediction\n{miou:.1f} % mIoU": prediction,
                         f"errors\n{change}": error_map(label, prediction)}, label_set, height=2.8)


def strip(experiment: Experiment, model: DeepLabV3, *, number: int) -> Figure:
    """The same image with all branches on and with each of them off: what `explore` can show."""
    image, label = experiment.eval_set[number]
    names, shown = branch_names(model.aspp), {f"image {number}": image, "label": label}
    for on in one_off(len(names)):
        prediction, miou = mixed_prediction(experiment, model, number, on)
        off = next(compress(names, (not is_on for is_on in on)), None)
        title = f"without {off}" if off else "all five branches"
        shown[f"{title}\n{miou:.0f} % mIoU"] = prediction
    return side_by_side(shown, experiment.config.label_set, height=4.4, rows=2)


def photo_strip(found: RealPicture) -> Figure:
    """A photograph labelled by a published network with all branches, and without each of them.

    There is no label to score by; the titles say how much of the picture stays as it was.
    """
    aspp = found.network.model.aspp
    label_set = found.network.config.label_set
    names, shown = branch_names(aspp), {
        "photograph\n": found.image,
        "and its classes\n": overlay(found.image, found.prediction, label_set)}
    for on in one_off(len(names)):
        with mixed(aspp, on):
            prediction = found.network.predict(found.image)
        off = next(compress(names, (not is_on for is_on in on)), None)
        same = 100 * (prediction == found.prediction).mean()
        title = f"without {off}\n{same:.0f} % the same" if off else "all five branches\n"
        shown[title] = prediction
    return side_by_side(shown, label_set, height=4.4, rows=2)


def explore(experiment: Experiment, model: DeepLabV3, *, number: int = 0,
            interactive: bool = False) -> None:
    """The strip, and on request below it five switches and an image chooser around `draw`.

    The strip is a picture of its own, so that it is there after the notebook was saved and
    opened again, without a kernel and without ipywidgets.
    """
    names = ", ".join(branch_names(model.aspp))
    show(strip(experiment, model, number=number),
         alt=f"Image {number}, its label, the prediction, and that without each of: {names}.")
    if not interactive:
        return
    if find_spec("ipywidgets"):
        _switches(experiment, model, number)
    else:
        print("There are no switches without ipywidgets: pip install ipywidgets")


def _switches(experiment: Experiment, model: DeepLabV3, number: int) -> None:
    """One button per branch, a slider for the image, and the picture that they ask for."""
    from ipywidgets import IntSlider, Layout
    names, best = branch_names(model.aspp), {}
    chooser = IntSlider(number, 0, len(experiment.eval_set) - 1, description="image",
                        continuous_update=False, layout=Layout(width="100%", max_width="600px"))

    def drawn(on: dict[str, tuple], number: int) -> tuple[Figure, str]:
        if number not in best:
            best[number] = mixed_prediction(experiment, model, number, [True] * len(names))[1]
        switches = [name in on["branches"] for name in names]
        words = f"Image {number}, on: {', '.join(on['branches']) or 'nothing. ' + ALL_OFF}"
        return draw(experiment, model, number=number, on=switches, best=best[number]), words

    show_switches(HOW, {"branches": names}, chooser, drawn)
