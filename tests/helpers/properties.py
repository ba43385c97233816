"""Hypothesis for the property tests: the same examples on every machine, and any JSON value."""

from collections.abc import Callable

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from mutate import check_peak

AT_ONCE = 1000  # examples
TEXT = st.text(max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8)


def examples(count: int) -> settings:
    """`count` examples of a property, alike each time; fixtures stay as they are."""
    return settings(max_examples=count, derandomize=True, deadline=None, database=None,
                    suppress_health_check=list(HealthCheck))


def hold(check: Callable[..., None], count: int, *strategies: st.SearchStrategy) -> None:
    """Call `check` with `count` examples, a thousand at a time.

    Hypothesis remembers every example until it is through with them: of 250,000 half a gigabyte.
    """
    for part in range(-(-count // AT_ONCE)):
        seed(part)(examples(min(AT_ONCE, count - part * AT_ONCE))(given(*strategies)(check)))()
    check_peak()
