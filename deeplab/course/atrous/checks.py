"""Checks of lesson 2: padding, Eq. (1), kernels with holes, the rate for a view, a probe."""

import itertools
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deeplab.course.exercise import SeenCalls, exercise, judged
from deeplab.model.atrous import atrous_conv1d, field_of_view

KERNEL_SIZE = 3  # of the kernels in exercises 2.4 and 2.5
SIDE = 17  # cells of the maps that exercise 2.5 probes


@exercise("2.1", "The padding grows with the rate, so the map keeps its size.")
def check_same_padding(attempt: Callable[[int, int], int]) -> str | None:
    """Compare `attempt(kernel_size, rate)` for odd kernels."""
    for kernel_size, rate in ((3, 6), (5, 2), (3, 1), (1, 4)):
        got, wanted = attempt(kernel_size, rate), rate * (kernel_size // 2)
        if got == wanted and type(got) is int:
            continue
        asked = f"kernel size {kernel_size}, rate {rate}"
        if type(got) is not int:
            return f"{asked}: expected a whole number of cells; got {got!r}."
        if got == 2 * wanted:
            return f"{asked}: that is the padding of both sides together; give that of one."
        span = field_of_view(kernel_size, rate)
        left = 20 + 2 * got - span + 1
        return (f"{asked}: the kernel spans {span} cells. With {got} zero{'s' * (got != 1)} on "
                f"either side a line of 20 cells gives {left} outputs, not 20.")
    return None


@exercise("2.2", "Your convolution is Eq. (1) at rates 1, 2 and 5.")
def check_atrous(attempt: Callable[[Tensor, Tensor, int], Tensor]) -> Iterator[str | None]:
    """Compare `attempt(x, w, rate)` with `atrous_conv1d` on random signals."""
    generator = torch.Generator().manual_seed(0)
    for size, rate in itertools.product((3, 4), (1, 2, 5)):
        x, w = torch.randn(23, generator=generator), torch.randn(size, generator=generator)
        wanted = atrous_conv1d(x, w, rate)
        with SeenCalls() as seen:
            got = attempt(x.clone(), w.clone(), rate)
        asked = f"{size} taps, rate {rate}"
        named = getattr(getattr(attempt, "__code__", None), "co_names", ())
        if seen.dilated or "atrous_conv1d" in named:
            yield ("Here the convolution is written, not called: add up the taps yourself, "
                   "without `dilation` and without `atrous_conv1d`.")
        if not isinstance(got, Tensor) or got.ndim != 1:
            yield f"{asked}: expected a tensor with one axis; got {got!r}."
        if len(got) != len(wanted):
            yield (f"{asked}: {len(got)} outputs, expected {len(wanted)}. In how many places does "
                   f"a kernel that spans {field_of_view(size, rate)} samples fit into 23?")
        yield judged(got, wanted, [(
            atrous_conv1d(x, w.flip(0), rate),
            "the kernel is read backwards. Eq. (1) pairs x[i + rate k] with w[k].")],
            "right length, wrong values. Is it x[i + rate k] that meets w[k]?",
            case=f"{asked}: ", near=1e-5)


@exercise("2.3", "A kernel with holes is an ordinary kernel, mostly zero.")
def check_with_holes(attempt: Callable[[Tensor, int], Tensor]) -> str | None:
    """Compare `attempt(w, rate)` with zeros written between the weights."""
    for size, rate in itertools.product((3, 2, 1), (1, 2, 4)):
        w = torch.arange(1.0, size + 1)
        wanted = torch.zeros(field_of_view(size, rate))
        wanted[::rate] = w
        got = attempt(w.clone(), rate)
        asked = f"{size} weights, rate {rate}"
        if not isinstance(got, Tensor) or got.ndim != 1:
            return f"{asked}: expected a tensor with one axis; got {got!r}."
        if torch.equal(got, wanted):
            continue
        if len(got) == size * rate and torch.equal(got[:len(wanted)], wanted):
            return f"{asked}: there are zeros after the last weight; they stand only in between."
        if len(got) == size + (size - 1) * rate and size > 1:
            return (f"{asked}: {len(got)} entries, expected {len(wanted)}. Neighbouring taps are "
                    f"{rate} apart, so {rate - 1} zeros stand between them.")
        if torch.equal(got, w.repeat_interleave(rate)):
            return f"{asked}: each weight stands {rate} times; let zeros stand in between."
        return f"{asked}: expected {wanted.tolist()}, got {got.tolist()}."
    return None


@exercise("2.4", "Cells times output stride are pixels.")
def check_rate_for(attempt: Callable[[int, int], int]) -> str | None:
    """Compare `attempt(pixels, output_stride)` with the first rate found by counting up."""
    for pixels, output_stride in ((208, 16), (209, 16), (208, 8), (512, 16), (10, 16)):
        got, wanted = attempt(pixels, output_stride), _rate_for(pixels, output_stride)
        asked = f"{pixels} pixels at output stride {output_stride}"
        if not isinstance(got, int):
            return f"{asked}: expected a whole number; got {got!r}."
        if got == wanted:
            continue
        if got < 1:
            return f"{asked}: got rate {got}; the smallest rate there is is 1."
        if got == _rate_for(pixels, 1):
            return f"{asked}: that is the rate for cells of one pixel. How wide is a cell here?"
        view = field_of_view(KERNEL_SIZE, got) * output_stride
        return (f"{asked}: rate {got} spans {view} pixels, which is "
                + ("too few." if view < pixels else "enough, but a smaller rate is too."))
    return None


def _rate_for(pixels: int, output_stride: int) -> int:
    """The smallest rate of a 3x3 kernel that spans so many pixels."""
    return next(rate for rate in itertools.count(1)
                if field_of_view(KERNEL_SIZE, rate) * output_stride >= pixels)


@exercise("2.5", "Your probe needs no weights and no rates: it asks the network.")
def check_seen_cells(attempt: Callable[[nn.Module, int], Tensor]) -> Iterator[str | None]:
    """Compare `attempt(network, size)` with the cells over which paths of weights lead."""
    for network in (_probed((2,)), _probed((2, 2)), _probed((1, 3)),
                    _probed((2, 3), one_sided=True), _either_side()):
        got, wanted = attempt(network, SIDE), _reached(network)
        count = len(network[::2])
        case = f"A network of {count} layer{'s'[:count > 1]}: "
        if not isinstance(got, Tensor) or got.shape != wanted.shape or got.dtype != torch.bool:
            kind = f"{got.dtype} {tuple(got.shape)}" if isinstance(got, Tensor) else repr(got)
            yield f"Expected a tensor bool ({SIDE}, {SIDE}); got {kind}."
        if torch.equal(got, wanted):
            continue
        rows, columns = (wanted.any(axis).nonzero() for axis in (1, 0))
        box = torch.zeros_like(wanted)
        box[rows.min():rows.max() + 1, columns.min():columns.max() + 1] = True
        if got.all():
            yield case + ("that is every cell. Ask what the one output in the middle depends on, "
                          "not what any does; and if you compare outputs, allow for rounding.")
        if torch.equal(got, box):
            yield case + "that is the field of view, the box around the taps. What lies between?"
        if torch.equal(got, wanted.flip(0, 1)):
            yield case + ("left and right, above and below have changed places: you looked where "
                          "the middle cell is used, not at what the middle output uses.")
        surplus, missing = (got & ~wanted).nonzero(), (wanted & ~got).nonzero()
        if len(surplus):
            yield case + (f"the output does not change with cell {tuple(surplus[0].tolist())}; "
                          f"{len(surplus)} of your cells are not seen.")
        yield case + (f"{len(missing)} of the {int(wanted.sum())} cells seen are missing. A ReLU "
                      "that gives 0 lets no change through; try many different inputs.")


def _probed(rates: tuple[int, ...], *, one_sided: bool = False) -> nn.Sequential:
    """Convolutions of these rates with a ReLU between two; shut wherever the input is 0.

    If `one_sided`, kernels have no weights above their middle and on its left.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(sum(rates))
        layers: list[nn.Module] = []
        for index, rate in enumerate(rates):
            c_in, c_out = 6 if index else 1, 6 if index < len(rates) - 1 else 1
            layers += [nn.Conv2d(c_in, c_out, KERNEL_SIZE, padding=rate, dilation=rate), nn.ReLU()]
    with torch.no_grad():
        for layer in layers[::2]:
            layer.bias.fill_(-0.05)
            if one_sided:
                layer.weight[..., 0, :], layer.weight[..., 0] = 0, 0
    return nn.Sequential(*layers[:-1]).eval()


def _either_side() -> nn.Sequential:
    """Looks left where the input there is positive, and right where it is negative there.

    Inputs of one sign open one side only.
    """
    sides, both = nn.Conv2d(1, 2, KERNEL_SIZE, padding=2, dilation=2), nn.Conv2d(
        2, 1, KERNEL_SIZE, padding=1)
    with torch.no_grad():
        for layer in (sides, both):
            layer.weight.zero_()
            layer.bias.fill_(-0.05)
        sides.weight[0, 0, :, 0], sides.weight[1, 0, :, 2] = 1, -1
        both.weight[..., 1, 1] = 1
    return nn.Sequential(sides, nn.ReLU(), both).eval()


def _reached(network: nn.Sequential) -> Tensor:
    """From which input cells a path of weights that are not 0 leads to the middle output."""
    paths = torch.zeros(1, 1, SIDE, SIDE)
    paths[..., SIDE // 2, SIDE // 2] = 1
    for layer in reversed(network[::2]):
        taps = (layer.weight != 0).any(0).any(0).float()[None, None]
        paths = F.conv_transpose2d(paths, taps, padding=layer.padding, dilation=layer.dilation)
    return paths[0, 0] > 0
