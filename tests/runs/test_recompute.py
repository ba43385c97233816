"""Recomputed blocks: the same gradients and statistics, from a fraction of the saved bytes."""

import contextlib
import copy
import weakref

import pytest
import torch
from toy_training import toy_model, toy_train

from deeplab.model.backbone import Bottleneck
from deeplab.planning.cost import meta_model
from deeplab.planning.memory import GIB
from deeplab.planning.plan import plan
from deeplab.runs import recompute
from deeplab.runs.config import RunConfig
from deeplab.runs.recompute import recompute_blocks
from deeplab.training.recipe import segmentation_loss


def step(model):
    """One forward and backward pass."""
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(4, 3, 48, 48, generator=generator)
    label = torch.randint(0, 4, (4, 48, 48), generator=generator)
    torch.manual_seed(0)  # dropout
    segmentation_loss(model.train()(image), label).total.backward()


@pytest.fixture
def models():
    plain = toy_model()
    return plain, recompute_blocks(copy.deepcopy(plain))


def test_gradients_are_equal_and_statistics_are_updated_once(models):
    for model in models:
        step(model)
    plain, recomputed = models
    for one, other in zip(plain.parameters(), recomputed.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=0, atol=1e-6)
    for (name, one), other in zip(plain.named_buffers(), recomputed.buffers(), strict=True):
        assert torch.equal(one, other), name
        assert not name.endswith("num_batches_tracked") or one == 1
    assert all(norm.momentum == 0.1 for norm in recomputed.modules()
               if isinstance(norm, torch.nn.BatchNorm2d))


def test_statistics_updated_twice_would_be_seen(models, monkeypatch):
    """The control: PyTorch's checkpoint alone."""
    monkeypatch.setattr(recompute, "_running_statistics_kept",
                        lambda block: contextlib.nullcontext())
    for model in models:
        step(model)
    assert models[1].backbone.layer1[0].bn1.num_batches_tracked == 2


def kept_bytes(row_id, recomputes):
    """Bytes of the maps that autograd's hook is told of, and of the inputs of all blocks."""
    model, seen = meta_model(RunConfig.of(row_id=row_id, profile="full")), weakref.WeakSet()

    def note(tensor):
        seen.add(tensor.untyped_storage())
        return tensor

    for block in model.modules():
        if isinstance(block, Bottleneck):
            block.register_forward_pre_hook(lambda _, given: seen.add(given[0].untyped_storage()))
    if recomputes:
        recompute_blocks(model)
    image = torch.empty(2, 3, 256, 256, device="meta")
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        logits = model.train()(image)
    weights = weakref.WeakSet(one.untyped_storage()
                              for one in (*model.parameters(), *model.buffers()))
    assert logits.main.requires_grad
    return sum(storage.nbytes() for storage in seen if storage not in weights)


@pytest.mark.parametrize("row_id", ["voc_r101_d8", "voc_r50_d8"])
def test_half_of_the_saved_bytes_or_less_are_kept(row_id):
    assert kept_bytes(row_id, True) < 0.5 * kept_bytes(row_id, False)


def test_a_network_in_eval_mode_computes_as_before(models):
    image = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(*(model.eval()(image).main for model in models))


def test_a_recomputed_training_reaches_the_same_loss(tmp_path):
    plain, other = (toy_train(tmp_path / str(index), model=model, scored=3)
                    for index, model in enumerate((toy_model(), recompute_blocks(toy_model()))))
    assert other.mean_iou == pytest.approx(plain.mean_iou, abs=0.5)


def test_the_largest_row_fits_16_gb_with_its_batch_of_16():
    """R101-D8 on a T4, as planned: 0.9 of 16 GiB may be used."""
    (plain,), (saving,) = (plan(["voc_r101_d8"], gpu="T4", checkpoint_activations=saves)
                           for saves in (False, True))
    assert not plain.fits and saving.fits and saving.config.batch_size == 16
    assert saving.memory.activations < 0.5 * plain.memory.activations
    assert saving.memory.total < 0.9 * 16 * GIB
    assert 1.1 < saving.train_hours / plain.train_hours < 4 / 3
