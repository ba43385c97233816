"""The checks of lesson 11 pass the right answer and name each usual mistake."""

import hashlib
import json

import pytest

from deeplab.course.one_row import checks


def test_whole_batches_of_each_epoch_are_correct():
    assert checks.check_steps(lambda images, batch, epochs: epochs * (images // batch)).startswith(
        "Exercise 11.1: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda images, batch, epochs: epochs * -(-images // batch), "not rounded up"),
    (lambda images, batch, epochs: epochs * images // batch, "before the epochs"),
    (lambda images, batch, epochs: images // batch, "one epoch"),
    (lambda images, batch, epochs: epochs * images, "a step takes a batch"),
    (lambda images, batch, epochs: epochs * images / batch, "A number of steps is whole"),
    (lambda images, batch, epochs: None, "Expected 39660"),
])
def test_a_wrong_count_is_told_what_is_wrong(mistake, message):
    verdict = checks.check_steps(mistake)
    assert "not yet" in verdict and message in verdict


def complete(manifest, files, *, known=True):
    return [entry["step"] for entry in manifest if (entry["file"] in files or not known)
            and hashlib.sha256(files[entry["file"]]).hexdigest() == entry["sha256"]]


def test_the_newest_whole_checkpoint_is_correct():
    assert checks.check_trusted(lambda manifest, files: max(complete(manifest, files), default=None)
                                ).startswith("Exercise 11.2: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda manifest, files: max(entry["step"] for entry in manifest), "only if its SHA-256 fits"),
    (lambda manifest, files: (complete(manifest, files) or [None])[-1], "need not be in order"),
    (lambda manifest, files: max(complete(manifest, files), default=0), "the answer is None"),
    (lambda manifest, files: min(complete(manifest, files), default=None), "expected 300"),
    (lambda manifest, files: max(complete(manifest, files, known=False), default=None),
     "may be missing"),
])
def test_a_wrong_choice_is_told_what_is_wrong(mistake, message):
    verdict = checks.check_trusted(mistake)
    assert "not yet" in verdict and message in verdict


def kept(text, step, *, below=lambda found, step: found <= step):
    lines = []
    for line in text.splitlines():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            break
        if below(record["step"], step):
            lines.append(record)
    return lines


def test_the_lines_up_to_the_checkpoint_are_correct():
    assert checks.check_kept(kept).startswith("Exercise 11.3: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda text, step: kept(text, 10**9), "come after step 10"),
    (lambda text, step: kept(text, step, below=lambda found, step: found < step), "itself"),
    (lambda text, step: [line for line in map(json.loads, text.splitlines())
                         if line["step"] <= step], "json could not read it"),
    (lambda text, step: text.splitlines(), "a list of dictionaries"),
    (lambda text, step: None, "a list of dictionaries"),
    (lambda text, step: kept(text, step)[1:], "expected the first 4 lines"),
])
def test_a_wrong_cut_is_told_what_is_wrong(mistake, message):
    verdict = checks.check_kept(mistake)
    assert "not yet" in verdict and message in verdict
