"""A training step on a pretended GPU, in float16 on the CPU, and losses that are read late."""

import functools
from dataclasses import replace

import pytest
import torch
from fake_gpu import GPU, Operations, in_fork, on_gpu, pretended_gpu, traffic
from toy_training import log_lines, newest_step, run_digest, toy_settings, toy_train

from deeplab.course.gpus.two_processes import demo_batch
from deeplab.data.augment import Crop, normalized
from deeplab.model.network import Logits
from deeplab.planning.cost import meta_model
from deeplab.runs.config import RunConfig
from deeplab.support.errors import DivergedError
from deeplab.training import loop
from deeplab.training.loop import TrainingSettings, train_step
from deeplab.training.recipe import make_optimizer, segmentation_loss

ROWS = ["voc_r50_d8", "voc_r101_d16", "ade20k_r50_d16", "context_r50_d8"]


@functools.cache
def one_step(row_id):
    """What `measured` says, from a forked process: PyTorch's engine would remember the GPU."""
    return in_fork(measured, row_id)


def measured(row_id):
    """A real `train_step` of the full recipe on a pretended GPU, from the bytes of a batch on."""
    config = RunConfig.of(row_id=row_id, profile="full")
    model, (height, width), seen = meta_model(config).train(), config.crop, {}
    model.aspp.project[0].register_forward_pre_hook(lambda _, given: seen.update(cat=given[0]))
    model.register_forward_hook(lambda _, given, logits: seen.update(logits=logits))
    settings = toy_settings(batch_size=16, device=GPU, precision="float16")
    with pytest.MonkeyPatch.context() as patch, pretended_gpu(patch):
        optimizer = make_optimizer(on_gpu(model), base_lr=0.01, weight_decay=1e-4)
        scaler = torch.amp.GradScaler("cuda")
        batch = Crop(torch.empty(16, height, width, 3, dtype=torch.uint8),
                     torch.empty(16, height, width, dtype=torch.uint8),
                     torch.empty(16, 2, dtype=torch.int64))
        normalized(batch.image[:1], GPU)  # mean and deviation are copied once, and kept
        with Operations() as step:
            image, label = batch.finish(GPU)
            losses = train_step(model, optimizer, scaler, image, label, lr=0.01,
                                settings=settings)
        logits = Logits(*(part.detach().requires_grad_() for part in seen["logits"]))
        with Operations() as of_loss:
            segmentation_loss(logits, label).total.backward()
        names, update = [name for name, *_ in step.done], Operations()
        update.done = step.done[names.index("_amp_foreach_non_finite_check_and_unscale_"):]
        (fused,) = step.named("_fused_sgd_")
        return {
            "logits": [str(part.dtype) for part in seen["logits"]],
            "loss": (str(losses.total.dtype), str(losses.total.device)),
            "cat": (seen["cat"].is_contiguous(memory_format=torch.channels_last),
                    str(seen["cat"].device)),
            "copies": step.copies_between_devices,
            "gradients": {str(weight.grad.dtype) for weight in model.parameters()},
            "scaled": fused[2]["grad_scale"] is not None and fused[2]["found_inf"] is not None,
            "update": update.launches, "of loss": of_loss.launches,
            "moved": traffic(of_loss.done, least=height * width * 150 * 4)}


@pytest.mark.parametrize("row_id", ROWS)
def test_a_step_on_a_gpu_never_waits_and_keeps_its_types_and_layout(row_id):
    """A fake tensor raises where the host would wait for a number, or devices are mixed."""
    step = one_step(row_id)
    assert step["logits"] == ["torch.float16"] * 2 and step["loss"] == ("torch.float32", GPU)
    assert step["cat"] == (True, GPU) and step["gradients"] == {"torch.float32"}
    assert step["copies"] == [("cpu", GPU, False)] * 3  # bytes, sizes, labels; none is waited for


@pytest.mark.parametrize("row_id", ROWS)
def test_an_update_is_a_handful_of_launches(row_id):
    step = one_step(row_id)
    assert step["scaled"] and step["update"] < 20


@pytest.mark.parametrize("row_id", ROWS)
def test_the_loss_of_sixteen_images_is_at_most_150_launches(row_id):
    assert 30 < one_step(row_id)["of loss"] <= 150


def test_the_loss_moves_32_bytes_for_each_upsampled_logit_of_both_heads():
    """ADE20K: 150 classes, 16 crops of 512 x 512, 40 GB a step."""
    moved = one_step("ade20k_r50_d16")["moved"]
    assert moved == 32 * 2 * 16 * 150 * 512 * 512 and 40e9 < moved < 41e9


def test_a_step_that_waits_is_found_out(monkeypatch):
    def waiting(logits, label):
        losses = segmentation_loss(logits, label)
        return losses._replace(total=losses.total * losses.aux.item())

    monkeypatch.setattr(loop, "segmentation_loss", waiting)
    with pytest.raises(RuntimeError, match="_local_scalar_dense"):
        in_fork(measured, "voc_r50_d16")


def demo_steps(*, amp=False, count=3, init_scale=2.0**10, precision=None, side=32, before=0):
    """Losses of some steps of the demo's network, on the CPU, and what trained it.

    On four crops of `side` pixels, after `before` steps in float32.
    """
    model, image, label = demo_batch()
    image, label = image[:4, :, :side, :side], label[:4, :side, :side]  # float16 is slow on a CPU
    for head in (model.classifier[0], model.aux_classifier[-2]):
        head.p = 0.0  # dropout draws other numbers in float16
    model.to(memory_format=torch.channels_last).train()
    optimizer = make_optimizer(model, base_lr=0.01, weight_decay=1e-4)
    for _ in range(before):
        train_step(model, optimizer, torch.amp.GradScaler("cpu", enabled=False), image, label,
                   lr=0.01, settings=toy_settings())
    scaler = torch.amp.GradScaler("cpu", enabled=amp, init_scale=init_scale)
    settings = toy_settings(precision=precision or ("float16" if amp else "float32"))
    losses = [train_step(model, optimizer, scaler, image, label, lr=0.01,
                         settings=settings).total.item() for _ in range(count)]
    return losses, model, optimizer, scaler


def test_float16_follows_float32():
    """The real step, autocast and scaler and all, on crops of the demo's size.

    After five steps: the very first ones, from random weights, magnify what float16 rounds, and
    the losses of a fresh network are 2e-4 to 6e-4 apart. On later ones measured: 2e-6 to 4e-5.
    """
    half, single = (demo_steps(amp=amp, side=88, before=5, init_scale=2.0**16)[0]
                    for amp in (True, False))
    assert half != single and single[0] - single[2] > 0.3
    assert half == pytest.approx(single, rel=5e-5)


def test_bfloat16_follows_float32_without_a_scaler():
    half, _, optimizer, scaler = demo_steps(precision="bfloat16")
    single = demo_steps()[0]
    assert not scaler.is_enabled() and half != single
    assert half == pytest.approx(single, rel=2e-2)  # it keeps two digits
    assert all(state["momentum_buffer"].dtype == torch.float32
               for state in optimizer.state.values())


def test_a_first_step_that_overflows_is_skipped_and_leaves_momenta_of_zero():
    """Those that fused SGD would make itself then have no value."""
    before = demo_batch()[0]
    _, model, optimizer, scaler = demo_steps(amp=True, count=1, init_scale=2.0**40)
    assert scaler.get_scale() == 2.0**39
    for weight, old in zip(model.parameters(), before.parameters(), strict=True):
        assert torch.equal(weight, old)
        assert not optimizer.state[weight]["momentum_buffer"].any()


def test_on_a_gpu_the_newest_loss_stays_unread_unless_it_is_needed():
    """Log every 4th step, checkpoints after 3, 5, 6, 9, 10, 12."""
    cuda, cpu = toy_settings(device="cuda", log_every=4), toy_settings(log_every=4)
    left = [step for step in range(1, 13) if cuda.left_unread(step)]
    assert left == [1, 2, 7, 11]
    assert not any(cpu.left_unread(step) for step in range(1, 13))


@pytest.fixture
def read_late(monkeypatch):
    """Losses are read as on CUDA."""
    real = TrainingSettings.left_unread
    monkeypatch.setattr(TrainingSettings, "left_unread",
                        lambda self, step: real(replace(self, device="cuda"), step))


def test_losses_read_late_are_the_same_and_the_log_too(tmp_path, request):
    toy_train(tmp_path / "at-once", log_every=4)
    request.getfixturevalue("read_late")
    toy_train(tmp_path / "late", log_every=4)
    assert log_lines(tmp_path / "late") == log_lines(tmp_path / "at-once")
    assert run_digest(tmp_path / "late") == run_digest(tmp_path / "at-once")


@pytest.mark.parametrize("step, saved", [(7, 6), (1, 0), (6, 5), (12, 10)])
def test_a_loss_read_late_that_is_not_finite_stops_before_anything_is_saved(
        tmp_path, monkeypatch, read_late, step, saved):
    real, calls = loop.train_step, []

    def broken(*arguments, **options):
        losses = real(*arguments, **options)
        calls.append(1)
        return losses._replace(total=losses.total * torch.nan) if len(calls) == step else losses

    monkeypatch.setattr(loop, "train_step", broken)
    with pytest.raises(DivergedError, match=f"E-DIVERGED.* step {step}\n"):
        toy_train(tmp_path, log_every=4)
    assert len(calls) <= step + 1 and newest_step(tmp_path) == saved
