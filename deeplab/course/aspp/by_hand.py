"""How a pyramid that somebody wrote differs from the package's: names, layers, values.

The questions are asked in this order, so that the first answer is the one to mend: a layer that
is missing cannot have the wrong rate, and a wrong rate makes wrong values.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from deeplab.model.aspp import ASPP


def key_mistake(mine: nn.Module, aspp: ASPP) -> str | None:
    """The first key or shape in which the weights of `mine` are not those of `aspp`."""
    got, wanted = mine.state_dict(), aspp.state_dict()
    missing = [key for key in wanted if key not in got]
    extra = [key for key in got if key not in wanted]
    biases = [key for key in extra if key.endswith(".0.bias")]
    if biases:
        return (f"{biases[0]}: these convolutions have no bias (`bias=False`); BatchNorm, which "
                "follows, shifts.")
    if missing:
        return (f"The trained weights have {missing[0]}, your pyramid has not"
                + (f"; it has {extra[0]}" if extra else "")
                + f". {len(missing)} keys are missing, {len(extra)} too many: print both "
                "state_dict()s side by side.")
    if extra:
        return f"{extra[0]} is a weight that the trained pyramid does not have."
    wrong = next((key for key in wanted if got[key].shape != wanted[key].shape), None)
    if wrong is None:
        return None
    return (f"{wrong} has shape {tuple(got[wrong].shape)}, the trained one "
            f"{tuple(wanted[wrong].shape)}: (channels out, channels in, rows, columns).")


def layer_mistake(mine: nn.Module, aspp: ASPP) -> str | None:
    """The first convolution whose rate, padding or stride is not that of `aspp`."""
    for name, wanted in aspp.named_modules():
        if not isinstance(wanted, nn.Conv2d):
            continue
        got = mine.get_submodule(name)  # something with the same weights, mostly an nn.Conv2d
        if not isinstance(got, nn.Conv2d):
            continue
        rate, side = wanted.dilation[0], wanted.kernel_size[0]
        if got.dilation != wanted.dilation:
            return (f"{name} has rate {got.dilation[0]}, expected {rate}. No weight tells a rate, "
                    "so that any would load.")
        if got.padding != wanted.padding:
            return (f"{name} is padded by {got.padding}: a {side}x{side} kernel of rate {rate} "
                    "would change the size of the map. How many cells lie between its middle tap "
                    "and its outer ones?")
    return None


def value_mistake(got: Tensor, aspp: ASPP, x: Tensor) -> str | None:
    """Why the map `got` is not `aspp(x)`, the names and the rates being right."""
    wanted = aspp(x)
    if got.shape != wanted.shape:
        return (f"A map {tuple(x.shape)} gives {tuple(wanted.shape)}; yours gives "
                f"{tuple(got.shape)}.")
    for sentence, map_of_it in _variants(aspp, x):
        if torch.allclose(got, map_of_it, atol=1e-5):
            return sentence
    return (None if torch.allclose(got, wanted, atol=1e-5) else
            "All weights are in their places, and the map differs. Compare branch by branch with "
            "the trained pyramid's own: `aspp.point(x)`, `aspp.atrous[0](x)`, ...")


def _variants(aspp: ASPP, x: Tensor) -> Iterator[tuple[str, Tensor]]:
    """The usual mistakes, each with the map that it makes."""
    point, *rates, image = branches = [
        aspp.point(x), *(branch(x) for branch in aspp.atrous), aspp.image_features(x)]
    bare = [aspp.point[:2](x), *(branch[:2](x) for branch in aspp.atrous),
            aspp.image_pooling[:2](x.mean((2, 3), keepdim=True)).expand_as(image)]
    together = torch.cat(branches, 1)
    yield ("The image-level branch stands first; these weights were trained with it last.",
           aspp.project(torch.cat([image, point, *rates], 1)))
    yield ("The rates stand in falling order; these weights were trained with rising ones.",
           aspp.project(torch.cat([point, *rates[::-1], image], 1)))
    yield "The projection ends without ReLU.", aspp.project[:2](together)
    yield "The branches end without ReLU.", aspp.project(torch.cat(bare, 1))
    yield ("The image-level branch ends without ReLU.",
           aspp.project(torch.cat([*branches[:-1], bare[-1]], 1)))
    yield ("The image-level branch is taken cell by cell, as a second 1x1 branch. Where is the "
           "mean of the whole map?", aspp.project(torch.cat([*branches[:-1],
                                                             aspp.image_pooling(x)], 1)))
