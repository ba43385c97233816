"""A sealed object tells whether it is as it was written, and an earlier one is left in peace."""

import json

import pytest

from deeplab.support.seal import is_intact, sealed

FACTS = {"miou": 43.15, "class_iou": {"a": 0.1, "é": None}, "complete": True, "list": [1, [2]]}


def test_what_was_sealed_is_intact_after_a_way_through_a_file_in_any_order_of_keys():
    there = json.loads(json.dumps(dict(reversed(sealed(FACTS).items()))))
    assert is_intact(there) and {**there, "digest": 0} == {**FACTS, "digest": 0}
    assert sealed(there) == there


@pytest.mark.parametrize("change", [{"miou": 43.16}, {"class_iou": {}}, {"more": 1},
                                    {"digest": "0" * 32}, {"digest": None}, {"complete": 1}])
def test_what_was_changed_is_not(change):
    assert not is_intact(sealed(FACTS) | change)


def test_what_never_was_sealed_counts_as_intact():
    assert is_intact(FACTS) and is_intact({})
