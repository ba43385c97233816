"""A score that is undefined is no number in JSON and a word for people."""

import json
import math

import pytest

from deeplab.support.scores import rounded, score_words


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_no_number(value):
    assert rounded(value) is None and json.dumps(rounded(value, None)) == "null"


def test_a_score_is_rounded_and_written_in_per_cent():
    assert (rounded(70.123456), rounded(70.123456, None)) == (70.1235, 70.123456)
    assert (score_words(70.126), score_words(0.0)) == ("70.13 %", "0.00 %")
    assert "undefined" in score_words(None) and "undefined" in score_words(math.nan)
