"""Memory of a training step: published figures, what autograd says that it keeps, by hand."""

import weakref

import pytest
import torch
import torch.nn.functional as F

from deeplab.model.network import DeepLabV3
from deeplab.planning.memory import (GIB, WORKSPACE, LiveBytes, recipe_loss, step_bytes,
                                     training_memory)
from deeplab.training import loss

CITY, SQUARE = (512, 1024, 2), (512, 512, 4)  # crop height, width; images on each of four GPUs
# mmsegmentation's model zoo, "Mem (GB)": what one V100 of four allocates at most in training
PUBLISHED = {
    "voc r50-d8": (6.1, SQUARE, {"num_classes": 21}),
    "voc r101-d8": (9.6, SQUARE, {"num_classes": 21, "depth": 101}),
    "ade20k r50-d8": (8.9, SQUARE, {"num_classes": 150}),
    "ade20k r101-d8": (12.4, SQUARE, {"num_classes": 150, "depth": 101}),
    "cityscapes r50-d8": (6.1, CITY, {}),
    "cityscapes r101-d8": (9.6, CITY, {"depth": 101}),
    "cityscapes r101-d8 fp16": (5.75, CITY, {"depth": 101, "half": True}),
    "cityscapes r50b-d8": (6.0, CITY, {"stem": "7x7"}),
    "cityscapes r101b-d8": (9.5, CITY, {"depth": 101, "stem": "7x7"}),
    "cityscapes r101-d16-mg124": (4.7, CITY, {"depth": 101, "output_stride": 16,
                                              "multi_grid": (1, 2, 4)}),
    "context r101-d8": (9.2, (480, 480, 4), {"num_classes": 60, "depth": 101}),
}


def network(*, output_stride: int = 8, half: bool = False, **changes) -> DeepLabV3:
    """mmsegmentation's model, unless changed: auxiliary head of 256 channels; on no memory."""
    rates = {8: (12, 24, 36), 16: (6, 12, 18)}[output_stride]
    arguments = {"num_classes": 19, "depth": 50, "aux_channels": 256} | changes
    with torch.device("meta"):
        model = DeepLabV3(output_stride=output_stride, atrous_rates=rates, **arguments)
    return model.half() if half else model


def whole_batch_loss(logits, label):
    """mmsegmentation's: all images upsampled at once, in float32."""
    return sum(F.cross_entropy(F.interpolate(one.float(), label.shape[-2:], mode="bilinear"),
                               label.long(), ignore_index=255) for one in logits)


def test_the_published_training_memory_is_predicted():
    """Nine of eleven within 20 % was asked for. The worst are ADE20k's, 7 % too low: PyTorch
    kept the input of log-softmax as well until 2021 (its pull request 65242). Their four GPUs
    kept each gradient and its copy in a bucket.
    """
    errors = {}
    for name, (published, (height, width, images), changes) in PUBLISHED.items():
        memory = training_memory(network(**changes), height=height, width=width, images=images,
                                 gradient_copies=2, loss=whole_batch_loss)
        errors[name] = memory.total / GIB / published - 1
    assert {name: error for name, error in errors.items() if abs(error) > 0.08} == {}


def saved_bytes(model: DeepLabV3, *, height: int, width: int, images: int) -> int:
    """The same by another way: distinct storages that autograd's own hook reports."""
    storages = weakref.WeakSet()

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storages.add(tensor.untyped_storage())
        return tensor

    image = torch.empty(images, 3, height, width, device="meta")
    label = torch.empty(images, height, width, dtype=torch.uint8, device="meta")
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        total = recipe_loss(model.train()(image), label)  # the loss's own graph is gone already
    weights = weakref.WeakSet(tensor.untyped_storage()
                              for tensor in (*model.parameters(), *model.buffers()))
    assert total.requires_grad
    return sum(storage.nbytes() for storage in storages if storage not in weights)


def test_what_lives_after_the_forward_pass_is_what_autograd_saved():
    model, size = network(width=1 / 4), {"height": 128, "width": 192, "images": 2}
    kept, _ = step_bytes(model, **size)
    assert kept == pytest.approx(saved_bytes(model, **size), rel=0.01)


def test_live_bytes_follow_a_step_worked_out_by_hand():
    model = torch.nn.Conv2d(1, 1, 1, device="meta")
    with LiveBytes(model) as live:
        x = torch.empty(1, 1, 10, 10, device="meta")  # 400 bytes, as each map after it
        y = model(x).relu_()  # in place: no bytes of its own
        assert live.bytes == 800
        z = y.exp().sum()  # keeps the map of exp, and one number
        assert live.bytes == 1204
        del x, y, z
        assert (live.bytes, live.peak) == (0, 1204)


def test_one_more_class_costs_what_the_loss_keeps_of_it():
    def kept(num_classes: int, loss) -> int:
        return step_bytes(network(num_classes=num_classes, width=1 / 8), height=64, width=96,
                          images=2, loss=loss)[0]

    planes, number = 2 * 2, 4  # heads times images; bytes
    # ours keeps the gradient of the logits; theirs, log-probabilities at full resolution
    assert kept(22, recipe_loss) - kept(21, recipe_loss) == planes * 8 * 12 * number
    assert kept(22, whole_batch_loss) - kept(21, whole_batch_loss) == planes * 64 * 96 * number


def test_the_projects_loss_needs_less_than_the_usual_one(monkeypatch):
    monkeypatch.setattr(loss, "SLICE_BYTES", 3 * 4 * 150 * 64 * 96)  # one image at a time
    model, size = network(num_classes=150, width=1 / 8), {"height": 64, "width": 96, "images": 4}
    assert step_bytes(model, **size)[1] < 0.6 * step_bytes(model, **size, loss=whole_batch_loss)[1]


def test_states_and_activations_take_the_bytes_that_their_formats_have():
    numbers = 68_114_570  # mmsegmentation's R50 of 21 classes
    two = training_memory(network(num_classes=21), height=128, width=128, images=2)
    assert (two.weights, two.gradients, two.momentum) == (4 * numbers,) * 3
    assert two.total == 12 * numbers + two.activations + two.passing + WORKSPACE
    one = training_memory(network(num_classes=21, half=True), height=128, width=128, images=1)
    assert (one.weights, one.gradients, one.momentum) == (6 * numbers, 4 * numbers, 4 * numbers)
    assert 0.5 < one.activations / (two.activations / 2) < 0.6  # indices and loss do not halve
