"""Hypothesis for the property tests: the same examples on every machine, and any JSON value."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

TEXT = st.text(max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8)


def examples(count: int) -> settings:
    """`count` examples of a property, alike each time; fixtures stay as they are."""
    return settings(max_examples=count, derandomize=True, deadline=None, database=None,
                    suppress_health_check=list(HealthCheck))
