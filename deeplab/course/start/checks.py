"""Checks of lesson 0: the share of a class, the cells of a map, an overlay with its legend."""

from collections.abc import Callable, Iterator

import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from deeplab.course.exercise import exercise, judged

OPACITY = 0.6  # of the class colours in exercise 0.3
WHITE = (255, 255, 255)
NAMES = ("background", "cat", "dog", "sofa")
PALETTE = ((0, 0, 0), (200, 30, 30), (30, 160, 60), (40, 60, 220))


@exercise("0.1", "Void is in neither part of the fraction.")
def check_class_share(attempt: Callable[[np.ndarray, int], float]) -> Iterator[str | None]:
    """Compare `attempt(label, class_index)` on a small label, also for a class that is absent."""
    label = np.array([[0, 0, 0, 7], [7, 255, 255, 12], [0, 12, 255, 12]], np.uint8)
    counted = label != 255
    for index in (0, 7, 12, 20):
        got = attempt(label.copy(), index)
        wanted = float((label == index)[counted].mean())
        if got is None or np.ndim(got) != 0:
            yield f"Expected one number between 0 and 1; got {got!r}."
        yield judged(got, wanted, (
            (100 * wanted, "That is per cent. A share lies between 0 and 1."),
            ((label == index).mean(), "You divided by all 12 pixels. Three of them are void (255) "
             "and do not count: divide by 9."),
            ((label == index).sum(), "That is the number of pixels. Divide it by the pixels that "
             "count."),
            (1 - wanted, "That is the share of all other classes."),
            ((label == index).sum() / (counted & (label != 0)).sum(), "You left out the pixels "
             "of value 0. In this label 0 is a class like any other; only 255 does not count.")),
            f"Class {index} has {(label == index).sum()} of the 9 pixels that count, a share of "
            f"{wanted:.4f}; got {got:.4f}. Which pixels did you count, and which divide by?")


@exercise("0.2", "A part of a cell at the border is a cell.")
def check_map_size(attempt: Callable[[int, int, int], tuple[int, int]]) -> str | None:
    """Compare `attempt(height, width, output_stride)` for sizes that do and do not divide."""
    for height, width, output_stride in ((96, 128, 16), (85, 113, 16), (513, 321, 8)):
        wanted = -(-height // output_stride), -(-width // output_stride)
        got = attempt(height, width, output_stride)
        asked = f"{height} x {width} pixels at output stride {output_stride}"
        if not isinstance(got, tuple | list) or len(got) != 2:
            return f"Expected a pair (rows, columns); got {got!r}."
        if tuple(got) == wanted:
            continue
        if tuple(got) == wanted[::-1]:
            return f"{asked}: rows and columns have changed places. Height comes first."
        if tuple(got) == (height // output_stride, width // output_stride):
            return (f"{asked}: got {got[0]} x {got[1]}. The pixels left over at the bottom and on "
                    "the right belong to a cell too: round up.")
        if tuple(got) == (height // output_stride + 1, width // output_stride + 1):
            return (f"{asked}: got {got[0]} x {got[1]}. One cell was added even where nothing is "
                    "left over: round up instead.")
        return (f"{asked}: expected {wanted[0]} x {wanted[1]} cells, got {got[0]} x {got[1]}. Each "
                "axis is divided by the output stride and rounded up.")
    return None


@exercise("0.3", "A legend that names what is there, and nothing is coloured that nobody labelled.")
def check_overlay(attempt: Callable[..., Figure]) -> Iterator[str | None]:
    """Read the picture and the legend of `attempt(image, label, names, palette)`."""
    rng = np.random.default_rng(0)
    for label in (np.array([[0, 0, 0, 0, 0, 2], [0, 3, 3, 255, 255, 2],
                            [0, 3, 3, 255, 255, 2]], np.uint8),
                  np.array([[1, 1, 0], [1, 255, 0], [1, 1, 0], [1, 1, 0]], np.uint8)):
        image = rng.integers(0, 256, (*label.shape, 3), np.uint8)
        given = image.copy(), label.copy()
        fig = attempt(*given, NAMES, PALETTE)
        if not np.array_equal(given[0], image) or not np.array_equal(given[1], label):
            yield "Your function changed what it was given. Write into a new array."
        if not isinstance(fig, Figure) or not fig.axes or not fig.axes[0].images:
            yield ("Expected a matplotlib Figure whose first axes shows the picture with "
                   f"`imshow`; got {type(fig).__name__}.")
        yield _wrong_pixels(np.asarray(fig.axes[0].images[0].get_array()), image, label)
        yield _wrong_legend(fig, label)


def _wrong_pixels(got: np.ndarray, image: np.ndarray, label: np.ndarray) -> str | None:
    """What is wrong with the colours of an overlay, from the first kind of pixel that is."""
    if got.shape != image.shape or got.dtype != np.uint8:
        return (f"`imshow` was given {got.dtype} {got.shape}. Expected uint8 {image.shape}, the "
                "size of the picture.")
    ends = np.zeros(label.shape, bool)
    ends[:, :-1] |= label[:, :-1] != label[:, 1:]
    ends[:-1] |= label[:-1] != label[1:]
    void, inside = ~ends & (label == 255), ~ends & (label != 255)
    colours = np.array(PALETTE)[np.where(label == 255, 0, label)]
    mixed, other_way = (share * colours + (1 - share) * image for share in (OPACITY, 1 - OPACITY))
    if not _alike(got[inside], mixed[inside]):
        if _alike(got[inside], other_way[inside]):
            return "The shares have changed places: 0.6 of the colour and 0.4 of the picture."
        if _alike(got[inside], colours[inside]):
            return "The picture is gone: mix 0.4 of it with 0.6 of the colour."
        wrong = inside & (np.abs(got - mixed).max(-1) > 1)
        if (got[wrong] == WHITE).all():
            return ("Borders are two pixels wide: of two neighbours that differ, white is the one "
                    "on the left or above, not both.")
        row, column = np.argwhere(wrong)[0]
        return (f"Row {row}, column {column} is {NAMES[label[row, column]]}. 0.6 of the colour and "
                f"0.4 of the picture are {mixed[row, column].round().astype(int).tolist()}; got "
                f"{got[row, column].tolist()}. Do you round and turn to uint8 last?")
    if not _alike(got[void], image[void]):
        return "Void is coloured. It is no class: the picture must be seen there as it is."
    if not (got[ends] == WHITE).all():
        row, column = np.argwhere(ends & (got != WHITE).any(-1))[0]
        return (f"Row {row}, column {column} must be white: its neighbour below or on the right "
                "has another value.")
    return None


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether colours are the same but for rounding."""
    return bool((np.abs(one.astype(float) - other) <= 1).all())


def _wrong_legend(fig: Figure, label: np.ndarray) -> str | None:
    """What is wrong with the legend: its names, their order, their colours."""
    legends = [*fig.legends, *(ax.get_legend() for ax in fig.axes if ax.get_legend())]
    if not legends:
        return "There is no legend. `fig.legend(handles=[Patch(color=..., label=...), ...])`"
    names = [text.get_text() for text in legends[0].get_texts()]
    areas = np.bincount(label[label != 255], minlength=len(NAMES))
    wanted = [NAMES[index] for index in np.argsort(-areas, kind="stable") if areas[index]]
    surplus, missing = set(names) - set(wanted), set(wanted) - set(names)
    if surplus or missing:
        return (f"The legend names {names}. In this label occur {wanted}"
                + (f"; {min(surplus)!r} does not." if surplus else "."))
    if names != wanted:
        return f"Largest area first: expected {wanted}, got {names}."
    for name, handle in zip(names, legends[0].legend_handles, strict=True):
        colour = (handle.get_facecolor() if hasattr(handle, "get_facecolor")
                  else handle.get_color())
        shown = 255 * np.array(to_rgba(colour)[:3])
        if not _alike(shown, np.array(PALETTE[NAMES.index(name)])):
            return (f"In the legend {name} is {shown.round().astype(int).tolist()}, in the palette "
                    f"{list(PALETTE[NAMES.index(name)])}. Matplotlib wants colours from 0 to 1.")
    return None
