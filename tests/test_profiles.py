"""A profile changes the size of a row and keeps its geometry."""

import pytest

from deeplab.profiles import CROP_MULTIPLE, PROFILES, get_profile
from deeplab.runs.config import RunConfig
from deeplab.support.errors import UsageError, unknown

CROPS = (480, 512, 1024)  # pixels, the crop sides of the table
RATES = (6, 12, 18, 24, 36)  # feature cells, those of both output strides


def test_there_are_four_profiles_and_demo_comes_first():
    assert list(PROFILES) == ["demo", "small", "medium", "full"]
    assert all(get_profile(name).name == name for name in PROFILES)


def test_full_changes_nothing():
    full = get_profile("full")
    assert [full.crop(side) for side in CROPS] == list(CROPS)
    assert [full.rate(rate) for rate in RATES] == list(RATES)
    assert (full.width, full.shrink, full.steps) == (1, 1, None)
    assert full.batch_size is full.base_lr is None


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_crops_fill_whole_cells_and_are_hardly_larger_than_their_share(profile):
    for side in CROPS:
        assert profile.crop(side) % CROP_MULTIPLE == 0
        wanted = min(side, profile.largest_crop or side) / profile.shrink
        assert 0 <= profile.crop(side) - wanted < CROP_MULTIPLE


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_rates_shrink_with_the_crop_and_stay_apart(profile):
    rates = [profile.rate(rate) for rate in RATES]
    assert sorted(set(rates)) == rates
    assert all(abs(rate * profile.shrink - full) <= profile.shrink / 2
               for rate, full in zip(rates, RATES, strict=True))
    assert profile.rate(1) == 1


def test_smaller_profiles_are_smaller_in_every_way():
    demo, small = get_profile("demo"), get_profile("small")
    assert demo.width <= small.width < 1 and demo.shrink >= small.shrink > 1
    assert demo.steps and small.steps
    for profile in (demo, small):  # as many evaluations as are said, the last one at the end
        every = RunConfig.of(row_id="voc_r50_d16", profile=profile.name).evaluate_every(1)
        assert -(-profile.steps // every) == profile.evaluations


def test_medium_is_the_published_network_on_crops_of_at_most_512_pixels():
    medium = get_profile("medium")
    assert (medium.width, medium.shrink, medium.pretrained) == (1, 1, True)
    assert [medium.crop(side) for side in CROPS] == [480, 512, 512]
    assert [medium.rate(rate) for rate in RATES] == list(RATES)
    assert 8 <= medium.batch_size <= 16
    schedule = 60 * (10_582 // 16) * 16  # images of VOC's
    assert medium.steps * medium.batch_size / schedule == pytest.approx(0.1, rel=0.05)


def test_an_unknown_profile_is_told_all_there_are():
    with pytest.raises(UsageError, match="E-PROFILE there is no profile 'ful'\n"
                                         "  found: 'ful'   expected: demo, small, medium, full\n"
                                         "  do: did you mean 'full'"):
        get_profile("ful")


def test_among_many_names_only_the_nearest_are_shown():
    names = [f"row_{index:02d}" for index in range(16)]
    near = str(unknown("E-ROW", "row", "row_1", names))
    assert "did you mean 'row_1" in near and "row_05" not in near
    far = str(unknown("E-ROW", "row", "zzz", names))
    assert "row_05" in far and "do: choose a row that exists" in far
