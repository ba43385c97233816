"""JSON that Python takes and others do not, or not so: each is refused with its reason."""

import json
import random

import pytest

from deeplab.support.strict_json import DEEPEST, parse


@pytest.mark.parametrize("text, reason", [
    ('{"a": 1, "b": 2, "a": 3}', "the key 'a' twice"), ('{"a": {"b": 1, "b": 1}}', "'b' twice"),
    ("[NaN]", "NaN is no number"), ("Infinity", "Infinity is no number"),
    ("-Infinity", "-Infinity is no number"), ("[1e999]", "the number 1e999 is too large"),
    ("-1e400", "too large"), ("[" * 200 + "]" * 200, f"more than {DEEPEST} levels"),
    ("[" * 10**6, f"more than {DEEPEST} levels"), ('{"a":' * 40 + "1" + "}" * 40, "levels"),
    (r'["\ud800"]', "surrogates not allowed"), (r'{"\udfff": 1}', "surrogates not allowed"),
    ("9" * 5000, "digits"), ("", "Expecting value"), ('{"a": 1} x', "Extra data")])
def test_what_has_a_second_meaning_is_refused(text, reason):
    with pytest.raises(ValueError, match=reason):
        parse(text.encode())


def test_a_size_is_a_limit_to_the_byte():
    assert parse(b"[1]", largest=3) == [1]
    with pytest.raises(ValueError, match="more than 2 bytes"):
        parse(b"[1]", largest=2)


def test_all_else_is_what_python_reads():
    rng = random.Random(0)

    def value(depth):
        kind = rng.randrange(8 if depth else 6)
        return [None, True, rng.randrange(-9, 9), rng.uniform(-1e9, 1e9), "é\n" * rng.randrange(3),
                "", {str(n): value(depth - 1) for n in range(rng.randrange(3))} if depth else 0,
                [value(depth - 1) for _ in range(rng.randrange(3))] if depth else 0][kind]
    for _ in range(300):
        content = value(5)
        assert parse(json.dumps(content).encode()) == content
    deepest = "[" * DEEPEST + "1" + "]" * DEEPEST
    assert parse(deepest.encode()) == json.loads(deepest)
