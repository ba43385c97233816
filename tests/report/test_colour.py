"""The colour-only rival, by hand on a handful of pixels."""

import numpy as np

from deeplab.evaluation.metrics import mean_iou
from deeplab.report.colour import ColourClassifier, colour_bin

RED, DARK_RED, BLUE, GREEN = (255, 0, 0), (241, 14, 3), (0, 0, 255), (0, 255, 0)


def picture(*pixels):
    return np.array([pixels], np.uint8)


def test_bins_are_sixteen_steps_per_channel_and_red_counts_most():
    assert colour_bin(picture((0, 0, 15), (0, 0, 16), (0, 16, 0), (16, 0, 0))).tolist() == [
        [0, 1, 16, 256]]
    assert colour_bin(picture((255, 255, 255))).tolist() == [[4095]]


def test_each_colour_gets_its_most_frequent_class_and_unseen_ones_the_commonest():
    dataset = [(picture(RED, DARK_RED, RED, BLUE), np.array([[1, 1, 2, 0]], np.uint8)),
               (picture(BLUE, BLUE, BLUE, RED), np.array([[0, 2, 255, 255]], np.uint8)),
               (picture(BLUE), np.array([[0]], np.uint8))]
    classifier = ColourClassifier.fit(dataset, 3)
    # red: classes 1, 1, 2; blue: 0, 0, 0, 2; most frequent over all: 0 (three pixels)
    assert classifier.predict(picture(RED, BLUE, GREEN)).tolist() == [[1, 0, 0]]
    assert classifier.predict(picture(RED)).dtype == np.uint8


def test_the_score_of_a_hand_worked_case():
    dataset = [(picture(RED, RED, RED, BLUE), np.array([[1, 1, 0, 0]], np.uint8))]
    classifier = ColourClassifier.fit(dataset, 2)
    confusion = classifier.evaluate(dataset)
    assert confusion.tolist() == [[1, 1], [0, 2]]
    assert abs(mean_iou(confusion) - 100 * (1 / 2 + 2 / 3) / 2) < 1e-9


def test_void_pixels_neither_train_nor_count():
    dataset = [(picture(RED, RED, RED), np.array([[1, 255, 255]], np.uint8))]
    classifier = ColourClassifier.fit(dataset, 2)
    assert classifier.evaluate(dataset).sum() == 1
