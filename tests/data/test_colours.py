"""Class colours, void and overlays by hand."""

import numpy as np
import pytest

from deeplab.data.catalog import DATASETS
from deeplab.data.colours import label_colours, overlay
from deeplab.support.void import VOID_GREY

VOC = DATASETS["voc"]
LABEL = np.array([[0, 15], [255, 1]], np.uint8)


def test_label_colours_are_the_palette_and_one_grey_for_void():
    colours = label_colours(LABEL, VOC)
    assert colours.dtype == np.uint8
    assert colours.tolist() == [[[0, 0, 0], [192, 128, 128]], [[192, 192, 192], [128, 0, 0]]]


@pytest.mark.parametrize("name", DATASETS)
def test_no_class_can_be_taken_for_void(name):
    distance = np.abs(np.array(DATASETS[name].palette) - VOID_GREY).max(axis=1)
    assert distance.min() >= 20


def test_an_overlay_mixes_by_its_opacity():
    image = np.full((2, 2, 3), 100, np.uint8)
    assert (overlay(image, LABEL, VOC, opacity=0) == image).all()
    assert (overlay(image, LABEL, VOC, opacity=1) == label_colours(LABEL, VOC)).all()
    assert overlay(image, LABEL, VOC, opacity=0.25)[0, 1].tolist() == [123, 107, 107]
