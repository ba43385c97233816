"""The rate explorer: the nine taps of a 3x3 atrous kernel, drawn on a picture (Sec. 3.1).

A filled cell is a tap on the picture; a dashed one lies beside it, where a network reads the
zeros of its padding. `draw` is a pure function of where the kernel stands; the page with a slider
and clicks (`rates.html` beside this file) does the same without kernel, network and library.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from deeplab.course.explorer_page import explorer_page, show_frame
from deeplab.figures import plots
from deeplab.figures.plots import ORANGE, RED, house_style
from deeplab.model.atrous import check_rate, field_of_view

KERNEL_SIZE = 3
MAX_RATE = 36  # of ASPP at output stride 8: twice the 18 of Sec. 3.3
START_RATE, STRIDES = 6, (8, 16)
MARGIN = 300  # pixels around the picture that the page shows: rate 18 at stride 16 just fits
FRAME_HEIGHT = 830  # screen pixels
PALENESS = 0.35  # of the picture, so that cells and taps stand out
OUTSIDE = "#333333"  # the cross of a tap there
ZEROS = "#e4e4e4"  # what lies beside the picture
GRID = {"color": "white", "linewidth": 0.4, "alpha": 0.8}


class Kernel(NamedTuple):
    """Where a kernel stands on a picture: everything that the sliders decide."""

    rate: int  # cells from tap to tap
    row: int  # of the pixel that the centre tap's cell holds
    column: int
    output_stride: int = 16  # pixels per cell

    @property
    def cells(self) -> list[tuple[int, int]]:
        """(row, column) of the nine taps in cells; some may lie beside the map."""
        check_rate(self.rate)
        steps = (-self.rate, 0, self.rate)
        top, left = self.row // self.output_stride, self.column // self.output_stride
        return [(top + down, left + across) for down in steps for across in steps]

    def inside(self, image: np.ndarray) -> int:
        """How many of the nine taps fall on the map of `image` (H, W, 3)."""
        height, width = (-(-side // self.output_stride) for side in image.shape[:2])
        return sum(0 <= row < height and 0 <= column < width for row, column in self.cells)

    def sentence(self, image: np.ndarray) -> str:
        """What the picture shows, in words."""
        side = field_of_view(KERNEL_SIZE, self.rate)
        return (f"Output stride {self.output_stride}, rate {self.rate}: {self.inside(image)} of 9 "
                f"taps inside; field of view {side} cells = {side * self.output_stride} pixels.")


@house_style
def draw(image: np.ndarray, kernels: Sequence[Kernel]) -> Figure:
    """The picture (H, W, 3) with the cells and taps of each kernel, one panel per kernel.

    All panels have one scale, and are as wide as the widest kernel reaches.
    """
    height, width = image.shape[:2]
    edges = [side for kernel in kernels for side in _extent(kernel)]
    top, left = (min(0, *(edge[axis] for edge in edges)) - 8 for axis in (0, 1))
    bottom, right = (max(side, *(edge[axis] for edge in edges)) + 8
                     for axis, side in ((0, height), (1, width)))
    pale = (PALENESS * 255 + (1 - PALENESS) * image.astype(np.float32)).astype(np.uint8)
    panel = 9 / len(kernels) if len(kernels) > 1 else 6
    fig = plots.figure(panel * (bottom - top) / (right - left) + 1.0, width=panel * len(kernels))
    for axes, kernel in zip(np.atleast_1d(fig.subplots(1, len(kernels))), kernels, strict=True):
        axes.imshow(pale, extent=(0, width, height, 0))
        _draw_kernel(axes, kernel, height, width)
        axes.set(xlim=(left, right), ylim=(bottom, top), xticks=[], yticks=[], facecolor=ZEROS)
        axes.spines[:].set_visible(False)
        axes.set_title(f"output stride {kernel.output_stride}, rate {kernel.rate}:\n"
                       f"{kernel.inside(image)} of 9 taps inside", loc="center")
    taps = (Line2D([], [], marker="s", markerfacecolor=ORANGE, markeredgecolor=RED,
                   linestyle="none", markersize=10, label="tap on the picture"),
            Line2D([], [], marker="x", color=OUTSIDE, linestyle="none",
                   label="tap that reads a zero"),
            Line2D([], [], color="black", linewidth=1.2, linestyle=":", label="field of view"))
    fig.legend(handles=taps, loc="outside lower center", ncols=3)
    return fig


def _extent(kernel: Kernel) -> tuple[tuple[int, int], tuple[int, int]]:
    """(row, column) in pixels of the kernel's first and last corner."""
    stride = kernel.output_stride
    (top, left), (bottom, right) = kernel.cells[0], kernel.cells[-1]
    return (top * stride, left * stride), ((bottom + 1) * stride, (right + 1) * stride)


def _draw_kernel(axes: Axes, kernel: Kernel, height: int, width: int) -> None:
    """Cell grid, field of view and taps over a picture of `height` x `width` pixels."""
    stride = kernel.output_stride
    axes.hlines(range(stride, height, stride), 0, width, **GRID)
    axes.vlines(range(stride, width, stride), 0, height, **GRID)
    (top, left), (bottom, right) = _extent(kernel)
    axes.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False,
                             edgecolor="black", linewidth=1.2, linestyle=":"))
    for row, column in kernel.cells:
        corner, middle = (column * stride, row * stride), (column + 0.5, row + 0.5)
        is_inside = 0 <= corner[1] < height and 0 <= corner[0] < width
        if is_inside:
            axes.add_patch(Rectangle(corner, stride, stride, facecolor=ORANGE, edgecolor=RED,
                                     linewidth=1.5))
        else:
            axes.plot(*(stride * part for part in middle), "x", color=OUTSIDE, markersize=6,
                      markeredgewidth=1.5)


def strip(image: np.ndarray, rates: Sequence[int] = (6, 12, 18), *,
          output_stride: int = 16) -> list[Kernel]:
    """Kernels of several rates in the middle of the picture: what `explore` shows at rest."""
    row, column = image.shape[0] // 2, image.shape[1] // 2
    return [Kernel(rate, row, column, output_stride) for rate in rates]


def page(image: np.ndarray) -> str:
    """The explorer for an image uint8 (H, W, 3) as one HTML document without outside reference."""
    return explorer_page(
        "atrous", "rates.html", image, title="The nine taps of an atrous kernel on a picture",
        alt="A picture with the cells of a map and the nine taps of a kernel; the line above says "
        "how many of them are inside.", margin=MARGIN, strides=STRIDES, stride=STRIDES[-1],
        rate=START_RATE, maxRate=MAX_RATE)


def explore(image: np.ndarray, *, interactive: bool = False) -> None:
    """Show a strip of three rates, and above it the explorer if `interactive`.

    The strip is an output of its own, which stays when a saved notebook is opened again.
    """
    if interactive:
        show_frame(page(image), title="rate explorer", height=FRAME_HEIGHT)
    kernels = strip(image)
    plots.show(draw(image, kernels), alt=" ".join(one.sentence(image) for one in kernels))
