"""Training samples per second and core: ours, the recipe done plainly, and torchvision's.

Plainly: the recipe's operations in its order with OpenCV, as upstream has them, each on the
whole image. Pictures are drawn, with files as large as the datasets' own.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from PIL import Image
from timing import alternated, arguments, print_table
from torchvision import tv_tensors
from torchvision.transforms import v2

from deeplab.data.augment import MEAN, STD, TrainTransform, draw_distortion
from deeplab.data.catalog import SegmentationDataset
from deeplab.data.sampling import TrainSamples
from deeplab.support.files import atomic_write

IMAGES = 4  # different ones, so that no cache holds the answer


class Case(NamedTuple):
    """A dataset to imitate."""

    dataset: str
    folder: str
    image: str  # path below the folder
    label: str
    size: tuple[int, int]  # height, width
    kilobytes: int  # of one image file
    target: tuple[int, int]
    crop: tuple[int, int]


CASES = {
    "VOC-like JPEG": Case("voc", "VOCdevkit/VOC2012", "JPEGImages/{}.jpg",
                          "SegmentationClass/{}.png", (375, 500), 85, (2048, 512), (512, 512)),
    "Cityscapes-like PNG": Case("cityscapes", "cityscapes",
                                "leftImg8bit/train/ulm/ulm_{}_leftImg8bit.png",
                                "gtFine/train/ulm/ulm_{}_gtFine_labelIds.png", (1024, 2048),
                                2300, (2048, 1024), (512, 1024)),
}


def draw_dataset(case: Case, data_root: Path) -> None:
    """Write the pictures of a case in its dataset's own tree."""
    rng, root = np.random.default_rng(0), data_root / case.folder
    height, width = case.size
    for index in range(IMAGES):
        image = encoded(smooth(rng, height, width), rng, case)
        atomic_write(root / case.image.format(index), image)
        stuff = rng.integers(1, 20, (height // 60 + 1, width // 60 + 1), np.uint8)
        label = cv2.resize(stuff, (width, height), interpolation=cv2.INTER_NEAREST)
        atomic_write(root / case.label.format(index), file_bytes(label, "PNG"))
    if case.dataset == "voc":
        atomic_write(root / "ImageSets/Segmentation/train.txt",
                     "\n".join(map(str, range(IMAGES))) + "\n")


def smooth(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A picture with structure at all scales, float32 (H, W, 3), 0..255."""
    image = np.zeros((height, width, 3), np.float32)
    for cell in (4, 8, 16, 32, 64, 128):
        noise = rng.normal(0, cell ** 0.6, (height // cell + 2, width // cell + 2, 3))
        image += cv2.resize(noise.astype(np.float32), (width, height),
                            interpolation=cv2.INTER_CUBIC)
    return (image - image.min()) * 255 / (image.max() - image.min())


def encoded(image: np.ndarray, rng: np.random.Generator, case: Case) -> bytes:
    """The picture as a file of about the size asked for: grain is added until it is that large."""
    kind = Path(case.image).suffix[1:].upper().replace("JPG", "JPEG")
    grain = rng.normal(0, 1, image.shape)
    for strength in np.arange(0, 20, 0.25):
        content = file_bytes((image + strength * grain).clip(0, 255).astype(np.uint8), kind)
        if len(content) >= 1000 * case.kilobytes:
            break
    return content


def file_bytes(image: np.ndarray, kind: str) -> bytes:
    """An image file in memory."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind, quality=90)
    return buffer.getvalue()


def plain(samples: SegmentationDataset, case: Case) -> Callable:
    """The recipe as upstream does it: OpenCV on whole images, changes in float32."""
    lookup = samples.label_set.lookup

    def sample(index: int, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        image = cv2.imread(str(samples.image_path(index)))
        label = lookup[cv2.imread(str(samples.label_path(index)), cv2.IMREAD_GRAYSCALE)]
        scale = rng.uniform(0.5, 2.0)
        factor = min(int(max(case.target) * scale) / max(label.shape),
                     int(min(case.target) * scale) / min(label.shape))
        size = int(label.shape[1] * factor + 0.5), int(label.shape[0] * factor + 0.5)
        image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
        label = cv2.resize(label, size, interpolation=cv2.INTER_NEAREST)
        image, label = plain_crop(image, label, case.crop, rng)
        if rng.random() < 0.5:
            image, label = np.flip(image, 1), np.flip(label, 1)
        image = plain_distortion(np.ascontiguousarray(image), rng)
        image = (cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype(np.float32) - MEAN) / STD
        image, label = plain_padding(image, label.astype(np.float32), case.crop)
        return (torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))),
                torch.from_numpy(label))

    return sample


def plain_crop(image, label, crop, rng):
    """A window with two or more classes, drawn up to ten times."""
    height, width = (min(pair) for pair in zip(crop, label.shape, strict=True))
    for _ in range(10):
        top = rng.integers(0, label.shape[0] - height + 1)
        left = rng.integers(0, label.shape[1] - width + 1)
        window = np.s_[top:top + height, left:left + width]
        classes, counts = np.unique(label[window], return_counts=True)
        counts = counts[classes != 255]
        if len(counts) > 1 and counts.max() / counts.sum() < 0.75:
            break
    return image[window], label[window]


def plain_distortion(image, rng):
    """Brightness, contrast, saturation and hue, one after the other."""
    def changed(values, factor=1.0, offset=0.0):
        return np.clip(values.astype(np.float32) * factor + offset, 0, 255).astype(np.uint8)

    draws = draw_distortion(rng)
    if draws.brightness is not None:
        image = changed(image, offset=draws.brightness)
    if draws.contrast is not None and not draws.contrast_last:
        image = changed(image, factor=draws.contrast)
    if draws.saturation is not None:
        hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
        hsv[:, :, 1] = changed(hsv[:, :, 1], factor=draws.saturation)
        image = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    if draws.hue is not None:
        hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
        hsv[:, :, 0] = (hsv[:, :, 0].astype(int) + draws.hue) % 180
        image = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    if draws.contrast is not None and draws.contrast_last:
        image = changed(image, factor=draws.contrast)
    return image


def plain_padding(image, label, crop):
    """Both set into the middle of the crop."""
    top, left = ((full - size) // 2 for full, size in zip(crop, label.shape, strict=True))
    sides = (top, crop[0] - label.shape[0] - top, left, crop[1] - label.shape[1] - left)
    return (cv2.copyMakeBorder(image, *sides, cv2.BORDER_CONSTANT, value=(0, 0, 0)),
            cv2.copyMakeBorder(label, *sides, cv2.BORDER_CONSTANT, value=255))


def torchvision_sample(samples: SegmentationDataset, case: Case) -> Callable:
    """The nearest transforms of torchvision's own: one crop draw, antialiased resizing."""
    short = min(case.target)
    transform = v2.Compose([
        v2.RandomResize(short // 2, short * 2), v2.RandomCrop(
            case.crop, pad_if_needed=True, fill={tv_tensors.Image: 0, tv_tensors.Mask: 255}),
        v2.RandomHorizontalFlip(), v2.RandomPhotometricDistort(p=0.5),
        v2.ToDtype({tv_tensors.Image: torch.float32, "others": None}, scale=True),
        v2.Normalize((MEAN / 255).tolist(), (STD / 255).tolist())])

    def sample(index: int, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        image = v2.functional.pil_to_tensor(Image.open(samples.image_path(index)))
        label = v2.functional.pil_to_tensor(Image.open(samples.label_path(index)))
        return transform(tv_tensors.Image(image), tv_tensors.Mask(label))

    return sample


def ours(samples: SegmentationDataset, case: Case) -> Callable:
    """What a worker of ours does for one sample."""
    transform = TrainTransform(target=case.target, crop_height=case.crop[0],
                               crop_width=case.crop[1])
    crops = TrainSamples(samples, transform, seed=0).crops
    epochs = count()
    return lambda index, rng: crops[next(epochs), index]


def turning(sample: Callable) -> Callable[[], object]:
    """Calls a sampler with the images in turn, each time with other draws."""
    seeds: Iterator[int] = count()

    def one() -> object:
        seed = next(seeds)
        return sample(seed % IMAGES, np.random.default_rng(seed))

    return lambda: [one() for _ in range(IMAGES)]


def main() -> None:
    """Measure all cases and print the table."""
    options, rows = arguments(__doc__, repeats=15), []
    for title, case in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            draw_dataset(case, Path(folder))
            unpacked = SegmentationDataset(case.dataset, folder, "train")
            packed = SegmentationDataset(case.dataset, folder, "train")
            packed.pack()
            seconds = alternated({name: turning(sample) for name, sample in {
                "recipe, plain OpenCV": plain(unpacked, case),
                "torchvision transforms": torchvision_sample(unpacked, case),
                "ours": ours(unpacked, case), "ours, packed": ours(packed, case),
            }.items()}, repeats=options.repeats)
        first = seconds["recipe, plain OpenCV"]
        rows += [(title, name, 1000 * time / IMAGES, IMAGES / time, first / time)
                 for name, time in seconds.items()]
    print_table("Input pipeline", ("files", "pipeline", "ms per sample", "samples/s per core",
                                   "times the plain"), rows)


if __name__ == "__main__":
    main()
