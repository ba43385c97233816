"""The recipe's augmentation against upstream's own outputs, by hand, and as pure functions."""

import json
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from deeplab.data.augment import (MEAN, STD, EvalTransform, TrainTransform, flip, is_varied,
                                  normalize, pad_center, random_crop, to_tensor)
from deeplab.data.distortion import Distortion, draw_distortion, photometric_distortion
from deeplab.data.resample import resize_image, resize_label, resized_size

REFERENCE = Path(__file__).parents[1] / "reference/data"
SIZES = json.loads((REFERENCE / "sss_resize_sizes.json").read_text())
IGNORED_UPSTREAM = 156  # upstream's -100 after its cast to uint8


@pytest.fixture(scope="module")
def upstream():
    """Upstream's arrays; its images are BGR, so ours are reversed in the last axis."""
    with np.load(REFERENCE / "sss_transforms.npz") as arrays:
        return {name: arrays[name] for name in arrays.files}


@pytest.fixture(scope="module")
def rgb(upstream):
    return np.ascontiguousarray(upstream["image_bgr_uint8"][..., ::-1])


def sample(height=40, width=60, seed=0):
    """A random image with a label in which no class is large."""
    rng = np.random.default_rng(seed)
    return (rng.integers(0, 256, (height, width, 3), np.uint8),
            rng.integers(0, 5, (height, width), np.uint8))


@pytest.mark.parametrize("row", SIZES["table"], ids=lambda row: "x".join(map(str, row["hw"])))
def test_resized_sizes_equal_upstreams(row):
    for target in ("2048x512", "520x520", "2048x1024"):
        long_short = tuple(map(int, target.split("x")))
        assert list(resized_size(*row["hw"], target=long_short)) == row[target]["sss_hw"]


@pytest.mark.parametrize("size, target, scale, expected", [
    ((375, 500), (2048, 512), 1.3, (665, 887)),
    ((500, 375), (2048, 512), 0.7, (477, 358)),
    ((200, 1500), (2048, 512), 2.0, (546, 4096)),  # the long side limits
    ((333, 500), (520, 520), 1.37, (474, 712)),
    ((1024, 2048), (2048, 1024), 0.7777, (796, 1592)),
    ((1024, 2048), (2048, 1024), 1.2345, (1264, 2528)),
])
def test_a_scaled_target_is_cut_to_whole_pixels_first(size, target, scale, expected):
    assert resized_size(*size, target=target, scale=scale) == expected


@pytest.mark.parametrize("name", ["128x32", "200x100"])
def test_resizing_equals_upstreams_to_the_byte(upstream, rgb, name):
    long, short = map(int, name.split("x"))
    label = upstream["label_uint8"]
    height, width = resized_size(*label.shape, target=(long, short))
    image = resize_image(rgb, height=height, width=width)
    np.testing.assert_array_equal(image[..., ::-1], upstream[f"resize_{name}_image"])
    expected = upstream[f"resize_{name}_label"]
    resized = resize_label(label, height=height, width=width)
    np.testing.assert_array_equal(np.where(resized == 255, IGNORED_UPSTREAM, resized), expected)


def test_normalising_and_padding_equal_upstreams(upstream):
    image = normalize(np.ascontiguousarray(upstream["resize_128x32_image"][..., ::-1]))
    np.testing.assert_allclose(image, upstream["normalized_rgb_float32"], atol=1e-6)
    np.testing.assert_allclose(to_tensor(image), upstream["chw_float32"], atol=1e-6)
    label = upstream["resize_128x32_label"].astype(np.uint8)
    padded, padded_label = pad_center(image, label, height=48, width=64)
    np.testing.assert_allclose(to_tensor(padded), upstream["padded_48x64_image"], atol=1e-6)
    expected = upstream["padded_48x64_label"]
    np.testing.assert_array_equal(padded_label, np.where(expected == -100, 255, expected))


@pytest.mark.parametrize("name, draws", [
    ("brightness", Distortion(brightness=17.25)),
    ("contrast_first", Distortion(contrast=1.37)),
    ("saturation", Distortion(saturation=0.61)),
    ("hue", Distortion(hue=11)),
    ("all_mode0", Distortion(brightness=-21.5, saturation=1.31, hue=-9, contrast=0.72,
                             contrast_last=True)),
])
def test_photometric_distortion_equals_upstreams_to_the_byte(upstream, rgb, name, draws):
    """The draws are those that the reference run was pinned to."""
    pinned = SIZES["photometric_draws"][name]
    drawn = [draws.brightness, draws.saturation, draws.contrast]
    assert sorted(value for value in drawn if value is not None) == sorted(pinned["uniform_draws"])
    distorted = photometric_distortion(rgb, draws)
    np.testing.assert_array_equal(distorted[..., ::-1], upstream[f"photometric_{name}"])


def test_contrast_before_and_after_the_colours_differ(rgb):
    before, after = (photometric_distortion(rgb, Distortion(contrast=1.4, saturation=1.4,
                                                            contrast_last=last))
                     for last in (False, True))
    assert (before != after).any()


def test_a_distortion_that_drew_nothing_changes_nothing(rgb):
    assert photometric_distortion(rgb, Distortion()) is rgb


def test_draws_stay_in_their_ranges_and_come_half_the_time():
    rng = np.random.default_rng(0)
    draws = [draw_distortion(rng) for _ in range(2000)]
    for name, low, high in (("brightness", -32, 32), ("contrast", 0.5, 1.5),
                            ("saturation", 0.5, 1.5), ("hue", -18, 17)):
        values = [getattr(one, name) for one in draws if getattr(one, name) is not None]
        assert 900 < len(values) < 1100
        assert low <= min(values) < low + (high - low) / 20
        assert high - (high - low) / 20 < max(values) <= high
    assert 900 < sum(one.contrast_last for one in draws) < 1100


def test_normalised_means_are_zero_and_deviations_one():
    image = np.stack([MEAN, MEAN + STD])[None]
    np.testing.assert_allclose(normalize(image), [[[0] * 3, [1] * 3]], atol=1e-6)


def test_padding_by_hand_puts_the_odd_pixel_at_the_bottom_and_right():
    image, label = np.ones((1, 2, 3), np.float32), np.array([[4, 5]], np.uint8)
    padded, padded_label = pad_center(image, label, height=4, width=3)
    assert padded_label.tolist() == [[255] * 3, [4, 5, 255], [255] * 3, [255] * 3]
    np.testing.assert_array_equal(padded[..., 0], padded_label != 255)


def test_flipping_back_is_the_identity():
    image, label = sample()
    mirrored_image, mirrored_label = flip(image, label)
    assert mirrored_label[0].tolist() == label[0, ::-1].tolist()
    again = flip(mirrored_image, mirrored_label)
    assert (again[0] == image).all() and (again[1] == label).all()


@pytest.mark.parametrize("label, varied", [
    ([[1, 1, 1, 2]], False),  # a share of exactly 0.75 is refused
    ([[1, 1, 2, 2]], True),
    ([[1, 1, 1, 2, 255]], False),  # ignored pixels are not counted
    ([[1, 2, 255, 255, 255, 255]], True),
    ([[1, 1]], False),
    ([[255, 255]], False),
])
def test_a_varied_crop_has_two_classes_and_none_of_three_quarters(label, varied):
    assert is_varied(np.array(label, np.uint8)) == varied


def test_image_and_label_are_cropped_alike_and_at_every_place():
    label = np.arange(35, dtype=np.uint8).reshape(5, 7)
    image = np.repeat(label[..., None], 3, axis=2)
    rng, corners = np.random.default_rng(0), set()
    for _ in range(400):
        cropped, cropped_label = random_crop(image, label, height=3, width=4, rng=rng)
        assert cropped_label.shape == (3, 4) and (cropped[..., 0] == cropped_label).all()
        corners.add(divmod(int(cropped_label[0, 0]), 7))
    assert corners == {(top, left) for top in range(3) for left in range(4)}


def test_the_tenth_of_ten_monotonous_crops_is_taken():
    label = np.ones((30, 30), np.uint8)  # one class: no window is ever accepted
    places = np.indices((30, 30)).transpose(1, 2, 0)
    drawn, used = np.random.default_rng(3), np.random.default_rng(3)
    corners = [[drawn.integers(0, 25, endpoint=True) for _ in range(2)] for _ in range(10)]
    cropped, _ = random_crop(places, label, height=5, width=5, rng=used)
    assert cropped[0, 0].tolist() == corners[-1]
    assert used.random() == drawn.random()  # and nothing was drawn after it


def test_a_crop_is_clipped_to_an_image_that_is_smaller():
    image, label = sample(height=6, width=50)
    cropped, cropped_label = random_crop(image, label, height=10, width=10,
                                         rng=np.random.default_rng(0))
    assert cropped.shape == (6, 10, 3) and cropped_label.shape == (6, 10)


@pytest.mark.parametrize("size", [(40, 60), (61, 30), (7, 90)])
def test_a_training_sample_has_the_size_of_the_crop_and_known_labels(size):
    image, label = sample(*size)
    transform = TrainTransform(target=(60, 48), crop_height=40, crop_width=32)
    for seed in range(20):
        tensor, target = transform(image, label, np.random.default_rng(seed))
        assert tensor.shape == (3, 40, 32) and tensor.dtype == torch.float32
        assert target.shape == (40, 32) and target.dtype == torch.int64
        assert set(target.unique().tolist()) <= {0, 1, 2, 3, 4, 255}
        assert (tensor[:, target == 255] == 0).all()  # what is padded is the mean colour


def test_augmentation_is_a_function_of_its_generator_and_leaves_its_input_alone():
    image, label = sample()
    image.setflags(write=False)
    label.setflags(write=False)
    transform = TrainTransform(target=(60, 48), crop_height=40, crop_width=32)
    np.random.seed(1)
    torch.manual_seed(1)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()
    first, again, other = (transform(image, label, np.random.default_rng(seed))
                           for seed in (5, 5, 6))
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])
    assert (np.random.get_state()[1] == before[0]).all()
    assert torch.equal(torch.get_rng_state(), before[1])


def test_an_evaluated_image_is_resized_and_normalised_only():
    image, _ = sample(height=20, width=30)
    tensor = EvalTransform((60, 40))(image)
    assert tensor.shape == (3, 40, 60)
    resized = resize_image(image, height=40, width=60)
    np.testing.assert_allclose(tensor[1], (resized[..., 1] - 116.28) / 57.12, atol=1e-5)


def test_transforms_survive_pickling():
    transform = TrainTransform(target=(60, 48), crop_height=40, crop_width=32)
    assert pickle.loads(pickle.dumps(transform)) == transform
    assert pickle.loads(pickle.dumps(EvalTransform((60, 40)))) == EvalTransform((60, 40))


def plain_sample(image, label, rng, *, target, crop_height, crop_width):
    """RECIPE order with OpenCV on the whole image, in float; (H, W, 3) before normalising, label."""
    scale = rng.uniform(0.5, 2.0)
    long, short = int(max(target) * scale), int(min(target) * scale)
    factor = min(long / max(label.shape), short / min(label.shape))
    size = int(label.shape[1] * factor + 0.5), int(label.shape[0] * factor + 0.5)
    image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    label = cv2.resize(label, size, interpolation=cv2.INTER_NEAREST)
    height, width = min(crop_height, size[1]), min(crop_width, size[0])
    for _ in range(10):
        top = rng.integers(0, size[1] - height + 1)
        left = rng.integers(0, size[0] - width + 1)
        window = np.s_[top:top + height, left:left + width]
        values, counts = np.unique(label[window][label[window] != 255], return_counts=True)
        if len(values) > 1 and counts.max() / counts.sum() < 0.75:
            break
    image, label = image[window], label[window]
    if rng.random() < 0.5:
        image, label = image[:, ::-1], label[:, ::-1]
    return plain_distortion(np.ascontiguousarray(image), draw_distortion(rng)), label


def plain_distortion(image, draws):
    def changed(values, factor=1.0, offset=0.0):
        return np.clip(values.astype(np.float32) * factor + offset, 0, 255).astype(np.uint8)

    if draws.brightness is not None:
        image = changed(image, offset=draws.brightness)
    if draws.contrast is not None and not draws.contrast_last:
        image = changed(image, factor=draws.contrast)
    if draws.saturation is not None:
        hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
        hsv[..., 1] = changed(hsv[..., 1], factor=draws.saturation)
        image = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)
    if draws.hue is not None:
        hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
        hsv[..., 0] = (hsv[..., 0].astype(int) + draws.hue) % 180
        image = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)
    if draws.contrast is not None and draws.contrast_last:
        image = changed(image, factor=draws.contrast)
    return image


@pytest.mark.parametrize("size, target, crop", [
    ((150, 200), (820, 205), (205, 205)),  # as VOC
    ((90, 181), (208, 208), (192, 192)),  # as Context: half of the draws are padded
    ((205, 410), (410, 205), (102, 205)),  # as Cityscapes
])
def test_a_sample_is_that_of_the_plain_operations_on_the_whole_image(size, target, crop):
    """20 pinned draws each: labels and bytes identical, the crop's padding 0 after normalising."""
    facts = dict(target=target, crop_height=crop[0], crop_width=crop[1])
    for seed in range(20):
        image, label = sample(*size, seed=seed)
        label = np.ascontiguousarray(label[::4, ::4].repeat(4, 0).repeat(4, 1)[:size[0], :size[1]])
        label[:3] = 255
        wanted, wanted_label = plain_sample(image, label, np.random.default_rng(seed), **facts)
        tensor, target_label = TrainTransform(**facts)(image, label, np.random.default_rng(seed))
        wanted, wanted_label = pad_center((wanted - MEAN) / STD, wanted_label, height=crop[0],
                                          width=crop[1])
        np.testing.assert_array_equal(target_label, wanted_label)
        np.testing.assert_array_equal(tensor, wanted.transpose(2, 0, 1))


def test_a_batch_of_crops_is_finished_like_its_samples():
    """Padded and unpadded, wide and high images in one batch."""
    transform = TrainTransform(target=(60, 48), crop_height=40, crop_width=32)
    cases = [(sample(*size, seed=seed), seed) for seed, size in
             enumerate([(40, 60), (61, 30), (7, 90), (80, 80)])]
    batch = default_collate([transform.crop(*case, np.random.default_rng(seed))
                             for case, seed in cases])
    assert batch.image.dtype == batch.label.dtype == torch.uint8
    images, labels = batch.finish()
    for index, (case, seed) in enumerate(cases):
        image, label = transform(*case, np.random.default_rng(seed))
        assert torch.equal(images[index], image) and torch.equal(labels[index], label)
