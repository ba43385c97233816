"""The checks of lesson 11 pass the right answer and name each usual mistake."""

import hashlib
import json
import os
from unittest import mock

import pytest
import torch
import torch.nn.functional as F

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
    (lambda manifest, files: max((entry["step"] for entry in manifest if hashlib.sha256(
        files.get(entry["file"], b"")).digest() == entry["sha256"]), default=None),
     "not `digest()`"),
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


def resumable(forgotten=(), *, whole_files=True, every=1, again=False):
    """A run that goes on from its newest file; the arguments make usual mistakes."""
    def run(folder, model, images, labels, steps):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        file, losses = folder / "run.pt", []
        if file.exists():
            state = torch.load(file, weights_only=True)
            if "running" not in forgotten or len(state["losses"]) < steps:
                model.load_state_dict(state["model"], strict=False)
            losses = [] if "losses" in forgotten else state["losses"]
            if "momenta" not in forgotten:
                optimizer.load_state_dict(state["optimizer"])
            if "numbers" not in forgotten:
                torch.set_rng_state(state["numbers"])
        for step in range(0 if again else len(losses), steps):
            batch = torch.randint(len(images), (4,))
            loss = F.cross_entropy(model(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            if (step + 1) % every == 0:
                weights = model.named_parameters() if "statistics" in forgotten else (
                    model.state_dict().items())
                torch.save({"model": dict(weights), "optimizer": optimizer.state_dict(),
                            "numbers": torch.get_rng_state(), "losses": losses},
                           folder / "part.pt" if whole_files else file)
                if whole_files:
                    os.replace(folder / "part.pt", file)
        return losses
    return run


def seeded(folder, model, images, labels, steps):
    torch.manual_seed(0)
    return resumable()(folder, model, images, labels, steps)


def removed_first(folder, model, images, labels, steps):
    """The last whole file is removed before the next one has its name."""
    with mock.patch.object(os, "replace", lambda part, whole: (
            whole.unlink(missing_ok=True), os.rename(part, whole))):
        return resumable()(folder, model, images, labels, steps)


def in_two_files(folder, model, images, labels, steps):
    """The random numbers have a file of their own, written before that of the weights."""
    save, numbers, set_state = torch.save, folder / "numbers.pt", torch.set_rng_state

    def both(content, file):
        save(content["numbers"], folder / "numbers.part")
        os.replace(folder / "numbers.part", numbers)
        save(content, file)

    def from_file(state):
        set_state(torch.load(numbers, weights_only=True))

    with (mock.patch.object(torch, "save", both),
          mock.patch.object(torch, "set_rng_state", from_file)):
        return resumable()(folder, model, images, labels, steps)


def test_a_run_that_goes_on_from_whole_files_is_correct():
    assert checks.check_resumable(resumable()).startswith("Exercise 11.4: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (resumable(["momenta"]), "momenta were forgotten after step 3"),
    (resumable(["numbers"]), "random numbers began anew after step 3"),
    (resumable(["momenta", "numbers"]), "from step 4 on the losses are others"),
    (resumable(["losses"]), "trained again"),
    (resumable(["running"]), "also where no step is left"),
    (seeded, "seed nothing"),
    (removed_first, "steps a second time"),
    (in_two_files, "put all that belongs to a step into one"),
    (resumable(["statistics"]), "running statistics of BatchNorm"),
    (resumable(whole_files=False), "Half a file lies"),
    (resumable(every=2), "steps a second time"),
    (resumable(every=6), "4 steps a second time"),
    (resumable(again=True), "trained again"),
    (lambda folder, *given: resumable()(folder, *given)[:3], "3 losses instead of 6"),
    (lambda folder, model, *given: checks.plain_run(model, *given), "trained again"),
    (lambda *given: 0 * resumable()(*given)[0], "a list; got 0.0"),
    (lambda folder, *given: checks.plain_run(*given[:3], given[3] + 1), "7 losses"),
    (lambda folder, *given: checks.plain_run(*given[1:]), "It raised TypeError"),
    (lambda *given: 1 / 0, "It raised ZeroDivisionError"),
])
def test_a_run_that_cannot_go_on_is_told_why(mistake, message):
    verdict = checks.check_resumable(mistake)
    assert "not yet" in verdict and message in verdict, verdict


def test_a_stub_is_not_attempted_and_random_numbers_stay_as_they_were():
    def my_resumable(folder, model, images, labels, steps):
        raise NotImplementedError
    before = torch.get_rng_state()
    assert "not attempted" in checks.check_resumable(my_resumable)
    checks.check_resumable(resumable())
    assert torch.equal(before, torch.get_rng_state())
