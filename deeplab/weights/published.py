"""Weights that others publish: where they are, fetched once and kept.

No checksums of the published checkpoints or of the v1c files exist, so the SHA-256 of the
first download is recorded and binds later ones (`deeplab.support.remote`). torchvision's file names
end in the start of their SHA-256.
"""

from pathlib import Path

from deeplab.model.network import ModelRow
from deeplab.support.download import Progress, fetch
from deeplab.support.errors import UsageError
from deeplab.support.folders import data_folder
from deeplab.support.remote import Remote

PUBLISHED = "published"  # what stands for a row's own file where a file may be named
SSSEGMENTATION = "https://github.com/SegmentationBLWX/modelstore/releases/download/ssseg_deeplabv3"
# ssseg/modules/models/backbones/resnet.py; the table's rows start from the v1c files
V1C = "https://download.openmmlab.com/pretrain/third_party"
# IMAGENET1K_V1: top-1 76.130 and 77.374
TORCHVISION = "https://download.pytorch.org/models"
BACKBONES = {
    ("v1c", "resnet50"): Remote(f"{V1C}/resnet50_v1c-2cccc1ad.pth", 0.11),
    ("v1c", "resnet101"): Remote(f"{V1C}/resnet101_v1c-e67eebb6.pth", 0.18),
    ("torchvision", "resnet50"): Remote(f"{TORCHVISION}/resnet50-0676ba61.pth", 0.11,
                                        "sha256:0676ba61"),
    ("torchvision", "resnet101"): Remote(f"{TORCHVISION}/resnet101-63fe2227.pth", 0.18,
                                         "sha256:63fe2227"),
}


def weights_folder() -> Path:
    """Where fetched weights are kept: weights/ in the data folder."""
    return data_folder() / "weights"


def published_weights(row: ModelRow, folder: Path | None = None, *,
                      progress: Progress = lambda done, total: None) -> Path:
    """The row's published checkpoint, about 0.5 GB, fetched if it is not there.

    Raises `DataError` as `fetch` does, and `UsageError` (E-WEIGHTS) for a row of one's own.
    """
    if not row.published_weights:
        raise UsageError.of("E-WEIGHTS", f"no weights of row {row.row_id} are published",
                            expected="a row of the published table",
                            do="give a weight file to --weights")
    remote = Remote(f"{SSSEGMENTATION}/{row.published_weights}", 0.7)
    return fetch(remote, folder or weights_folder(), progress=progress)


def backbone_file(choice: str, backbone: str, folder: Path | None = None) -> Path | None:
    """The file of `choice`: "v1c" or "torchvision", fetched if need be, or a path; None for "none".

    Raises `UsageError` (E-WEIGHTS) for a choice that is neither a name nor a file.
    """
    if choice == "none":
        return None
    if (choice, backbone) in BACKBONES:
        return fetch(BACKBONES[choice, backbone], folder or weights_folder())
    if not Path(choice).is_file():
        raise UsageError.of("E-WEIGHTS", "there are no such backbone weights", found=repr(choice),
                            expected="none, miniature, torchvision, v1c or a file",
                            do="choose one with --backbone-weights")
    return Path(choice)
