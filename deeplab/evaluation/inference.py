"""From a network to a score: whole image, sliding window, several scales, mirrored.

`model` is called with an image (N, 3, H, W) and returns an object whose `main` is the logits
(N, K, h, w). Upstream: ssseg/test.py and ssseg/modules/models/segmentors/base/base.py.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deeplab.evaluation.metrics import class_iou, confusion_matrix, mean_iou
from deeplab.evaluation.upsample import predicted_tiles, upsampled, upsampled_argmax
from deeplab.support.errors import UsageError
from deeplab.support.void import IGNORE_INDEX

Predict = Callable[[Tensor], Tensor]


def whole_inference(model: Callable, image: Tensor, *, probabilities: bool = False) -> Tensor:
    """Logits of the whole image at once, (N, K, h, w) at feature resolution (Sec. 4.1).

    With `probabilities` the softmax is taken here, before anything is resized.
    """
    logits = model(image).main.float()
    return logits.softmax(1) if probabilities else logits


def slide_inference(model: Callable, image: Tensor, *, window: tuple[int, int],
                    stride: tuple[int, int], probabilities: bool = True) -> Tensor:
    """Mean over overlapping windows, (N, K, H, W) at image resolution.

    `window` and `stride` are (height, width) in pixels. Each window's logits are upsampled to
    the window and, with `probabilities`, softmaxed; a pixel gets the mean over the windows
    that see it. Raises `UsageError` (E-WINDOW) for a stride that would leave gaps.
    """
    height, width = image.shape[-2:]
    total, visits = None, image.new_zeros(height, width)
    for rows in window_slices(height, window=window[0], stride=stride[0]):
        for columns in window_slices(width, window=window[1], stride=stride[1]):
            view = image[..., rows, columns]
            output = upsampled(model(view).main.float(), *view.shape[-2:])
            if total is None:
                total = output.new_zeros(*output.shape[:2], height, width)
            total[..., rows, columns] += output.softmax(1) if probabilities else output
            visits[rows, columns] += 1
    return total / visits


def window_slices(length: int, *, window: int, stride: int) -> list[slice]:
    """Where the windows lie along an axis of `length` pixels.

    The last window is shifted back to end with the image, and a window longer than the
    image is cut to it.

    >>> window_slices(520, window=480, stride=320)
    [slice(0, 480, None), slice(40, 520, None)]
    """
    if not 0 < stride <= window:
        raise UsageError.of("E-WINDOW", "windows would leave gaps between them",
                            found=f"window {window}, stride {stride}",
                            expected="0 < stride <= window")
    window = min(window, length)
    count = -(-(length - window) // stride) + 1
    starts = (min(index * stride, length - window) for index in range(count))
    return [slice(start, start + window) for start in starts]


def augmented(predict: Predict, image: Tensor, *, scales: Sequence[float] = (1.0,),
              flip: bool = False) -> list[Tensor]:
    """The outputs of `predict` for the image at each scale and, with `flip`, also mirrored.

    Sizes are rounded down; mirrored outputs are mirrored back. Each output keeps its own
    resolution; `upsampled_mean` and `upsampled_argmax` average them (Sec. 4.1 uses scales
    0.5 to 1.75 and flips; no row of the published table does). Raises `UsageError` (E-SCALES)
    unless there is a scale and all are positive.
    """
    if not scales or min(scales) <= 0:
        raise UsageError.of("E-SCALES", "an image cannot be resampled to these scales",
                            found=tuple(scales), expected="one or more factors above 0")
    outputs = []
    for scale in scales:
        # the factor, not the rounded size, sets the sampling grid, as in ssseg
        view = image if scale == 1 else F.interpolate(
            image, scale_factor=scale, mode="bilinear", align_corners=False)
        outputs.append(predict(view))
        if flip:
            outputs.append(predict(view.flip(-1)).flip(-1))
    return outputs


@dataclass(frozen=True)
class Evaluation:
    """What one pass over a dataset found."""

    confusion: Tensor  # int64 (K, K), rows truth, columns prediction
    indices: list[int]  # of the images in the dataset, in the order they were scored
    image_mious: list[float]  # per cent, image by image; NaN where every pixel is ignored
    seconds: float  # wall time of the pass

    @property
    def num_images(self) -> int:
        """Images scored."""
        return len(self.indices)

    @property
    def class_iou(self) -> Tensor:
        """IoU of each class over the whole set, float64 (K,) in [0, 1]; NaN if absent."""
        return class_iou(self.confusion)

    @property
    def mean_iou(self) -> float:
        """mIoU in per cent over the whole set: not the mean of `image_mious`."""
        return mean_iou(self.confusion)


def evaluate(model: nn.Module, dataset: Sequence, *, transform: Callable[[np.ndarray], Tensor],
             num_classes: int, inference: str = "whole", window: tuple[int, int] | None = None,
             stride: tuple[int, int] | None = None, scales: Sequence[float] = (1.0,),
             flip: bool = False, device: torch.device | str = "cpu",
             autocast: torch.dtype | None = None, indices: Iterable[int] | None = None,
             progress: Callable[[int, int], None] | None = None) -> Evaluation:
    """Score `model` on `dataset` at the labels' own resolution, one image at a time.

    `dataset[i]` is (image uint8 (H, W, 3), label uint8 (H, W)); `transform` makes of an image
    the float (3, h, w) that the network sees. `indices` picks images (default: all, e.g. for
    one process of several). `autocast` is the type of mixed precision, None for float32;
    `progress` is called with (images done, images in all). The random state and the mode of
    every layer are left as they were. Raises `UsageError` (E-INFERENCE) for an unknown mode.
    """
    indices = list(range(len(dataset)) if indices is None else indices)
    predict = _predictor(model, inference=inference, window=window, stride=stride)
    confusion = torch.zeros(num_classes, num_classes, dtype=torch.int64)
    image_mious, device, start = [], torch.device(device), time.perf_counter()
    with _evaluating(model), torch.inference_mode():
        for image, label in _loaded(dataset, transform, indices):
            with torch.autocast(device.type, dtype=autocast, enabled=autocast is not None):
                outputs = augmented(predict, image[None].to(device), scales=scales, flip=flip)
            counts = _counted(outputs, torch.tensor(label), num_classes)
            confusion += counts
            image_mious.append(mean_iou(counts))
            if progress is not None:
                progress(len(image_mious), len(indices))
    return Evaluation(confusion, indices, image_mious, time.perf_counter() - start)


def _counted(outputs: list[Tensor], label: Tensor, num_classes: int) -> Tensor:
    """The confusion matrix of one image, int64 (K, K); its prediction is never held whole."""
    label = label.to(outputs[0].device)
    counts = torch.zeros(num_classes, num_classes, dtype=torch.int64, device=label.device)
    for window, prediction in predicted_tiles(outputs, *label.shape):
        counts += confusion_matrix(prediction[0], label[window], num_classes=num_classes,
                                   ignore_index=IGNORE_INDEX)
    return counts.cpu()


def predict(model: nn.Module, image: Tensor, *, height: int, width: int,
            inference: str = "whole", window: tuple[int, int] | None = None,
            stride: tuple[int, int] | None = None,
            device: torch.device | str = "cpu") -> np.ndarray:
    """The prediction for one transformed image (3, h, w), uint8 (height, width).

    `inference`, `window` and `stride` as for `evaluate`, whose predictions these are.
    """
    predictor = _predictor(model, inference=inference, window=window, stride=stride)
    with _evaluating(model), torch.inference_mode():
        output = predictor(image[None].to(device))
        return upsampled_argmax(output, height, width)[0].cpu().numpy().astype(np.uint8)


def _predictor(model: nn.Module, *, inference: str, window: tuple[int, int] | None,
               stride: tuple[int, int] | None) -> Predict:
    """The function image -> output of an inference mode of the table."""
    if inference == "whole":
        return partial(whole_inference, model)
    if inference != "slide":
        raise UsageError.of("E-INFERENCE", "there is no such inference mode",
                            found=repr(inference), expected="'whole' or 'slide'")
    if window is None or stride is None:
        raise UsageError.of("E-INFERENCE", "sliding needs a window and a stride",
                            found=f"window={window}, stride={stride}",
                            expected="two pairs (height, width) in pixels")
    return partial(slide_inference, model, window=window, stride=stride)


@contextlib.contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode inside; afterwards each layer is back in its own mode, frozen BatchNorm too."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def _loaded(dataset: Sequence, transform: Callable, indices: list[int]) -> Iterator[tuple]:
    """Each (transformed image, label), the next one being decoded while this one is used."""

    def load(index: int) -> tuple[Tensor, np.ndarray]:
        image, label = dataset[index]
        return transform(image), label

    with ThreadPoolExecutor(max_workers=1) as pool:
        futures = (pool.submit(load, index) for index in indices)
        current = next(futures, None)
        while current is not None:
            following = next(futures, None)
            yield current.result()
            current = following
