"""Rules for what is read from JSON, and the sentences for what breaks them."""

import pytest

from deeplab.support.schema import (ListOf, MapOf, Record, flag, maybe, number, text, whole)


@pytest.mark.parametrize("rule, right, wrong", [
    (whole(1, 3), (1, 3), (0, 4, True, 1.0, "1", None)),
    (number(0, 1), (0, 1, 0.5), (-1e-9, 1.1, True, "0", None, float("nan"), float("inf"))),
    (text(3), ("", "abc", "é"), ("abcd", "a\n", 1, None, "\x1b", "\u202e")),
    (flag(), (True, False), (0, 1, None, "true")),
    (maybe(whole(1, 3)), (None, 2), (0, "", False)),
    (ListOf(whole(), 2), ([], [1, 2]), ([1, 2, 3], {}, "12", [None])),
    (MapOf(whole(), 1), ({}, {"a": 1}), ({"a": 1, "b": 1}, {"a\n": 1}, {"a": "b"}, [])),
    (Record({"a": whole()}), ({"a": 1}, {"a": 1, "b": 2}), ({}, {"a": ""}, [], None)),
    (Record({}, {"a": whole()}, is_open=False), ({}, {"a": 1}), ({"b": 1}, {"a": ""}))])
def test_a_rule_takes_what_it_says_and_nothing_else(rule, right, wrong):
    for value in right:
        assert list(rule.faults(value)) == []
    for value in wrong:
        faults = list(rule.faults(value))
        assert faults and all("\n" not in fault and len(fault) < 600 for fault in faults)


def test_a_fault_names_its_place():
    shape = Record({"a": ListOf(Record({"b": MapOf(whole(), 9)}), 9)})
    assert list(shape.faults({"a": [{"b": {}}, {"b": {"c": -1}}]})) == [
        "a[1].b.c is -1, expected an integer from 0 to 9,007,199,254,740,992"]
    assert list(shape.faults({"a": [{}]})) == ["a[0].b is missing"]
    assert list(shape.faults({"a": [{"b": {"x\x1b": 1}}]})) == [
        r"a name in a[0].b is 'x\x1b', expected a text of at most 400 printable characters"]
