"""Windows, scales, mirroring and the pass over a dataset, with networks of one line."""

import math
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from card import Card, OnCard, on_card
from fake_gpu import in_fork
from torch import nn

from deeplab.evaluation import upsample
from deeplab.evaluation.inference import (Inference, augmented, evaluate, predict, slide_inference,
                                          whole_inference, window_slices)
from deeplab.evaluation.metrics import class_counts, confusion_matrix, mean_iou
from deeplab.support.errors import DataError, UsageError


class TinyNetwork(nn.Module):
    """Three classes at output stride 8, with a layer that behaves differently in training."""

    def __init__(self, seed: int = 0):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.conv = nn.Conv2d(3, 3, kernel_size=3, stride=8, padding=1)
        self.norm = nn.BatchNorm2d(3)
        self.dropout = nn.Dropout(0.5)

    def forward(self, image):
        return SimpleNamespace(main=self.dropout(self.norm(self.conv(image))))


class Pixels:
    """Every pixel is its own feature cell and its colour is its logits."""

    def __call__(self, image):
        return SimpleNamespace(main=image)


def image_of(height: int, width: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def scenes(count: int, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Images of different sizes and labels with ignored pixels, as a dataset gives them."""
    rng = np.random.default_rng(seed)
    sizes = [(40 + 3 * i, 50 - 2 * i) for i in range(count)]
    return [(rng.integers(0, 256, (*size, 3), dtype=np.uint8),
             rng.choice(np.array([0, 1, 2, 255], np.uint8), size)) for size in sizes]


def half_size(image: np.ndarray) -> torch.Tensor:
    """A test transform that changes the size: float (3, h, w) of every second pixel."""
    return torch.from_numpy(image[::2, ::2].copy()).permute(2, 0, 1) / 128 - 1


def test_the_whole_image_gives_the_networks_logits_or_their_softmax():
    model, image = TinyNetwork().eval(), image_of(33, 41)
    assert torch.equal(whole_inference(model, image), model(image).main)
    assert torch.equal(whole_inference(model, image, probabilities=True),
                       model(image).main.softmax(1))


@pytest.mark.parametrize(("length", "window", "stride", "starts"), [
    (520, 480, 320, [0, 40]),  # RECIPE's example
    (390, 480, 320, [0]),
    (480, 480, 320, [0]),
    (481, 480, 320, [0, 1]),
    (800, 480, 320, [0, 320]),
    (801, 480, 320, [0, 320, 321]),
    (10, 4, 4, [0, 4, 6]),
])
def test_windows_stand_where_the_rule_says(length, window, stride, starts):
    got = window_slices(length, window=window, stride=stride)
    assert [part.start for part in got] == starts
    assert all(part.stop == part.start + min(window, length) for part in got)


def test_windows_cover_every_pixel_and_number_as_upstream_counts():
    for length in range(1, 60):
        for window, stride in ((7, 7), (8, 5), (12, 1), (70, 3)):
            got = window_slices(length, window=window, stride=stride)
            assert len(got) == max(length - window + stride - 1, 0) // stride + 1
            covered = {pixel for part in got for pixel in range(part.start, part.stop)}
            assert covered == set(range(length))


@pytest.mark.parametrize("stride", [0, -1, 9])
def test_a_stride_that_leaves_gaps_is_refused(stride):
    with pytest.raises(UsageError, match=r"E-WINDOW (.|\n)*window 8, stride"):
        window_slices(20, window=8, stride=stride)


def test_sliding_a_network_without_context_is_the_same_as_not_sliding():
    image = image_of(23, 31)
    got = slide_inference(Pixels(), image, window=(8, 10), stride=(5, 6))
    torch.testing.assert_close(got, image.softmax(1), rtol=0, atol=1e-6)
    got = slide_inference(Pixels(), image, window=(8, 10), stride=(5, 6), probabilities=False)
    torch.testing.assert_close(got, image, rtol=0, atol=1e-6)


def test_a_pixel_gets_the_mean_of_the_probabilities_of_the_windows_that_see_it():
    """Two windows of 10 columns, from 0 and from 4, worked by hand."""
    model, image = TinyNetwork().eval(), image_of(10, 14)
    left, right = (F.interpolate(model(image[..., at:at + 10]).main, (10, 10), mode="bilinear")
                   .softmax(1) for at in (0, 4))
    got = slide_inference(model, image, window=(10, 10), stride=(7, 7))
    torch.testing.assert_close(got[..., :4], left[..., :4])
    torch.testing.assert_close(got[..., 4:10], (left[..., 4:] + right[..., :6]) / 2)
    torch.testing.assert_close(got[..., 10:], right[..., 6:])


def test_a_window_larger_than_the_image_sees_the_whole_image():
    model, image = TinyNetwork().eval(), image_of(33, 41)
    got = slide_inference(model, image, window=(100, 99), stride=(50, 50), probabilities=False)
    want = F.interpolate(model(image).main, (33, 41), mode="bilinear", align_corners=False)
    assert torch.equal(got, want)


def test_window_and_stride_are_height_then_width():
    seen = []

    def model(view):
        seen.append(tuple(view.shape[-2:]))
        return Pixels()(view)

    slide_inference(model, image_of(20, 40), window=(10, 16), stride=(10, 12))
    assert seen == [(10, 16)] * 2 * 3


def test_without_scales_or_mirroring_there_is_one_output_and_the_image_is_untouched():
    (output,) = augmented(lambda view: view, image := image_of(9, 11))
    assert output is image


def test_each_scale_is_rounded_down_and_mirrored_outputs_are_mirrored_back():
    image = image_of(97, 129)
    outputs = augmented(lambda view: view, image, scales=(0.75, 1.0, 1.25), flip=True)
    assert [tuple(output.shape[-2:]) for output in outputs] == [
        (72, 96), (72, 96), (97, 129), (97, 129), (121, 161), (121, 161)]
    for straight, mirrored in zip(outputs[::2], outputs[1::2]):
        assert torch.equal(straight, mirrored)


def test_the_network_really_sees_the_mirrored_image():
    """Summing along a row from the left: a mirrored view gives sums from the right."""
    image = image_of(5, 7)
    straight, mirrored = augmented(lambda view: view.cumsum(-1), image, flip=True)
    assert torch.equal(straight, image.cumsum(-1))
    torch.testing.assert_close(mirrored, image.flip(-1).cumsum(-1).flip(-1))


def evaluate_tiny(model, dataset, **options):
    return evaluate(model, dataset, transform=half_size, num_classes=3, **options)


def test_the_prediction_is_scored_at_the_labels_own_size():
    """The same pass written out plainly: resized image, logits, one resize, argmax, count."""
    model, dataset = TinyNetwork(), scenes(3)
    model.eval()
    total, mious = 0, []
    for image, label in dataset:
        with torch.inference_mode():
            logits = model(half_size(image)[None]).main
        full = F.interpolate(logits, label.shape, mode="bilinear", align_corners=False)
        counts = confusion_matrix(full.argmax(1)[0], label, num_classes=3)
        total, mious = total + counts, [*mious, mean_iou(counts)]
    result = evaluate_tiny(model, dataset)
    assert torch.equal(result.confusion, total)
    assert result.image_mious == mious
    assert result.mean_iou == mean_iou(total) != pytest.approx(np.mean(mious), abs=1e-9)
    assert (result.num_images, result.indices) == (3, [0, 1, 2])
    assert result.class_iou.shape == (3,) and result.seconds > 0


def test_a_prediction_in_many_tiles_is_counted_once(monkeypatch):
    model, dataset = TinyNetwork(), scenes(2)
    whole = evaluate_tiny(model, dataset)
    monkeypatch.setattr(upsample, "ON_CPU", 3 * 7 ** 2)
    tiled = evaluate_tiny(model, dataset)
    assert torch.equal(tiled.confusion, whole.confusion)
    assert tiled.image_mious == whole.image_mious


def test_parts_of_a_dataset_add_up_to_the_whole():
    model, dataset = TinyNetwork(), scenes(7)
    parts = [evaluate_tiny(model, dataset, indices=range(rank, 7, 2)) for rank in (0, 1)]
    total = evaluate_tiny(model, dataset)
    assert torch.equal(parts[0].confusion + parts[1].confusion, total.confusion)
    assert sorted(parts[0].indices + parts[1].indices) == total.indices


def test_no_images_give_an_empty_result():
    result = evaluate_tiny(TinyNetwork(), scenes(2), indices=[])
    assert result.num_images == 0 and result.confusion.sum() == 0 and math.isnan(result.mean_iou)


def test_a_pass_can_slide_and_average_scales_and_mirror_images():
    model, dataset = TinyNetwork(), scenes(2)
    sizes = {"window": (16, 16), "stride": (8, 8)}
    result = evaluate_tiny(model, dataset, inference=Inference(
        "slide", scales=(0.75, 1.0), flip=True, **sizes))
    model.eval()
    image, label = dataset[1]
    outputs = augmented(lambda view: slide_inference(model, view, **sizes), half_size(image)[None],
                        scales=(0.75, 1.0), flip=True)
    mean = sum(F.interpolate(output, label.shape, mode="bilinear") for output in outputs) / 4
    counts = confusion_matrix(mean.argmax(1)[0], label, num_classes=3)
    assert torch.equal(result.image_counts.sum(0), class_counts(result.confusion))
    assert result.image_mious[1] == mean_iou(counts)


def test_every_layer_is_back_in_its_own_mode_and_no_state_or_random_number_is_used():
    model = TinyNetwork().train()
    model.norm.eval()  # a frozen BatchNorm must stay frozen
    before = {key: value.clone() for key, value in model.state_dict().items()}
    torch.manual_seed(5)
    random_state = torch.get_rng_state()
    evaluate_tiny(model, scenes(2))
    assert model.training and model.dropout.training and not model.norm.training
    assert torch.equal(torch.get_rng_state(), random_state)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_the_mode_is_restored_when_an_image_cannot_be_read():
    """The background thread's own error arrives, and after the images before it."""
    class Broken(list):
        def __getitem__(self, index):
            if index == 1:
                raise DataError.of("E-IMAGE", "damaged", file="b.jpg")
            return super().__getitem__(index)

    model, done = TinyNetwork().train(), []
    with pytest.raises(DataError, match=r"E-IMAGE damaged\n  file: b.jpg"):
        evaluate_tiny(model, Broken(scenes(3)), progress=lambda *counts: done.append(counts))
    assert model.training and done == [(1, 3)]


def test_at_most_one_image_is_decoded_ahead():
    read, ahead = [], []

    class Watched(list):
        def __getitem__(self, index):
            read.append(index)
            return super().__getitem__(index)

    evaluate_tiny(TinyNetwork(), Watched(scenes(6)),
                  progress=lambda done, total: ahead.append(len(read) - done))
    assert read == list(range(6)) and max(ahead) <= 2


def test_progress_counts_the_images():
    counts = []
    evaluate_tiny(TinyNetwork(), scenes(3), progress=lambda *pair: counts.append(pair))
    assert counts == [(1, 3), (2, 3), (3, 3)]


def test_mixed_precision_reaches_the_network_and_ends_before_the_score():
    seen = []

    class Watched(TinyNetwork):
        def forward(self, image):
            logits = super().forward(image)
            seen.append(logits.main.dtype)
            return logits

    result = evaluate_tiny(Watched(), scenes(1), autocast=torch.bfloat16)
    assert seen == [torch.bfloat16] and result.confusion.dtype == torch.int64


@pytest.mark.parametrize(("options", "message"), [
    ({"mode": "sliding"}, r"E-INFERENCE (.|\n)*'sliding'   expected: 'whole' or 'slide'"),
    ({"mode": "slide"}, r"E-INFERENCE sliding needs a window"),
    ({"mode": "slide", "window": (8, 8)}, r"E-INFERENCE (.|\n)*stride=None"),
    ({"mode": "slide", "window": (8, 8), "stride": (8, 9)}, r"E-WINDOW (.|\n)*stride 9"),
    ({"scales": ()}, r"E-SCALES"),
    ({"scales": (0.0,)}, r"E-SCALES"),
    ({"scales": (1.0, -0.5)}, r"E-SCALES (.|\n)*found: \(1.0, -0.5\)"),
])
def test_an_inference_that_cannot_run_is_refused_when_it_is_made(options, message):
    with pytest.raises(UsageError, match=message):
        Inference(**options)


def test_a_prediction_averages_the_same_looks_as_the_pass():
    model, (image, label) = TinyNetwork(), scenes(1)[0]
    looks = Inference(scales=(0.75, 1.0), flip=True)
    prediction = predict(model, half_size(image), height=label.shape[0], width=label.shape[1],
                         inference=looks)
    counts = confusion_matrix(prediction, label, num_classes=3)
    assert torch.equal(counts, evaluate_tiny(model, scenes(1), inference=looks).confusion)


class OneLayer(nn.Module):
    """Three classes at output stride 8, of one convolution."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(7)
            self.conv = nn.Conv2d(3, 3, kernel_size=3, stride=8, padding=1)

    def forward(self, image):
        return SimpleNamespace(main=self.conv(image))


INFERENCE = Inference(scales=(1.0, 0.5), flip=True)


def counted_on_a_card():
    """Counts of an evaluation on a pretended GPU, and how many other threads decoded."""
    threads = set()

    def decoded(image):
        threads.add(threading.get_ident())
        return half_size(image)

    with Card():
        found = evaluate(on_card(OneLayer()), scenes(9), transform=decoded, num_classes=3,
                         inference=INFERENCE)
    assert not isinstance(found.confusion, OnCard) and threading.get_ident() not in threads
    return found.confusion.tolist(), found.image_counts.tolist(), found.indices, len(threads)


def test_beside_a_gpu_threads_decode_and_the_same_integers_are_counted():
    """Where devices are mixed the pretended GPU raises; the counts come back to the CPU."""
    *found, threads = in_fork(counted_on_a_card)
    wanted = evaluate(OneLayer(), scenes(9), transform=half_size, num_classes=3,
                      inference=INFERENCE)
    assert found == [wanted.confusion.tolist(), wanted.image_counts.tolist(), wanted.indices]
    assert 1 < threads <= 4


def labelled_on_a_card():
    with Card():
        return predict(on_card(OneLayer()), image_of(50, 70)[0], height=61, width=83)


def mixed_on_a_card():
    with Card():
        on_card(OneLayer())(image_of(50, 70))


def test_a_photograph_is_labelled_on_a_gpu_as_on_the_cpu():
    wanted = predict(OneLayer(), image_of(50, 70)[0], height=61, width=83)
    found = in_fork(labelled_on_a_card)
    assert found.dtype == np.uint8 and (found == wanted).mean() > 0.999
    with pytest.raises(RuntimeError, match="tensors on two devices"):
        in_fork(mixed_on_a_card)
