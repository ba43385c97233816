"""The workshop of lesson 10: looks at an image by hand, right and in the usual wrong ways."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

VIEW, SIZE = (40, 52), (60, 78)  # what the network sees, and the image itself: height, width
MAP = (10, 13)  # cells that the small network gives for the view
SCALES = (0.75, 1.0, 1.5)
BILINEAR = {"mode": "bilinear", "align_corners": False}


class SmallNetwork(nn.Module):
    """Five classes on every fourth cell of an image; it sees left and right differently."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            self.layer = nn.Conv2d(3, 5, 5, stride=4, padding=2)

    def forward(self, image: Tensor) -> SimpleNamespace:
        """Logits `main` (N, 5, h, w) of an image (N, 3, H, W)."""
        return SimpleNamespace(main=4 * self.layer(image))


def view() -> Tensor:
    """A smooth image (1, 3, 40, 52) as a network sees it."""
    generator = torch.Generator().manual_seed(0)
    return F.interpolate(torch.randn(1, 3, 10, 13, generator=generator), VIEW, mode="bicubic")


def several_looks(model: nn.Module, image: Tensor, *, scales: Sequence[float], flip: bool,
                  resize: Sequence[Mapping[str, Any]] = (BILINEAR, BILINEAR),
                  of_size: tuple[int, int] | None = None, softmax: bool = False,
                  turned_back: bool = True, first_to: tuple[int, int] | None = None) -> Tensor:
    """Logits (looks, K, *SIZE) of the looks that `flip` and `scales` ask for, upsampled.

    The arguments from `resize` on make usual mistakes: another interpolation of image or
    output, scales of another size than the image's (its own, rounded, is as good), probabilities,
    mirrored outputs that are left mirrored, maps that are first resized to something else.
    """
    outputs = []
    for scale in scales:
        size = of_size and [int(scale * side) for side in of_size]
        seen = F.interpolate(image, size, None if size else scale, **resize[0])
        for is_mirrored in (False, True)[:1 + flip]:
            output = model(seen.flip(-1) if is_mirrored else seen).main
            output = output.flip(-1) if is_mirrored and turned_back else output
            output = output.softmax(1) if softmax else output
            for target in filter(None, (first_to, SIZE)):
                output = F.interpolate(output, target, **resize[1])
            outputs.append(output)
    return torch.cat(outputs)


def mistakes(looks: Callable[..., Tensor], flip: bool) -> Iterator[tuple[Tensor, str]]:
    """Mean logits that usual mistakes lead to, and what to say of them.

    `looks` is `several_looks` with its arguments up to `flip`.
    """
    def mean(**changes: Any) -> Tensor:
        return looks(**changes).mean(0, keepdim=True)

    yield looks().sum(0, keepdim=True), "that is the sum; divide by the number of looks."
    yield looks().amax(0, keepdim=True), "that is the largest of the looks; take their mean."
    yield (mean(softmax=True), "you averaged probabilities. Logits are asked for: they still "
                               "tell by how much a look prefers a class.")
    yield (mean(turned_back=False), "a mirrored output is still mirrored; turn it back before "
                                    "it is added.")
    yield (mean().softmax(1), "you took the softmax at the end. Logits are asked for: they still "
                              "tell by how much a class is preferred.")
    yield (2 * mean() if flip else None, "you divided by the number of scales; with flip there are "
                                         "two looks at each.")
    yield mean(flip=not flip), ("the mirrored looks are missing." if flip else
                                "with flip=False nothing is mirrored.")
    yield (looks()[1::2].mean(0, keepdim=True) if flip else None,
           "the plain looks are missing: only the mirrored ones are in this mean.")
    yield looks()[-1:], "that is the last look alone; collect them all, then take the mean."
    yield (mean(resize=[BILINEAR | {"align_corners": True}] * 2),
           "`align_corners=True` puts the outermost centres on the rim of the image; the "
           "package, and training, keep False.")
    nearest = {"mode": "nearest"}
    for pair in ((nearest, nearest), (nearest, BILINEAR), (BILINEAR, nearest)):
        yield (mean(resize=pair),
               "that is nearest neighbour; interpolate with mode=\"bilinear\".")
    yield (mean(of_size=SIZE), "the image is scaled from its own size; (height, width) is what the "
                               "answers are brought to.")
    yield (mean(first_to=MAP), "you brought all maps to the size of one of them first. Each goes "
                               "straight to (height, width): two interpolations blur more.")
    yield (mean(first_to=VIEW), "each output was first brought to the size of what the network "
                                "sees; go straight to (height, width).")
