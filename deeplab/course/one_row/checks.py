"""Checks of lesson 11: the length of a schedule, which checkpoint to trust, what log to keep.

And of its workshop: a run that is killed, and goes on as if it had never been.
"""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from deeplab.course.exercise import exercise, judged
from deeplab.course.one_row.killed import (KILLS, STEPS, Run, forgetful, outcome, plain_run,
                                           resumed)
from deeplab.table.rows import load_rows


@exercise("11.1", "Whole batches, epoch by epoch: so the schedule counts.")
def check_steps(attempt: Callable[[int, int, int], int]) -> Iterator[str | None]:
    """Compare `attempt(num_images, batch_size, epochs)` with the schedules of the table."""
    counts = {"voc": 10582, "ade20k": 20210, "cityscapes": 2975, "context": 4998}
    rows = load_rows()
    for dataset, num_images in counts.items():
        row = rows[f"{dataset}_r50_d8"]
        batch, epochs = row.batch_size, row.epochs
        got, wanted = attempt(num_images, batch, epochs), epochs * (num_images // batch)
        case = f"{num_images:,} images, {batch} a step, {epochs} epochs: got {got}. "
        if isinstance(got, float):
            yield case + "A number of steps is whole: // divides and rounds down."
        yield judged(got, wanted, (
            (epochs * -(-num_images // batch),
             "The rest of an epoch that fills no batch is left out, not rounded up."),
            (epochs * num_images // batch,
             "Whole steps are counted in each epoch, before the epochs are counted."),
            (num_images // batch, "That is one epoch."),
            (epochs * num_images, "These are images; a step takes a batch of them.")),
            f"Expected {wanted}.", case=case, near=0)


@exercise("11.2", "Damage costs the steps since the checkpoint before, not the run.")
def check_trusted(attempt: Callable[[Sequence[Mapping[str, Any]], Mapping[str, bytes]],
                                    int | None]) -> str | None:
    """Compare `attempt(manifest, files)` on whole, damaged and missing checkpoints."""
    files = {f"step-{step:07d}.pt": b"weights of %d" % step for step in (100, 200, 300)}
    manifest = [{"step": int(name[5:12]), "file": name,
                 "sha256": hashlib.sha256(content).hexdigest()}
                for name, content in files.items()]
    newest, middle, oldest = sorted(files, reverse=True)
    cases = (
        ("All files are whole", files, 300),
        ("The newest has a flipped bit", {**files, newest: b"weights of 301"}, 200),
        ("The newest is missing", {name: files[name] for name in (middle, oldest)}, 200),
        ("The newest is cut short, the one before empty",
         {oldest: files[oldest], middle: b"", newest: files[newest][:-1]}, 100),
        ("All are damaged", dict.fromkeys(files, b""), None))
    for case, there, wanted in cases:
        for entries in (manifest, manifest[::-1]):
            try:
                got = attempt(entries, dict(there))
            except KeyError as error:
                return f"{case}: KeyError {error}. A file that is listed may be missing."
            if got == wanted:
                continue
            if wanted is None:
                return f"{case}: got {got}; with nothing to trust the answer is None."
            if got is None:
                return (f"{case}: got None, as if nothing fitted. The entries hold hexadecimal "
                        "digits as text: compare them with `hexdigest()`, not `digest()`.")
            if entries is not manifest:
                return f"{case}: got {got}. The manifest need not be in order; compare steps."
            if got == 300:
                return f"{case}: got 300. A listed file counts only if its SHA-256 fits."
            return f"{case}: got {got}, expected {wanted}, the newest that is whole."
    return None


@exercise("11.3", "What was logged after the checkpoint will happen, and be logged, again.")
def check_kept(attempt: Callable[[str, int], list[dict[str, Any]]]) -> str | None:
    """Compare `attempt(text, step)` on logs that end well, too late, or in half a line."""
    lines = [{"step": 0, "total_steps": 300}, {"step": 5, "loss": 2.5}, {"step": 10, "loss": 2.0},
             {"step": 10, "miou": 20.0}, {"step": 15, "loss": 1.5}]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    cases = (("A log that ends with the checkpoint", "".join(text.splitlines(True)[:4]), 10, 4),
             ("A log that is ahead of the checkpoint", text, 10, 4),
             ("A log whose last line is half written", text + '{"step": 20, "lo', 15, 5))
    for case, given, step, count in cases:
        try:
            got = attempt(given, step)
        except json.JSONDecodeError:
            return f"{case}: json could not read it. Lines after the step need not be read at all."
        if got == lines[:count]:
            continue
        if not isinstance(got, list) or not all(isinstance(line, dict) for line in got):
            return f"{case}: expected a list of dictionaries, one of each line; got {got!r}."
        if len(got) > count:
            return f"{case}: {len(got) - count} kept that come after step {step}."
        if {"step": 10, "miou": 20.0} not in got:
            return f"{case}: the line of step {step} itself is missing; the checkpoint has seen it."
        return f"{case}: expected the first {count} lines, got {got}."
    return None


@exercise("11.4", "Killed five times, and not a bit is different.")
def check_resumable(attempt: Run) -> Iterator[str | None]:
    """Kill `attempt(folder, model, images, labels, steps)`, call it again, and compare.

    Losses and weights must be those of `plain_run`, bit by bit, and at most one step may be
    done again.
    """
    wanted = outcome(lambda folder, *given: plain_run(*given), Path(), STEPS)
    with tempfile.TemporaryDirectory() as name:
        whole = outcome(attempt, Path(name), STEPS)
        mistake = _other_run(whole, wanted, "Never killed: ")
        if mistake and "the losses are others" in mistake:
            yield ("Never killed, it has other losses than `plain_run`. Keep its loop as it is and "
                   "seed nothing: the random numbers began before your function was called.")
        yield mistake
        again = outcome(attempt, Path(name), STEPS)
        if again["forwards"]:
            yield ("A run that is done was called once more, and trained again: it should only "
                   "return its losses.")
        yield _other_run(again, wanted, "Done, and called once more: ")
    for kill in KILLS:
        try:
            first, second = resumed(attempt, kill)
        except Exception as error:  # what is half written breaks in many ways
            if not kill.save:
                raise
            yield (f"{kill.words}, it cannot go on: {type(error).__name__}. Half a file lies "
                   "under the name of a whole one. Write under another name, then rename it "
                   "with `os.replace`.")
            return
        if first["losses"] is not None and kill.rename:
            continue  # it renames nothing: another way to keep whole files
        if first["losses"] is not None:
            yield (f"It was to be killed in its save number {kill.save}, and made fewer. Save with "
                   "`torch.save` after each step.")
        done = first["forwards"] + second["forwards"]
        mistake = _other_run(second, wanted, f"{kill.words}, called again: ")
        if mistake and whole["saves"] > STEPS + 1:
            mistake += (" You write several files a step, which a kill between them leaves at "
                        "different steps: put all that belongs to a step into one.")
        yield mistake
        if done > STEPS + 1:
            yield (f"{kill.words}, it did {done - STEPS} steps a second time; at most one is "
                   "needed. Save after each step, and keep the last whole file until the next "
                   "one is whole and has its name: `os.replace` needs no gap between.")


def _other_run(got: Mapping[str, Any], wanted: Mapping[str, Any], case: str) -> str | None:
    """What a run that is not the one that was wanted has lost."""
    losses, whole = got["losses"], wanted["losses"]
    if not isinstance(losses, list):
        return f"{case}expected the losses of all steps, a list; got {losses!r}."
    if len(losses) != len(whole):
        return (f"{case}{len(losses)} losses instead of {len(whole)}. The losses of the steps "
                "before belong into the checkpoint, and the steps that are left are fewer.")
    if losses != whole:
        return case + _forgotten(losses, whole)
    if not torch.equal(got["weights"], wanted["weights"]):
        return (f"{case}the losses are right, and the weights or the running statistics of "
                "BatchNorm are not. Load both from a checkpoint, also where no step is left.")
    return None


def _forgotten(losses: list[float], whole: list[float]) -> str:
    """Why losses are others from some step on."""
    for after in range(1, STEPS):
        if losses == forgetful("momenta", after):
            return f"the optimiser's momenta were forgotten after step {after}."
        if losses == forgetful("numbers", after):
            return (f"PyTorch's random numbers began anew after step {after}: other images, "
                    "other dropout. Save `torch.get_rng_state()`.")
    first = next(step for step in range(STEPS) if losses[step] != whole[step])
    return (f"from step {first + 1} on the losses are others. What a step reads must all be "
            "saved: weights, momenta, random numbers, and how many steps are done.")
