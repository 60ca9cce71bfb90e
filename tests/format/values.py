"""Hypothesis strategies for what the format has to hold."""

from __future__ import annotations

from hypothesis import strategies as st

UINT16 = st.integers(0, 2**16 - 1)
UINT32 = st.integers(0, 2**32 - 1)
UINT64 = st.integers(0, 2**64 - 1)
UUID_BYTES = st.binary(min_size=16, max_size=16)

TEXT = st.text(
    st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=60
)  # no surrogates, no control characters

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=("Cs",))), inner, max_size=4)
    ),
    max_leaves=12,
)
