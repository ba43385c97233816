"""The Semantic Boundaries Dataset made into VOC's `trainaug`: index images and a list.

SBD (Hariharan et al. 2011) labels VOC's pictures once more, in MATLAB files and without the
void border. trainaug is everything that either of them labels, less VOC's validation images:
10,582 of the real data (Sec. 4). Upstream: mmseg `tools/dataset_converters/voc_aug.py`.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from tqdm import tqdm

from deeplab.data.catalog import get_dataset
from deeplab.data.images import index_png
from deeplab.support.errors import DataError
from deeplab.support.files import atomic_write
from deeplab.support.folders import write_folder
from deeplab.support.listing import read_list
from deeplab.support.own import refuse_linked

LABELS = "SegmentationClassAug"


def derive_trainaug(sbd: Path, root: Path) -> int:
    """Write the labels and the list of trainaug into VOC's `root`; returns the list's length.

    `sbd` holds `cls/`, `train.txt` and `val.txt`. What is there already is left alone.
    """
    label_set = get_dataset("voc")
    if not (root / LABELS).is_dir():
        paths = sorted((sbd / "cls").glob("*.mat"))
        with ThreadPoolExecutor() as pool:
            labels = pool.map(lambda path: index_png(read_mat(path), label_set), paths)
            write_folder(root / LABELS, ((f"{path.stem}.png", label) for path, label in zip(
                paths, tqdm(labels, "SBD labels", len(paths), disable=None))))
    lists = root / "ImageSets" / "Segmentation"
    ids = trainaug(voc_train=read_list(lists / "train.txt"), voc_val=read_list(lists / "val.txt"),
                   sbd=read_list(sbd / "train.txt") + read_list(sbd / "val.txt"))
    refuse_linked(lists)
    atomic_write(lists / "trainaug.txt", "".join(f"{id}\n" for id in ids))
    return len(ids)


def trainaug(*, voc_train: Iterable[str], voc_val: Iterable[str], sbd: Iterable[str]) -> list[str]:
    """Ids of trainaug, sorted: (VOC train or SBD) and not VOC val.

    >>> trainaug(voc_train=["b", "a"], voc_val=["c"], sbd=["c", "d", "a"])
    ['a', 'b', 'd']
    """
    return sorted((set(voc_train) | set(sbd)) - set(voc_val))


def read_mat(path: Path) -> np.ndarray:
    """`GTcls.Segmentation` of an SBD file: uint8 (H, W), 0..20.

    scipy's reader makes arrays and runs nothing. Raises `DataError` (E-MAT).
    """
    from scipy.io import loadmat  # takes half a second to import
    try:
        label = loadmat(path, variable_names=["GTcls"])["GTcls"]["Segmentation"][0, 0]
        if label.ndim != 2 or label.dtype != np.uint8 or label.max() > 20:
            raise ValueError(f"{label.dtype} {label.shape}, up to {label.max()}")
    except Exception as error:  # the reader raises many kinds for a damaged file
        raise DataError.of("E-MAT", "this is not a label file of SBD", file=path,
                           found=f"{type(error).__name__}: {error}",
                           expected="GTcls.Segmentation, uint8 (H, W), 0..20",
                           do="delete the folder SBD and prepare again") from error
    return label
