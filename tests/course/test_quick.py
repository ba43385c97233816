"""The experiments of lessons run anywhere."""

import torch

from deeplab.course.quick import demo_experiment


def test_a_lesson_stays_on_the_cpu_where_there_is_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    experiment = demo_experiment("voc_r50_d16")
    assert experiment.device == experiment.settings.device == "cpu"
    assert experiment.settings.workers == 0
