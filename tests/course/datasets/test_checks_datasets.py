"""The checks of lesson 7 pass the right answer and name each usual mistake."""

import copy

import numpy as np
import pytest

from deeplab.course.datasets import checks, new_dataset


def trainaug(voc_train, voc_val, sbd_train, sbd_val):
    return sorted({*voc_train, *sbd_train, *sbd_val} - set(voc_val))


def test_the_union_without_val_is_correct():
    assert checks.check_trainaug(trainaug).startswith("Exercise 7.1: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda train, val, sbd, sbd_val: sorted({*train, *sbd, *sbd_val}), "trained on and then"),
    (lambda train, val, sbd, sbd_val: [name for name in train + sbd + sbd_val if name not in val],
     "appear twice"),
    (lambda train, val, sbd, sbd_val: trainaug(train, val, sbd, []), "2008_8 is missing. SBD"),
    (lambda train, val, sbd, sbd_val: trainaug([], val, sbd, sbd_val), "2007_3 is missing. VOC's"),
    (lambda train, val, sbd, sbd_val: trainaug(train, val, [], sbd_val), "what the 'aug'"),
    (lambda train, val, sbd, sbd_val: sorted(train), "Missing: 2008_7, 2008_8"),
    (lambda *lists: trainaug(*lists)[::-1], "sort them"),
    (lambda *lists: [*trainaug(*lists), "2009_1"], "2009_1: in none of the lists"),
    (lambda train, val, sbd, sbd_val: sorted({*trainaug(train, val, sbd, sbd_val), "2007_2"}),
     "2007_2 would be trained on and then scored: it is"),
    (lambda train, val, *sbd: trainaug(train, [], *sbd), "scored: they are"),
    (lambda *lists: None, "got None"),
])
def test_a_wrong_trainaug_is_told_what_is_wrong(mistake, message):
    verdict = checks.check_trainaug(mistake)
    assert "not yet" in verdict and message in verdict


def class_counts(labels, num_classes):
    return np.stack([np.bincount(label[label != 255], minlength=num_classes) for label in labels])


def shares(labels, num_classes):
    counts = class_counts(labels, num_classes).sum(0)
    return counts / counts.sum()


def test_shares_of_one_count_are_correct():
    assert checks.check_class_shares(shares).startswith("Exercise 7.2: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda labels, k: class_counts(labels, k).sum(0) / sum(map(np.size, labels)), "all pixels"),
    (lambda labels, k: np.mean([shares([label], k) for label in labels], 0), "images' own shares"),
    (lambda labels, k: class_counts(labels, k).sum(0), "Those are pixels"),
    (lambda labels, k: 100 * shares(labels, k), "per cent"),
    (lambda labels, k: shares(labels[:1], k), "first label alone"),
    (lambda labels, k: (class_counts(labels, k) > 0).mean(0), "share of images"),
    (lambda labels, k: sum(np.bincount(label[label < 255]) for label in labels),
     "raised ValueError"),
    (lambda labels, k: shares(labels, 4), "also for classes that do not occur"),
    (lambda labels, k: shares(labels, k)[::-1], "Class 0 covers"),
    (lambda labels, k: None, "got None"),
])
def test_wrong_shares_are_told_what_is_wrong(mistake, message):
    verdict = checks.check_class_shares(mistake)
    assert "not yet" in verdict and message in verdict


def padded(image, label, height, width, *, border=255, odd=0, middle=True, colour=0):
    rows, columns = label.shape
    top, left = (height - rows + odd) // 2, (width - columns + odd) // 2
    if not middle:
        top = left = 0
    window = np.s_[top:top + rows, left:left + columns]
    full_image = np.full((height, width, 3), colour, np.float32)
    full_label = np.full((height, width), border, np.uint8)
    full_image[window], full_label[window] = image, label
    return full_image, full_label


def test_a_picture_in_the_middle_of_void_is_correct():
    assert checks.check_padded(padded).startswith("Exercise 7.3: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda *given: padded(*given, border=0), "which is a class"),
    (lambda *given: padded(*given, middle=False), "top left corner"),
    (lambda *given: padded(*given, odd=1), "off by one"),
    (lambda *given: padded(*given, colour=124), "border of the image is not 0"),
    (lambda *given: (padded(*given)[0], padded(*given, border=254)[1]), "label's values differ"),
    (lambda *given: (padded(*given)[0][::-1], padded(*given)[1]), "not lie where its label"),
    (lambda image, label, height, width: (image, label), "Expected shapes"),
    (lambda *given: None, "Expected a pair"),
])
def test_wrong_padding_is_told_what_is_wrong(mistake, message):
    verdict = checks.check_padded(mistake)
    assert "not yet" in verdict and message in verdict


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A data folder of its own, in which the new dataset is drawn."""
    monkeypatch.setenv("DEEPLAB_DATA", str(tmp_path))
    return tmp_path


RIGHT = {
    "title": "Orchard", "resize": [2048, 512], "ignored": [0, 250],
    "layout": {"folders": ["orchard"], "images": "pictures/{split}/{id}.jpg",
               "labels": "masks/{split}/{id}_mask.png",
               "split_folders": {"train": "training", "val": "held_out"}},
    "classes": [{"raw": value, "name": name, "color": list(colour)}
                for value, (name, colour) in new_dataset.CLASSES.items()]}


def entry(change):
    """The right entry after `change`, which gets it and its classes by name."""
    made = copy.deepcopy(RIGHT)
    change(made, {one["name"]: one for one in made["classes"]})
    return made


def without_fruit(made, classes):
    made["classes"].remove(classes["fruit"])


def fruit_ignored(made, classes):
    without_fruit(made, classes)
    made["ignored"].append(90)


def zero_as_class(made, classes):
    made["ignored"].remove(0)
    made["classes"].append({"raw": 0, "name": "background", "color": [0, 0, 0]})


def exchanged(made, classes):
    classes["leaf"]["raw"], classes["grass"]["raw"] = 40, 30


def numbered(made, classes):
    for number, one in enumerate(made["classes"], start=1):
        one["raw"] = number


def test_the_entry_of_the_new_dataset_is_correct(data):
    assert checks.check_entry(RIGHT).startswith("Exercise 7.4: correct.")
    turned = {**RIGHT, "classes": RIGHT["classes"][::-1]}
    assert checks.check_entry(turned).startswith("Exercise 7.4: correct.")
    assert checks.check_entry(None).endswith("not attempted yet.")


def test_the_new_dataset_holds_what_its_text_says_and_two_rare_values(data):
    folder = new_dataset.new_dataset() / "orchard"
    for value, (name, (red, green, blue)) in new_dataset.CLASSES.items():
        assert f"{value:4}   {name:18}#{red:02X}{green:02X}{blue:02X}" in new_dataset.ABOUT
    train, val = (set(np.unique(new_dataset.masks(split)).tolist()) for split in ("train", "val"))
    assert train == {0, *new_dataset.CLASSES} and val == train | {250}
    assert len(list((folder / "masks").rglob("*_mask.png"))) == 9


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda made, classes: made.pop("ignored"), "refuses the entry: E-DATASET"),
    (lambda made, classes: made["resize"].reverse(), "resize is [512, 2048]"),
    (lambda made, classes: classes["sky"].update(color="#87CEEB"), "[red, green, blue]"),
    (lambda made, classes: made["layout"].update(labels="masks/{split}/{id}.png"),
     "finds no files"),
    (lambda made, classes: made["layout"].pop("split_folders"), "finds no files"),
    (lambda made, classes: made["layout"]["split_folders"].update(val="training"),
     "val has 6 pictures; in held_out there are 3"),
    (zero_as_class, "0 is a class in your entry, background"),
    (lambda made, classes: made["ignored"].remove(250),
     "masks/held_out/row_07_mask.png holds the value 250"),
    (without_fruit, "holds the value 90"),
    (numbered, "You numbered the classes"),
    (lambda made, classes: made.update(resize=[64, 48]), "the text asks for VOC's"),
    (lambda made, classes: [one.update(raw=number) for number, one in enumerate(made["classes"])],
     "You numbered the classes"),
    (lambda made, classes: classes["soil"].update(raw=11),
     "masks/training/row_00_mask.png holds the value 10"),
    (fruit_ignored, "90 (fruit) is ignored"),
    (exchanged, "Value 40 is grass, not leaf"),
    (lambda made, classes: classes["sky"]["color"].reverse(), "red and blue have changed places"),
    (lambda made, classes: classes["sky"].update(color=[87, 206, 235]), "each two digits"),
    (lambda made, classes: made["ignored"].append(255), "allows 255, which nobody has written"),
])
def test_a_wrong_entry_is_told_what_is_wrong(data, mistake, message):
    verdict = checks.check_entry(entry(mistake))
    assert "not yet" in verdict and message in verdict


def test_an_entry_that_is_none_is_refused_or_raises_in_the_line(data):
    assert "an object with the keys" in checks.check_entry(["orchard"])
    assert "not yet" in checks.check_entry(lambda: RIGHT)
