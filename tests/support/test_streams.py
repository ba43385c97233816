"""Batches that come early and numbers that are read late, with a pretended stream."""

import contextlib

import pytest
import torch

from deeplab.support import streams
from deeplab.support.streams import LateValues, prefetched


class Tape:
    """Streams and events that write down what is asked of them."""

    def __init__(self):
        self.said, self.count = [], 0

    def record_event(self):
        self.count += 1
        self.said.append(f"event {self.count}")
        return self.count

    def wait_event(self, event):
        self.said.append(f"wait for {event}")


class Batch:
    def __init__(self, number, tape):
        self.number, self.tape = number, tape

    def record_stream(self, stream):
        self.tape.said.append(f"keep {self.number}")


@pytest.fixture
def tape(monkeypatch):
    tape = Tape()

    @contextlib.contextmanager
    def on(stream):
        tape.said.append("side")
        yield
        tape.said.append("main")

    monkeypatch.setattr(torch.cuda, "Stream", lambda: tape)
    monkeypatch.setattr(torch.cuda, "stream", on)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: tape)
    return tape


def test_on_a_gpu_the_next_batch_is_ordered_before_a_step_gets_its_own(tape):
    def to_device(number):
        tape.said.append(f"copy {number}")
        return (Batch(number, tape),)

    for (batch,) in prefetched([1, 2, 3], to_device, "cuda"):
        tape.said.append(f"step {batch.number}")
    copied = [["side", f"copy {number}", f"event {number}", "main"] for number in (1, 2, 3)]
    used = [[f"wait for {number}", f"keep {number}", f"step {number}"] for number in (1, 2, 3)]
    assert tape.said == [*copied[0], *copied[1], *used[0], *copied[2], *used[1], *used[2]]


def test_on_a_cpu_a_batch_is_made_when_it_is_asked_for(tape):
    made = []
    batches = prefetched([1, 2, 3], lambda number: made.append(number) or (number,), "cpu")
    assert next(batches) == (1,) and made == [1]
    assert list(batches) == [(2,), (3,)] and tape.said == []


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_of_nothing_nothing_comes(tape, device):
    assert list(prefetched([], tuple, device)) == []


def test_late_values_are_those_of_the_scalars():
    values = [torch.tensor(0.1, requires_grad=True), torch.tensor(7.0)]
    assert LateValues(*values).read() == [value.item() for value in values]


def test_values_of_a_gpu_are_waited_for_by_their_own_event(tape, monkeypatch):
    """Not by emptying the stream, on which the next step runs already."""
    class OnGpu:
        is_cuda = True

        def to(self, device, non_blocking):
            assert device == "cpu" and non_blocking
            return torch.tensor([1.0, 2.0])

    class Event:
        def synchronize(self):
            tape.said.append("synchronize")

    monkeypatch.setattr(streams.torch, "stack", lambda scalars: OnGpu())
    monkeypatch.setattr(tape, "record_event", Event)
    values = LateValues(torch.tensor(1.0), torch.tensor(2.0))
    assert tape.said == []
    assert values.read() == [1.0, 2.0] and tape.said == ["synchronize"]
