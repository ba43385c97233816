"""From a network to a score: whole image, sliding window, several scales, mirrored.

`model` is called with an image (N, 3, H, W) and returns an object whose `main` is the logits
(N, K, h, w). Upstream: ssseg/test.py and ssseg/modules/models/segmentors/base/base.py.
"""

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deeplab.evaluation.metrics import Evaluation, class_counts, confusion_matrix
from deeplab.evaluation.upsample import predicted_tiles, upsampled, upsampled_argmax
from deeplab.support.cuda import cuda_mode
from deeplab.support.errors import UsageError
from deeplab.support.void import IGNORE_INDEX

GPU_THREADS = 4  # that decode images beside a GPU; a CPU, which they would slow down, has one


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


def augmented(predict: Callable[[Tensor], Tensor], image: Tensor, *,
              scales: Sequence[float] = (1.0,), flip: bool = False) -> list[Tensor]:
    """The outputs of `predict` for the image at each scale and, with `flip`, also mirrored.

    Sizes are rounded down; mirrored outputs are mirrored back. Each output keeps its own
    resolution; `upsampled_mean` and `upsampled_argmax` average them (Sec. 4.1 uses scales
    0.5 to 1.75 and flips; no row of the published table does).
    """
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
class Inference:
    """How an image becomes logits: whole or in windows, at which scales, also mirrored or not.

    `window` and `stride` are (height, width) in pixels and count for mode "slide" only. Raises
    `UsageError` when it is made: E-INFERENCE for an unknown mode or sliding without a window,
    E-WINDOW for a stride that would leave gaps, E-SCALES unless all scales are above 0.
    """

    mode: str = "whole"  # or "slide"
    window: tuple[int, int] | None = None
    stride: tuple[int, int] | None = None
    scales: Sequence[float] = (1.0,)
    flip: bool = False

    def __post_init__(self) -> None:
        if self.mode not in ("whole", "slide"):
            raise UsageError.of("E-INFERENCE", "there is no such inference mode",
                                found=repr(self.mode), expected="'whole' or 'slide'")
        if self.mode == "slide" and (self.window is None or self.stride is None):
            raise UsageError.of("E-INFERENCE", "sliding needs a window and a stride",
                                found=f"window={self.window}, stride={self.stride}",
                                expected="two pairs (height, width) in pixels")
        for window, stride in zip(self.window or (), self.stride or (), strict=False):
            window_slices(window, window=window, stride=stride)  # refuses gaps
        if not self.scales or min(self.scales) <= 0:
            raise UsageError.of("E-SCALES", "an image cannot be resampled to these scales",
                                found=tuple(self.scales), expected="one or more factors above 0")

    def outputs(self, model: Callable, image: Tensor) -> list[Tensor]:
        """Outputs (N, K, h, w) for an image (N, 3, H, W), one for each scale and mirroring."""
        look = partial(whole_inference, model) if self.mode == "whole" else partial(
            slide_inference, model, window=self.window, stride=self.stride)
        return augmented(look, image, scales=self.scales, flip=self.flip)


def evaluate(model: nn.Module, dataset: Sequence, *, transform: Callable[[np.ndarray], Tensor],
             num_classes: int, inference: Inference = Inference(),
             autocast: torch.dtype | None = None, indices: Iterable[int] | None = None,
             progress: Callable[[int, int], None] | None = None) -> Evaluation:
    """Score `model` on `dataset` at the labels' own resolution, one image at a time.

    `dataset[i]` is (image uint8 (H, W, 3), label uint8 (H, W)); `transform` makes of an image
    the float (3, h, w) that the network sees, on the device of its weights. `indices` picks
    images (default: all, e.g. for one process of several). `autocast` is the type of mixed
    precision, None for float32; `progress` is called with (images done, images in all). The
    random state and the mode of every layer are left as they were.
    """
    indices, device = list(range(len(dataset)) if indices is None else indices), _device(model)
    confusion = torch.zeros(num_classes, num_classes, dtype=torch.int64)
    image_counts, start = [], time.perf_counter()
    with _evaluating(model), torch.inference_mode():
        threads = 1 if device.type == "cpu" else GPU_THREADS
        for image, label in _loaded(dataset, transform, indices, threads):
            with torch.autocast(device.type, dtype=autocast, enabled=autocast is not None):
                outputs = inference.outputs(model, image[None].to(device))
            counts = _counted(outputs, torch.tensor(label), num_classes)
            confusion += counts
            image_counts.append(class_counts(counts))
            if progress is not None:
                progress(len(image_counts), len(indices))
    counted = torch.stack(image_counts) if image_counts else torch.zeros(0, 3, num_classes).long()
    return Evaluation(confusion, indices, counted, time.perf_counter() - start)


def _counted(outputs: list[Tensor], label: Tensor, num_classes: int) -> Tensor:
    """The confusion matrix of one image, int64 (K, K); its prediction is never held whole."""
    label = label.to(outputs[0].device)
    counts = torch.zeros(num_classes, num_classes, dtype=torch.int64, device=label.device)
    for window, prediction in predicted_tiles(outputs, *label.shape):
        counts += confusion_matrix(prediction[0], label[window], num_classes=num_classes,
                                   ignore_index=IGNORE_INDEX)
    return counts.cpu()


def predict(model: nn.Module, image: Tensor, *, height: int, width: int,
            inference: Inference = Inference()) -> np.ndarray:
    """The prediction for one transformed image (3, h, w), uint8 (height, width)."""
    with _evaluating(model), torch.inference_mode():
        outputs = inference.outputs(model, image[None].to(_device(model)))
        return upsampled_argmax(outputs, height, width)[0].cpu().numpy().astype(np.uint8)


def _device(model: nn.Module) -> torch.device:
    """Where the model's weights lie; a fused network has buffers only."""
    return next(chain(model.parameters(), model.buffers())).device


@contextlib.contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode inside; afterwards each layer is back in its own mode, frozen BatchNorm too."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with cuda_mode(training=False):
            yield
    finally:
        for module, training in modes:
            module.training = training


def _loaded(dataset: Sequence, transform: Callable, indices: list[int],
            threads: int) -> Iterator[tuple]:
    """Each (transformed image, label); `threads` threads decode the next ones meanwhile."""

    def load(index: int) -> tuple[Tensor, np.ndarray]:
        image, label = dataset[index]
        return transform(image), label

    with ThreadPoolExecutor(max_workers=threads) as pool:
        coming: deque[Future] = deque()
        for index in indices:
            coming.append(pool.submit(load, index))
            if len(coming) > threads:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
