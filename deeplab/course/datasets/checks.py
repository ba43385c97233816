"""Checks of lesson 7: ids of trainaug, shares of classes, padding, the entry of new data."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from deeplab.course.datasets.new_dataset import (CLASSES, NAME, NOT_ANNOTATED, SPLITS, UNSURE,
                                                 masks, new_dataset)
from deeplab.course.exercise import exercise, judged
from deeplab.data.augment import pad_center
from deeplab.data.catalog import SegmentationDataset, get_dataset
from deeplab.data.labelset import LabelSet, parse_label_set
from deeplab.support.errors import DataError, UsageError
from deeplab.support.void import IGNORE_INDEX

VOC_TRAIN, VOC_VAL = ["2007_3", "2007_1", "2008_9"], ["2007_2", "2008_4"]
SBD_TRAIN, SBD_VAL = ["2008_7", "2007_1", "2008_4"], ["2008_8", "2007_2", "2008_9"]
SHAPE = (4, 6)  # of the labels whose shares are asked for


@exercise("7.1", "On the real lists this gives 10,582 ids.")
def check_trainaug(attempt: Callable[..., Iterable[str]]) -> str | None:
    """Compare `attempt(voc_train, voc_val, sbd_train, sbd_val)` on lists that overlap."""
    given = [list(names) for names in (VOC_TRAIN, VOC_VAL, SBD_TRAIN, SBD_VAL)]
    got = attempt(*given)
    if got is None or isinstance(got, str):
        return f"Expected a sorted list of ids; got {got!r}."
    got, everything = list(got), {*VOC_TRAIN, *SBD_TRAIN, *SBD_VAL}
    tested = sorted(set(got) & set(VOC_VAL))
    if tested:
        listed = "it is" if len(tested) == 1 else "they are"
        return (f"{', '.join(tested)} would be trained on and then scored: {listed} in VOC's val "
                "list, and in one of SBD's lists too.")
    if len(set(got)) < len(got):
        return "Some ids appear twice: SBD labels pictures again that VOC's train list has."
    missing = sorted(everything - set(VOC_VAL) - set(got))
    for names, text in ((SBD_VAL, "SBD's val list is for training here; only VOC's val is scored."),
                        (VOC_TRAIN, "VOC's own train list belongs to trainaug."),
                        (SBD_TRAIN, "SBD's train list is what the 'aug' stands for.")):
        if missing and set(missing) <= set(names):
            return f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing. {text}"
    if missing:
        return f"Missing: {', '.join(missing)}."
    wanted = sorted(everything - set(VOC_VAL))
    if sorted(got) != wanted:
        strange = sorted(map(str, set(got) - set(wanted)))
        return f"{', '.join(strange)}: in none of the lists."
    return None if got == wanted else "These are the right ids; sort them, so that a list is " \
                                      "the same on every machine."


@exercise("7.2", "One count over the whole set, divided once.")
def check_class_shares(attempt: Callable[[Sequence[np.ndarray], int], np.ndarray]) -> str | None:
    """Compare `attempt(labels, num_classes)` on three labels, one of them mostly void."""
    labels = _labels()
    got = attempt([label.copy() for label in labels], 5)
    if got is None or np.shape(got) != (5,):
        return (f"Expected 5 shares, one per class, also for classes that do not occur; got "
                f"{'None' if got is None else f'shape {np.shape(got)}'}.")
    got = np.asarray(got, float)
    counts = np.stack([np.bincount(label.ravel(), minlength=256)[:5] for label in labels])
    wanted = counts.sum(0) / counts.sum()
    each = counts / counts.sum(1, keepdims=True)
    return judged(got, wanted, (
        (counts.sum(0) / (len(labels) * np.prod(SHAPE)), "You divided by all pixels. The void "
         "ones (255) belong to no class: the shares must add up to 1."),
        (each.mean(0), "That is the mean of the images' own shares. One label is mostly void "
                       "and has few pixels to tell; count all pixels, then divide."),
        (counts.sum(0), "Those are pixels; divide by the pixels of all classes."),
        (100 * wanted, "That is per cent; a share lies between 0 and 1."),
        (each[0], "That is the first label alone."),
        ((counts > 0).mean(0), "That is the share of images that show the class.")),
        f"Class 0 covers {wanted[0]:.4f} of the pixels that count; got {got[0]:.4f}.")


def _labels() -> list[np.ndarray]:
    """Three labels of classes 0 to 4, of which 4 never occurs; the last is mostly void."""
    first, second, third = (np.zeros(SHAPE, np.uint8) for _ in range(3))
    first[:2, :3], first[3] = 1, IGNORE_INDEX
    second[:, 4:], second[0, 0] = 2, 3
    third[:] = IGNORE_INDEX
    third[0, :2] = 1
    return [first, second, third]


@exercise("7.3", "What was padded is neither seen as a colour nor judged.")
def check_padded(attempt: Callable[..., tuple[np.ndarray, np.ndarray]]) -> str | None:
    """Compare `attempt(image, label, height, width)` with `pad_center`, odd sizes included."""
    rng = np.random.default_rng(0)
    for rows, columns, height, width in ((4, 6, 8, 10), (3, 6, 8, 7), (8, 8, 8, 8)):
        image = rng.normal(size=(rows, columns, 3)).astype(np.float32) + 3
        label = rng.integers(1, 5, (rows, columns)).astype(np.uint8)
        pair = attempt(image.copy(), label.copy(), height, width)
        if not isinstance(pair, tuple) or len(pair) != 2:
            return "Expected a pair (image, label)."
        wanted_image, wanted = pad_center(image, label, height=height, width=width)
        got_image, got = (np.asarray(one) for one in pair)
        if got.shape != wanted.shape or got_image.shape != wanted_image.shape:
            return (f"Expected shapes {wanted_image.shape} and {wanted.shape}; got "
                    f"{got_image.shape} and {got.shape}.")
        mistake = _padding_mistake(got, wanted, label) or _image_mistake(got_image, wanted_image)
        if mistake:
            return f"{rows} x {columns} into {height} x {width}: {mistake}"
    return None


def _padding_mistake(got: np.ndarray, wanted: np.ndarray, label: np.ndarray) -> str | None:
    """What is wrong with a padded label."""
    if np.array_equal(got, wanted):
        return None
    if np.array_equal(got, np.where(wanted == IGNORE_INDEX, 0, wanted)):
        return ("the border of the label is 0, which is a class: the network would be taught "
                f"that the border is background. Use {IGNORE_INDEX}.")
    if np.array_equal(got[:label.shape[0], :label.shape[1]], label):
        return "the picture lies in the top left corner; put it into the middle."
    if np.array_equal(np.sort(got, axis=None), np.sort(wanted, axis=None)):
        return "the place is off by one: of an odd number of rows the extra one goes to the bottom."
    return "the label's values differ from those of a label set into the middle of 255s."


def _image_mistake(got: np.ndarray, wanted: np.ndarray) -> str | None:
    """What is wrong with a padded image, the label being right."""
    if np.allclose(got, wanted):
        return None
    inside = wanted != 0
    if np.allclose(got[inside], wanted[inside]):
        return ("the border of the image is not 0. The image is normalised, so that 0 is the mean "
                "colour.")
    return "the image does not lie where its label lies."


@exercise("7.4", "One file like this, and every command of the package knows the dataset.")
def check_entry(attempt: dict[str, Any]) -> Iterator[str | None]:
    """Read all of the new dataset by the entry `attempt`, and compare it with what was drawn."""
    try:
        labels = parse_label_set(NAME, attempt, "my_entry")
        found = {split: SegmentationDataset(labels, new_dataset(), split) for split in SPLITS}
    except UsageError as error:
        yield _counted_raws(attempt)
        yield f"The package refuses the entry: {error.line}"
    except DataError as error:
        yield f"The entry is of the right form, but finds no files: {error.line}"
    for split, (folder, count) in SPLITS.items():
        if len(found[split]) != count:
            yield f"{split} has {len(found[split])} pictures; in {folder} there are {count}."
    for value in (NOT_ANNOTATED, UNSURE):
        if value in labels.raw_values:
            yield (f"{value} is a class in your entry, {labels.classes[labels.label_map[value]]}; "
                   "nobody said what such pixels are: they can neither be learnt nor judged.")
    yield _counted_raws(attempt)
    for split in SPLITS:
        for index, mask in enumerate(masks(split)):
            yield _value_mistake(labels, np.unique(mask), found[split].samples[index].label)
    for value, (name, colour) in CLASSES.items():
        train_id = labels.label_map[value]
        if labels.classes[train_id] != name:
            yield f"Value {value} is {name}, not {labels.classes[train_id]}."
        if labels.palette[train_id] != colour:
            turned = labels.palette[train_id] == colour[::-1]
            yield (f"{name} has the colour {list(labels.palette[train_id])} in your entry"
                   + (": red and blue have changed places." if turned else
                      "; each two digits of the hexadecimal number are one of its three values."))
    if sorted(labels.ignored) != [NOT_ANNOTATED, UNSURE] or len(labels.classes) != len(CLASSES):
        extra = {*labels.label_map} - {*CLASSES, NOT_ANNOTATED, UNSURE}
        yield (f"The entry allows {', '.join(map(str, sorted(extra)))}, which nobody has written: "
               "a damaged mask would go unnoticed.")
    if labels.resize != get_dataset("voc").resize:
        yield (f"`resize` is {list(labels.resize)}; the text asks for VOC's, which "
               "`list(get_dataset(\"voc\").resize)` gives.")


def _counted_raws(attempt: Any) -> str | None:
    """What is wrong if the classes of an entry are numbered by their place, from 0 or 1 on."""
    classes = attempt.get("classes") if isinstance(attempt, dict) else None
    if not classes or not all(isinstance(one, dict) for one in classes):
        return None
    raws = [one.get("raw") for one in classes]
    if raws not in [list(range(first, first + len(raws))) for first in (0, 1)]:
        return None
    return ("You numbered the classes; `raw` is the value that stands for a class in the files, "
            "which the package then numbers itself.")


def _value_mistake(labels: LabelSet, values: np.ndarray, file: str) -> str | None:
    """What an entry says wrongly of the raw values that occur in a file."""
    for value in values.tolist():
        if value not in labels.label_map:
            return f"{file} holds the value {value}, which your entry does not know."
        if value in CLASSES and value in labels.ignored:
            return f"{value} ({CLASSES[value][0]}) is ignored in your entry; it is a class."
    return None
