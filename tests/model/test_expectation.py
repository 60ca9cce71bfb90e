"""Expectations: which revisions they allow, and what is none."""

from __future__ import annotations

from typing import Any

import pytest

from msgstore.model.errors import InvalidArgument
from msgstore.model.expectation import ANY, NO_STREAM, STREAM_EXISTS, Exactly, to_expectation

ALLOWED: dict[str, tuple[Any, list[int]]] = {
    "None": (None, [-1, 0, 1, 2]),
    "ANY": (ANY, [-1, 0, 1, 2]),
    "NO_STREAM": (NO_STREAM, [-1]),
    "-1": (-1, [-1]),
    "0": (0, [0]),
    "1": (1, [1]),
    "Exactly(2)": (Exactly(2), [2]),
    "STREAM_EXISTS": (STREAM_EXISTS, [0, 1, 2]),
}


@pytest.mark.parametrize("case", ALLOWED)
def test_what_is_allowed(case: str) -> None:
    """An expectation allows these of the revisions -1 to 2."""
    given, allowed = ALLOWED[case]
    assert [actual for actual in range(-1, 3) if to_expectation(given).allows(actual)] == allowed


@pytest.mark.parametrize("given", [-2, True, False, 1.0, "1", "any", [], object()])
def test_no_expectation(given: Any) -> None:
    """What is no revision is refused."""
    with pytest.raises(InvalidArgument) as caught:
        to_expectation(given)
    assert caught.value.argument == "expected_revision"


def test_names() -> None:
    """Expectations say what they are."""
    assert [str(e) for e in (ANY, NO_STREAM, STREAM_EXISTS, Exactly(3))] == [
        "any",
        "-1",
        "an existing stream",
        "3",
    ]
    assert (repr(ANY), repr(STREAM_EXISTS)) == ("ANY", "STREAM_EXISTS")
    assert Exactly(-1) == NO_STREAM
