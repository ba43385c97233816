"""The mark in every picture that is drawn here, by which it is known wherever it is copied."""

from pathlib import Path

from PIL.PngImagePlugin import PngInfo

from deeplab.data.catalog import SegmentationDataset
from deeplab.support.errors import DataError

MARK = "miniature twin: drawn, no photograph"
HEAD = 4096  # bytes of a file in which the mark stands


def marked(kind: str) -> dict:
    """What Pillow's `save` is given so that a "JPEG" or "PNG" file holds the mark."""
    if kind == "JPEG":
        return {"comment": MARK}
    note = PngInfo()
    note.add_text("Comment", MARK)
    return {"pnginfo": note}


def is_drawn(path: Path) -> bool:
    """Whether the image file is one of a twin's pictures, or a copy of one."""
    with open(path, "rb") as file:
        return MARK.encode() in file.read(HEAD)


def refuse_drawn(samples: SegmentationDataset) -> None:
    """Raise `DataError` (E-DRAWN) if the first, middle or last picture of a split is drawn.

    A score on a twin must not stand where one on photographs is expected.
    """
    for index in {0, len(samples) // 2, len(samples) - 1}:
        if is_drawn(samples.image_path(index)):
            raise DataError.of(
                "E-DRAWN", "these are the drawn pictures of a miniature twin",
                file=samples.image_path(index), found=MARK,
                expected=f"the photographs of {samples.label_set.title}",
                do="give the folder of the real dataset with --data-root; the twin is for "
                   "--profile demo")
