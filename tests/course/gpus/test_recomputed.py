"""A step whose blocks are computed twice keeps less and gives the same gradient."""

import torch

from deeplab.course.gpus import timing
from deeplab.course.gpus.recomputed import measured
from deeplab.course.gpus.two_processes import demo_batch


def test_recomputing_keeps_less_and_gives_the_same_gradient():
    model, image, label = demo_batch()
    plain, again = (measured(model, image[:2], label[:2], recompute=recompute, repeats=1)
                    for recompute in (False, True))
    assert again.kept < 0.7 * plain.kept
    assert torch.equal(again.gradient, plain.gradient)
    assert not model.training or all(weight.grad is None for weight in model.parameters())


def test_seconds_are_the_median_without_the_warm_up(monkeypatch):
    clock, calls = iter([0, 1, 10, 13, 20, 22]), []
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(clock))
    assert timing.median_seconds(lambda: calls.append(1), warm_up=2, repeats=3) == 2
    assert len(calls) == 5


def test_a_gpu_is_waited_for_before_each_look_at_the_clock(monkeypatch):
    waits = []
    monkeypatch.setattr(torch.cuda, "synchronize", waits.append)
    timing.median_seconds(lambda: None, device="cuda:1", repeats=2)
    assert waits == ["cuda:1"] * 4
