"""Which runs patterns and seeds ask for, and what is left out or refused."""

import pytest

from deeplab.runs.chosen import chosen_runs
from deeplab.support.errors import UsageError

DEMO, FULL = {"profile": "demo"}, {"profile": "full"}


def test_each_row_comes_with_each_seed_once():
    runs = chosen_runs(["paper_t6_at*"], [0, 2, 0], FULL)
    assert [(run.row_id, run.seed) for run in runs] == [
        ("paper_t6_at16", 0), ("paper_t6_at16", 2), ("paper_t6_at8", 0), ("paper_t6_at8", 2)]


def test_a_pattern_leaves_out_what_no_crop_of_the_profile_fills_and_says_so():
    said = []
    runs = chosen_runs(["paper_t1_*"], [0], DEMO, say=said.append)
    assert [run.row.output_stride for run in runs] == [8, 16, 32, 64]
    assert [line.split()[2].strip(",") for line in said] == ["paper_t1_os128", "paper_t1_os256"]
    assert len(chosen_runs(["paper_t1_*"], [0], FULL, say=said.append)) == 6 and len(said) == 2


@pytest.mark.parametrize("pattern", ["paper_t1_os128", "paper_t1_os[12][25]*"])
def test_by_its_name_or_alone_it_is_refused(pattern):
    with pytest.raises(UsageError, match="E-CROP a crop of paper_t1_os128 at profile demo does not "
                                         "fill one cell\n.*88 x 88 pixels.*at least 128"):
        chosen_runs([pattern], [0], DEMO)


def test_by_its_name_it_is_refused_beside_others_too():
    with pytest.raises(UsageError, match="E-CROP a crop of paper_t1_os128"):
        chosen_runs(["paper_t1_os8", "paper_t1_os128"], [0], DEMO)


@pytest.mark.parametrize("patterns, given, code", [
    (["paper_t7_*"], DEMO, "E-ROW"), (["paper_t1_*"], {"profile": "tiny"}, "E-PROFILE"),
    (["paper_t1_*"], {"profile": "demo", "max_steps": 0}, "E-PARAMETER")])
def test_everything_else_that_is_wrong_is_refused(patterns, given, code):
    with pytest.raises(UsageError, match=code):
        chosen_runs(patterns, [0], given)
