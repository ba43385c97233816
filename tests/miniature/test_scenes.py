"""The drawn world: exact masks, a vocabulary that fits together, classes that need surroundings."""

import itertools

import numpy as np
import pytest

from deeplab.data.catalog import DATASETS
from deeplab.miniature import scenes
from deeplab.miniature.drawing import draw_shape, paint, texture, vocabulary
from deeplab.miniature.scenes import Painter, portrait

WORDS = vocabulary()
PATTERNS = sorted({look.split()[1] for look in WORDS["looks"].values()})


def shape(parts, box=(0, 0, 10, 10), size=(10, 10), mirrored=False):
    return draw_shape(parts, box, size, mirrored=mirrored).astype(int)


def shown(name):
    """The kinds that the scenes of a set show, by class of its label set."""
    spec, kinds = WORDS["sets"][name], {}
    for scene in spec["scenes"].values():
        for kind in [layer for layer, _ in scene["layers"]] + scene["things"]:
            kinds.setdefault(spec["names"].get(kind, kind), set()).add(kind)
    return kinds


def test_a_polygon_is_scaled_into_its_box_and_cut_at_the_picture():
    square = [["p", [0, 0, 1, 0, 1, 1, 0, 1]]]
    mask = shape(square, box=(2, 3, 4, 5))  # corners (2, 3) and (6, 8), both inside
    assert mask.sum() == 5 * 6 and mask[3:9, 2:7].all()
    assert shape(square, box=(-5, -5, 7, 6)).sum() == 3 * 2


def test_a_mirrored_shape_is_the_mirror_image():
    flag = [["p", [0, 0, 1, 0, 1, 0.5, 0.25, 0.5, 0.25, 1, 0, 1]]]
    left, right = (shape(flag, (0, 0, 8, 8), (9, 9), mirrored) for mirrored in (False, True))
    assert (left[:, ::-1] == right).all() and not (left == right).all()


def test_an_ellipse_is_full_and_a_ring_is_hollow():
    full, ring = (shape([[part, 0.5, 0.5, 0.5, 0.5, 0.1]], (2, 2, 20, 20), (25, 25))
                  for part in "er")
    assert full[12, 12] and not ring[12, 12]
    assert full.sum() == pytest.approx(np.pi * 10.5 ** 2, rel=0.03)  # 21 pixels across
    assert ring[12, 2] and ring[2, 12]


@pytest.mark.parametrize("box, thickness", [((0, 0, 60, 60), 4), ((0, 0, 60, 5), 1)])
def test_a_line_is_as_thick_as_the_height_says_and_at_least_a_pixel(box, thickness):
    mask = shape([["l", 0, 0.5, 1, 0.5, 0.1]], box, (60, 60))
    assert thickness <= mask[:, 30].sum() <= thickness + 1


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_texture_lies_between_minus_one_and_one_and_has_the_asked_size(pattern):
    light = texture(pattern, (33, 47), np.random.default_rng(0))
    assert light.shape == (33, 47) and np.abs(light).max() <= 1
    assert (light.std() == 0) == (pattern == "plain")


def test_paint_changes_only_what_the_mask_marks():
    canvas, mask = np.full((8, 8, 3), -1.0, np.float32), np.zeros((8, 8), bool)
    mask[2:4, 1:7] = True
    paint(canvas, mask, "car", np.random.default_rng(0))
    assert (canvas[~mask] == -1).all() and (canvas[mask] == canvas[2, 1]).all()
    red = WORDS["colours"]["red"]
    assert np.abs(canvas[2, 1] - red).max() < 40


def test_the_vocabulary_fits_together():
    assert {look.split()[0] for look in WORDS["looks"].values()} <= WORDS["colours"].keys()
    assert WORDS["things"].keys() <= WORDS["looks"].keys()
    assert {thing[0] for thing in WORDS["things"].values()} <= WORDS["shapes"].keys()
    for spec in WORDS["sets"].values():
        for scene in spec["scenes"].values():
            assert set(scene["things"]) <= WORDS["things"].keys()
            assert sum(share for _, share in scene["layers"]) == pytest.approx(1)


@pytest.mark.parametrize("name", WORDS["sets"])
def test_every_renamed_kind_has_a_class(name):
    spec = WORDS["sets"][name]
    assert set(spec["names"].values()) <= set(DATASETS[name].classes)
    assert set(spec["names"]) <= WORDS["looks"].keys()


@pytest.mark.parametrize("name", WORDS["sets"])
def test_many_classes_cannot_be_told_by_colour_and_texture(name):
    """The method is needed: a third of the drawn classes share their look with another one."""
    classes = DATASETS[name].classes
    looks = {label: {WORDS["looks"][kind] for kind in kinds}
             for label, kinds in shown(name).items() if label in classes}
    ambiguous = {label for pair in itertools.permutations(looks, 2) for label in pair[:1]
                 if looks[pair[0]] & looks[pair[1]]}
    assert len(ambiguous) >= len(looks) / 3


@pytest.mark.parametrize("name", WORDS["sets"])
def test_a_picture_has_its_map_of_kinds_and_things_of_very_different_sizes(name):
    painter, areas = Painter(name), []
    for number in range(12):
        image, kinds = painter.picture(number, np.random.default_rng([5, number]))
        assert image.dtype == np.uint8 and image.shape == (*WORDS["sets"][name]["size"], 3)
        assert kinds.shape == image.shape[:2]
        there, counts = np.unique(kinds, return_counts=True)
        scene = painter.scenes[number % len(painter.scenes)]
        drawn = {painter.kinds[index] for index in there}
        assert drawn <= (set(scene["things"]) | {kind for kind, _ in scene["layers"]}
                         | {kind for pair in painter.pairs for kind in pair.companions.values()})
        areas += [count for index, count in zip(there, counts, strict=True)
                  if painter.kinds[index] in scene["things"]]
    assert np.quantile(areas, 0.95) > 5 * np.quantile(areas, 0.05)


def test_a_pixel_shows_the_kind_that_the_map_says():
    """A plain kind has one colour per instance, and the sky is one instance."""
    image, kinds = Painter("cityscapes").picture(0, np.random.default_rng(0))
    sky = image[kinds == list(WORDS["looks"]).index("sky")]
    assert len(sky) > 1000 and (sky == sky[0]).all()


def test_pictures_are_a_function_of_the_generator_and_the_order():
    first, second, other = ([Painter("voc").picture(n, np.random.default_rng([seed, n]))
                             for n in range(3)] for seed in (1, 1, 2))
    for (image, kinds), (again, kinds_again) in zip(first, second, strict=True):
        assert (image == again).all() and (kinds == kinds_again).all()
    assert not (first[0][0] == other[0][0]).all()


def test_every_picture_has_a_white_balance(monkeypatch):
    sky = list(WORDS["looks"]).index("sky")

    def spread():
        """The standard deviation of red over blue of the sky, among pictures."""
        ratios = []
        for seed in range(30):
            image, kinds = Painter("voc").picture(0, np.random.default_rng(seed))
            red, _, blue = image[kinds == sky][0].astype(float)
            ratios.append(red / blue)
        return np.std(ratios)

    balanced = spread()
    monkeypatch.setattr(scenes, "WHITE_BALANCE", 0)
    assert balanced > 1.5 * spread()


def test_things_take_turns():
    painter = Painter("voc")
    for number in range(70):
        painter.picture(number, np.random.default_rng(number))
    bus, horse = painter.drawn["bus"], painter.drawn["horse"]
    assert len(painter.drawn) == len({thing for scene in painter.scenes
                                      for thing in scene["things"]})
    assert 0.5 < bus / horse < 2


@pytest.mark.parametrize("kind", ["horse", "grass", "tree"])
def test_a_portrait_shows_one_kind_and_is_seeded(kind):
    one, two, other = (portrait(kind, 64, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert one.shape == (64, 64, 3) and one.dtype == np.uint8
    assert (one == two).all() and not (one == other).all()
