"""Checks of lesson 5: taps inside, branches fused, parameters counted, a pyramid by hand."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from deeplab.course.aspp.by_hand import key_mistake, layer_mistake, value_mistake
from deeplab.course.exercise import exercise, judged
from deeplab.course.quick import trained_demo_model
from deeplab.model.aspp import ASPP
from deeplab.model.atrous import taps_inside
from deeplab.table.row import BASE_RATES


@exercise("5.1", "And at half the map's side it is over.")
def check_share_with_all_nine(attempt: Callable[[int, int], float]) -> Iterator[str | None]:
    """Compare `attempt(side, rate)` with the counts of `taps_inside`."""
    for side, rate in ((65, 1), (65, 12), (33, 16), (32, 16), (32, 18), (20, 40)):
        got = attempt(side, rate)
        wanted = float((taps_inside(side, side, rate=rate) == 9).double().mean())
        if not isinstance(got, (int, float)):
            yield f"Expected one number; got {got!r}."
        yield judged(got, wanted, (
            (got if wanted == 0 < got else None, "No position is left here; a negative number of "
             "them, squared, is not."),
            (wanted ** 0.5, "That is the share along one axis; the map has two."),
            ((1 - rate / side) ** 2,
             "A tap can leave on either side: both ends cost `rate` cells."),
            (wanted * side ** 2, "That is a number of positions; divide by all of them."),
            (100 * wanted, "That is per cent; a share lies between 0 and 1.")),
            "From which cell to which do all three taps of an axis stay inside?",
            case=f"Side {side}, rate {rate}: got {got:.3f}, expected {wanted:.3f}. ")


@exercise("5.2", "Five branches, one after the other in channels, fused into one map.")
def check_fused(attempt: Callable[[ASPP, Tensor], Tensor]) -> str | None:
    """Compare `attempt(aspp, x)` with `aspp(x)` for a small pyramid in eval mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        aspp, x = ASPP(c_in=8, c_out=8, atrous_rates=(1, 2, 3)).eval(), torch.randn(2, 8, 9, 11)
    count = aspp.project[0].in_channels

    def check_channels(_: torch.nn.Module, given: tuple[Tensor]) -> None:
        if given[0].shape[1] != count:
            raise ValueError(f"aspp.project reads {count} channels, five branches of 8 each, and "
                             f"was given {given[0].shape[1]}")

    aspp.project.register_forward_pre_hook(check_channels)
    with torch.inference_mode():
        wanted, called = aspp(x), []
        aspp.forward = lambda given: called.append(given) or wanted
        got = attempt(aspp, x.clone())
        branches = [aspp.point(x), *(branch(x) for branch in aspp.atrous), aspp.image_features(x)]
        image_first = aspp.project(torch.cat([branches[-1], *branches[:-1]], 1))
        reversed_rates = aspp.project(torch.cat([branches[0], *branches[3:0:-1], branches[4]], 1))
    if called:
        return "That calls the pyramid, `aspp(x)`. Build its map from the branches."
    if not isinstance(got, Tensor):
        return f"Expected a map (N, 8, 9, 11); got {got!r}."
    if got.shape == torch.cat(branches, 1).shape:
        return "These are the five branches side by side; `aspp.project` makes one map of them."
    if got.shape != wanted.shape:
        return f"Expected a map {tuple(wanted.shape)}; got {tuple(got.shape)}."
    return judged(got, wanted, (
        (image_first, "The image-level branch comes first; the projection was trained with it "
         "last."),
        (reversed_rates, "The rates are in falling order; take the branches as they stand in "
         "aspp.atrous.")),
        "Right shape, wrong values. Order: 1x1, rising rates, image level; each branch reads x "
        "itself, not the branch before.", near=1e-5)


@exercise("5.3", "You can price a pyramid before building it.")
def check_aspp_parameters(attempt: Callable[[int, int, tuple[int, ...], int], int]
                          ) -> Iterator[str | None]:
    """Compare `attempt(c_in, c_out, rates, project_kernel)` with the parameters of an `ASPP`."""
    for c_in, c_out, rates, kernel in ((40, 12, (2,), 1), (40, 12, BASE_RATES, 1),
                                       (40, 12, BASE_RATES, 3), (2048, 512, BASE_RATES, 3)):
        got = attempt(c_in, c_out, rates, kernel)
        branches = len(rates) + 2
        with torch.device("meta"):
            aspp = ASPP(c_in=c_in, c_out=c_out, atrous_rates=rates, project_kernel=kernel)
        wanted = sum(weight.numel() for weight in aspp.parameters())
        projection = kernel ** 2 * branches * c_out ** 2
        yield judged(got, wanted, (
            (wanted - 2 * c_out * (branches + 1), "BatchNorm is missing: a scale and a shift for "
             "each output channel, after every convolution."),
            (wanted + c_out * (branches + 1), "these convolutions have no bias; BatchNorm shifts."),
            (wanted - projection + kernel ** 2 * c_out ** 2,
             f"the projection reads all {branches} branches, {branches * c_out} channels."),
            (wanted - projection - 2 * c_out, "the projection is missing."),
            (wanted - c_in * c_out - 2 * c_out,
             "one 1x1 branch is missing: the point or the image."),
            (wanted - c_in * c_out - 2 * c_out - kernel ** 2 * c_out ** 2,
             "one 1x1 branch is missing, the point or the image, also where the projection reads."),
            (wanted - projection + branches * c_out ** 2,
             f"the projection's kernel is {kernel}x{kernel}."),
            (wanted - 8 * len(rates) * c_in * c_out, "the branches with a rate are 3x3.")),
            f"got {got:,}, expected {wanted:,}.", near=0,
            case=f"{c_in} -> {c_out} channels, rates {rates}, projection {kernel}x{kernel}: ")


@exercise("5.4", "Trained weights loaded into your own pyramid, and the map is theirs.")
def check_pyramid(attempt: Callable[[int, int, tuple[int, ...]], nn.Module]
                  ) -> Iterator[str | None]:
    """Load trained weights into `attempt(c_in, c_out, rates)` and compare its map with theirs."""
    aspp = trained_demo_model("voc_r50_d16", steps=340).aspp.eval()
    c_in, c_out = aspp.point[0].in_channels, aspp.point[0].out_channels
    rates = tuple(branch[0].dilation[0] for branch in aspp.atrous)
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(0)
        x = torch.randn(2, c_in, 7, 9)
        mine = attempt(c_in, c_out, rates)
        if not isinstance(mine, nn.Module):
            yield f"Expected a torch.nn.Module; got {mine!r}."
        if any(isinstance(module, ASPP) for module in mine.modules()):
            yield "That holds the package's own ASPP. Build it from layers of torch.nn."
        yield key_mistake(mine, aspp)
        mine.load_state_dict(aspp.state_dict())
        yield layer_mistake(mine, aspp)
        got = mine.eval()(x.clone())
        if not isinstance(got, Tensor):
            yield f"Its forward gives {type(got).__name__}; expected one map (N, c_out, h, w)."
        yield value_mistake(got, aspp, x)
        more = attempt(c_in, c_out, (1, 2, 4, 6))
        if not isinstance(more, nn.Module) or len(more.state_dict()) != len(mine.state_dict()) + 6:
            yield ("With four rates it has to have one branch more. Make the branches from "
                   "`rates`, however many there are.")
