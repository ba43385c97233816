"""The base vocabulary of every picture: house style, panels, legends, and `show`.

Figures are made with `figure`, not with pyplot: nothing is global, nothing has to be closed,
and a picture appears exactly where `show` is called. Void is one fixed grey everywhere.
"""

import base64
import io
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image

from deeplab.data.colours import label_colours
from deeplab.data.labelset import LabelSet
from deeplab.figures.numbers import number_pieces
from deeplab.support.files import atomic_write
from deeplab.support.plain import figure_text, markdown
from deeplab.support.void import IGNORE_INDEX, VOID_GREY

# seaborn's "colorblind" palette, kept here so that a run need not import seaborn
BLUE, ORANGE, GREEN, RED, PURPLE, BROWN, PINK, GREY, YELLOW, SKY = (
    "#0173b2", "#de8f05", "#029e73", "#d55e00", "#cc78bc",
    "#ca9161", "#fbafe4", "#949494", "#ece133", "#56b4e9")
LINES = (BLUE, ORANGE, GREEN, RED, PURPLE, BROWN, SKY, GREY)
WIDTH = 9.0  # inches, of a figure that fills the page
DPI = 100
LARGE = 40_000  # bytes; above, a picture in a notebook is reduced to 256 colours, which halves it

house_style = matplotlib.rc_context({  # a decorator for functions that draw
    "font.size": 11, "axes.titlesize": 12, "figure.titlesize": 13, "axes.labelsize": 11,
    "xtick.labelsize": 11, "ytick.labelsize": 11, "legend.fontsize": 11,
    "axes.spines.top": False, "axes.spines.right": False, "axes.titlelocation": "left",
    "axes.grid": False, "grid.color": "#dddddd", "axes.axisbelow": True,
    "legend.frameon": False, "lines.linewidth": 2, "lines.markersize": 7,
    "axes.prop_cycle": matplotlib.cycler(color=LINES), "image.interpolation": "nearest",
    "figure.constrained_layout.h_pad": 0.06, "figure.facecolor": "white",
    "savefig.facecolor": "white"})


def classes_by_area(labels: Iterable[np.ndarray], label_set: LabelSet) -> list[int]:
    """The classes that occur in `labels`, largest area first; void is none of them."""
    counts = sum(np.bincount(np.asarray(label).ravel(), minlength=IGNORE_INDEX + 1)
                 for label in labels)[:label_set.num_classes]
    return [int(index) for index in np.argsort(-counts, kind="stable") if counts[index]]


def figure(height: float, *, width: float = WIDTH) -> Figure:
    """An empty figure of `width` x `height` inches whose parts are laid out by matplotlib."""
    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def subplots(height: float, rows: int = 1, columns: int = 1, *, width: float = WIDTH,
             **layout: Any) -> tuple[Figure, Any]:
    """A figure of `width` x `height` inches and its axes, as `Figure.subplots` gives them."""
    fig = figure(height, width=width)
    return fig, fig.subplots(rows, columns, **layout)


def finish(axes: Axes, *, grid: str = "y", **settings: Any) -> None:
    """Set what an axes is given, rule it ("x", "y", "both" or "") and put its legend beside it."""
    axes.set(**settings)
    if grid:
        axes.grid(axis=grid)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def note(axes: Axes, text: str, place: tuple[float, float], right: float, up: float,
         **alignment: Any) -> None:
    """Write `text` so many points to the right of a place in the data and above it."""
    axes.annotate(text, place, xytext=(right, up), textcoords="offset points", **alignment)


def words_only(text: str) -> Figure:
    """A figure that holds one sentence, where there is nothing to draw."""
    fig = figure(0.6)
    fig.text(0.01, 0.5, text, va="center")
    return fig


def picture(axes, image: np.ndarray, title: str = "", *, is_photo: bool = False) -> None:
    """Show an image in `axes` with nothing around it but a title above.

    Labels are never interpolated, for that would invent classes; a photo that has to shrink is.
    """
    shrinks = is_photo and image.shape[1] > DPI * axes.get_position().width * WIDTH
    axes.imshow(image, interpolation="auto" if shrinks else "nearest")
    axes.set_title(title, loc="center")
    axes.set_axis_off()


def label_picture(axes: Axes, label: np.ndarray, label_set: LabelSet, title: str = "") -> None:
    """Show a label (H, W) in the colours and with the numbers of its classes."""
    picture(axes, label_colours(label, label_set), title)
    number_pieces(axes, label, label_set)


def pictures_in_a_row(row: Iterable[Axes], pictures: Mapping[str, np.ndarray],
                      label_set: LabelSet) -> None:
    """Fill the axes of `row` with images (H, W, 3) and labels (H, W), each below its title."""
    for axes, (title, pixels) in zip(row, pictures.items(), strict=True):
        if pixels.ndim == 2:
            label_picture(axes, pixels, label_set, title)
        else:
            picture(axes, pixels, title, is_photo=True)


def class_legend(fig: Figure, labels: Iterable[np.ndarray], label_set: LabelSet, *,
                 limit: int = 16, columns: int = 6) -> None:
    """A legend below a figure: void, the `limit` largest classes of labels (H, W) with their
    numbers, and how many more there are.
    """
    classes = classes_by_area(labels, label_set)
    entries = [(label_set.palette[index], f"{index} {figure_text(label_set.classes[index])}")
               for index in classes[:limit]]
    handles = [Patch(facecolor=np.array(colour) / 255, edgecolor="black", label=name)
               for colour, name in [*entries, (VOID_GREY, "void")]]
    if len(classes) > limit:
        handles.append(Patch(fill=False, linewidth=0, label=f"and {len(classes) - limit} more"))
    fig.legend(handles=handles, loc="outside lower center", ncols=columns, handlelength=1,
               columnspacing=1.2)


@house_style
def row_of(pictures: Mapping[str, np.ndarray], *, height: float, **look: Any) -> Figure:
    """Images (H, W, 3) or maps (H, W), each below its title; `look` is set on each of them."""
    fig, axes = subplots(height, 1, len(pictures), squeeze=False)
    for ax, (title, pixels) in zip(axes[0], pictures.items(), strict=True):
        picture(ax, pixels, title)
        ax.images[0].set(**look)
    return fig


@house_style
def side_by_side(pictures: Mapping[str, np.ndarray], label_set: LabelSet, *, height: float = 2.9,
                 rows: int = 1) -> Figure:
    """Images uint8 (H, W, 3) and, in colour, labels (H, W), each below its title.

    The classes of the labels are named below; `height` of the figure is in inches.
    """
    fig, grid = subplots(height, rows, -(-len(pictures) // rows), squeeze=False)
    pictures_in_a_row(grid.flat, pictures, label_set)
    class_legend(fig, [pixels for pixels in pictures.values() if pixels.ndim == 2], label_set)
    return fig


def drawn(fig: Figure) -> Image.Image:
    """The figure as an opaque image."""
    canvas = FigureCanvasAgg(fig)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])


def png(fig: Figure) -> bytes:
    """The figure as a PNG file, opaque and without a date inside."""
    return encoded(drawn(fig))


def encoded(image: Image.Image, *, optimize: bool = False) -> bytes:
    """An image as a PNG file."""
    file = io.BytesIO()
    image.save(file, "PNG", optimize=optimize)
    return file.getvalue()


def message(image: Image.Image, alt: str) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """An image as a notebook takes it, data and metadata, with `alt` as its alternative text.

    A large one is reduced to 256 colours.
    """
    content = encoded(image)
    if len(content) > LARGE:
        # worth it for few colours; of all colours it takes ten times as long for 2 % less
        # this method keeps the rare colours, such as those of a legend's small squares
        few = image.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=2, dither=Image.Dither.NONE)
        content = encoded(few, optimize=True)
    return ({"image/png": base64.b64encode(content).decode(), "text/plain": alt},
            {"image/png": {"alt": alt}})


def show(fig: Figure, *, alt: str, caption: str | None = None, file: Path | None = None) -> None:
    """Display a figure here, with `alt` as its alternative text and a caption below.

    The caption is `alt` unless another is given: some viewers drop alternative texts, and
    then the words below the picture are all that a screen reader has. A large picture is shown
    in 256 colours. With `file` it is also written there as a PNG, in all of its colours.
    """
    from IPython.display import Markdown, display
    image = drawn(fig)
    if file is not None:
        atomic_write(file, encoded(image))
    data, metadata = message(image, alt)
    display(data, metadata=metadata, raw=True)
    display(Markdown(f"*{markdown(caption or alt)}*"))
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot:
        pyplot.close(fig)
