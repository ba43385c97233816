"""Look-alikes: only far companions tell them apart, and nothing else in the picture does."""

import numpy as np
import pytest

from deeplab.data.catalog import DATASETS
from deeplab.miniature import look_alikes, scenes
from deeplab.miniature.drawing import vocabulary
from deeplab.miniature.scenes import Painter
from deeplab.profiles import PROFILES
from deeplab.runs.config import RunConfig
from deeplab.table.row import BASE_RATES

SETS = vocabulary()["sets"]


def companies(name, monkeypatch, count=200):
    """(painter, things chosen for the common form, boxes drawn for each) over many pictures."""
    painter, seen = Painter(name), []
    company = Painter._company

    def watched(self, alike, *args):
        seen.append((alike, company(self, alike, *args)))
        return seen[-1][1]

    monkeypatch.setattr(Painter, "_company", watched)
    maps = []
    for number in range(count):
        before = len(seen)
        _, kinds = painter.picture(number, np.random.default_rng([7, number]))
        if len(seen) > before:
            maps.append({painter.kinds[index] for index in np.unique(kinds)})
    return painter, seen, maps


@pytest.mark.parametrize("name", SETS)
def test_pairs_are_two_classes_of_one_scene_and_companions_are_classes_too(name):
    spec, classes = SETS[name], DATASETS[name].classes
    for pair in look_alikes.pairs_of(spec):
        kinds = set(pair.companions)
        assert len(kinds) == 2 and pair.shape in vocabulary()["shapes"]
        assert any(kinds <= set(scene["things"]) for scene in spec["scenes"].values())
        labels = [spec["names"].get(kind, kind) for kind in pair.companions]
        assert set(labels) <= set(classes) and len(set(labels)) == 2
        others = [spec["names"].get(kind, kind) for kind in pair.companions.values()]
        assert set(others) <= set(classes) and len(set(others)) == 2


@pytest.mark.parametrize("name", SETS)
def test_companions_stand_farther_off_than_the_widest_rate_reaches(name, monkeypatch):
    _, seen, _ = companies(name, monkeypatch)
    short, drawn = RunConfig.of(row_id=f"{name}_r50_d8").resize[1], SETS[name]["size"][0]
    cells = PROFILES["demo"].rate(max(BASE_RATES)) + 0.5  # to the far edge of the cell it meets
    reach = cells * 16 * drawn / short  # in pixels of the drawn picture
    assert len(seen) > 20
    for _, (thing, *companions) in seen:
        assert len(companions) == look_alikes.COMPANIONS
        middle = thing.left + thing.width / 2
        for one in companions:
            assert abs(one.left + one.width / 2 - middle) >= min(reach, 64)
            assert one.left >= -one.width and one.left + one.width <= SETS[name]["size"][1] + 7
            assert 4 <= (one.width * one.height) ** 0.5 <= 14


@pytest.mark.parametrize("name", SETS)
def test_neither_the_other_kind_nor_its_companion_is_in_the_picture(name, monkeypatch):
    _, seen, maps = companies(name, monkeypatch)
    for (alike, _), kinds in zip(seen, maps, strict=True):
        (other, wrong), = [(kind, mate) for kind, mate in alike.pair.companions.items()
                           if kind != alike.kind]
        assert other not in kinds and wrong not in kinds


@pytest.mark.parametrize("name", SETS)
def test_both_kinds_of_a_pair_have_the_same_form_about_equally_often(name, monkeypatch):
    _, seen, _ = companies(name, monkeypatch, count=300)
    for pair in look_alikes.pairs_of(SETS[name]):
        boxes = [boxes[0] for alike, boxes in seen if alike.pair == pair]
        assert {(box.shape, box.look) for box in boxes} == {(pair.shape, pair.look)}
        counts = [sum(box.kind == kind for box in boxes) for kind in pair.companions]
        assert min(counts) >= 2 and max(counts) - min(counts) <= 1


def test_about_the_share_of_the_pictures_that_could_hold_one_does(monkeypatch):
    _, seen, _ = companies("voc", monkeypatch, count=700)
    able = sum(any(set(pair.companions) <= set(scene["things"])
                   for pair in look_alikes.pairs_of(SETS["voc"]))
               for scene in SETS["voc"]["scenes"].values()) * 100
    assert look_alikes.SHARE * 0.8 * able < len(seen) < look_alikes.SHARE * 1.15 * able


def test_a_scene_that_can_hold_only_one_of_a_pair_shows_it_in_its_own_form():
    pair = look_alikes.Pair("oval", {"bird": "person", "aeroplane": "bus"})
    for seed in range(50):
        rng = np.random.default_rng(seed)
        assert look_alikes.choose([pair], ["boat", "bird"], ["boat", "bird"], {}, rng) is None


def test_half_of_the_stuff_is_coarse():
    assert scenes.COARSE * 4.5 <= 16 <= scenes.COARSE * 6.5
