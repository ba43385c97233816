"""A real photograph and published weights for the lessons, where they are at hand.

None comes with the package, because of their licences, and nothing is fetched here. What is
found is named in a printed line; what is missing gets one line that says how to get it.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from deeplab.data.images import read_photo
from deeplab.model.network import DeepLabV3
from deeplab.runs.config import RunConfig
from deeplab.runs.predict import predict_photo, weights_config
from deeplab.support.folders import data_folder
from deeplab.table.rows import get_row
from deeplab.weights.files import WeightFile
from deeplab.weights.published import weights_folder

ROWS = ("voc_r50_d16", "voc_r50_d8", "voc_r101_d16", "voc_r101_d8")  # cheapest first
PLACES = ("photos", "VOCdevkit/VOC2012/JPEGImages")  # in the data folder, in this order
ENDINGS = (".jpg", ".jpeg", ".png")
GET_PHOTO = ("No photograph is at hand: put a JPEG or PNG file into data/photos, or fetch VOC with "
             "`deeplab data prepare voc` (2 GB).")
GET_WEIGHTS = ("No published weights are at hand: `deeplab predict PHOTO --weights published --row "
               "voc_r50_d16` fetches them once (0.5 GB).")


class RealNetwork(NamedTuple):
    """A network with published weights, in eval mode on the CPU, and the row that it belongs to."""

    model: DeepLabV3
    config: RunConfig
    name: str  # of the file

    def predict(self, image: np.ndarray) -> np.ndarray:
        """Train ids of VOC, uint8 (H, W), of an image uint8 (H, W, 3)."""
        return predict_photo(self.model, image, self.config)


class RealPicture(NamedTuple):
    """A photograph and what a published network says of it."""

    image: np.ndarray  # uint8 (H, W, 3)
    prediction: np.ndarray  # train ids of VOC, uint8 (H, W)
    network: RealNetwork


def real_photo(photo: Path | str | None = None) -> np.ndarray | None:
    """A photograph, uint8 (H, W, 3): `photo`, or the first in data/photos or among VOC's.

    Prints what it is. Where there is none it prints how to get one and returns None.
    Raises `DataError` (E-IMAGE) for a file that is no picture.
    """
    path = Path(photo) if photo else next(
        (path for place in PLACES for path in sorted((data_folder() / place).glob("*"))
         if path.suffix.lower() in ENDINGS), None)
    if path is None:
        print(GET_PHOTO)
        return None
    image = read_photo(path)
    print(f"A real photograph: {path.name}, {image.shape[0]} x {image.shape[1]} pixels.")
    return image


def real_network() -> RealNetwork | None:
    """The cheapest published VOC network whose file was fetched before, in eval mode.

    Prints what it is. Without a file it prints how to get one and returns None. Raises
    `CheckpointError` as `WeightFile.read`.
    """
    for row_id in ROWS:
        path = weights_folder() / get_row(row_id).published_weights
        if path.is_file():
            file = WeightFile.read(path)
            config = weights_config(file)
            print(f"Weights trained on real photographs: {path.name}.")
            return RealNetwork(file.model(config.row, config.profile.name), config, path.name)
    print(GET_WEIGHTS)
    return None


def real_picture(photo: Path | str | None = None) -> RealPicture | None:
    """A real photograph labelled by published weights, or None where either is missing."""
    image = real_photo(photo)
    network = real_network()
    if image is None or network is None:
        return None
    return RealPicture(image, network.predict(image), network)
