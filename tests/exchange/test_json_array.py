"""Elements of an array, wherever its bytes are cut."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from format.values import JSON
from hypothesis import given
from hypothesis import strategies as st

from msgstore.exchange.json_array import ArrayReader, NotAnArray
from msgstore.model.errors import MessageTooLarge


def reader(data: bytes, piece: int, bytes_max: int = 10_000) -> ArrayReader:
    pieces: Iterator[bytes] = iter([data[n : n + piece] for n in range(0, len(data), piece)])
    return ArrayReader(lambda size: next(pieces, b""), bytes_max)


@given(
    values=st.lists(JSON, max_size=6),
    piece=st.integers(1, 40),
    indent=st.none() | st.integers(0, 3),
    ascii=st.booleans(),
)
def test_elements_are_those_of_the_array(
    values: list[Any], piece: int, indent: int | None, ascii: bool
) -> None:
    """However it is laid out and cut, each element is read, with the line on which it begins."""
    text = json.dumps(values, indent=indent, ensure_ascii=ascii)
    found = list(reader(text.encode(), piece))
    assert [json.loads(element.text) for element in found] == values
    lines = text.split("\n")
    for element in found:
        first = element.text.decode().split("\n")[0]
        assert first in lines[element.line - 1]


@pytest.mark.parametrize(
    "text",
    [
        *('{"a": 1}', "", "[", "[1", "[1,", "[,1]", "[1,]", "[1,,2]", "[1}", "[1] 2", "[1]]"),
        *('["a', '["a\\', "[[1]", "x", "[{]"),
    ],
)
@pytest.mark.parametrize("piece", [1, 100])
def test_what_is_no_array(text: str, piece: int) -> None:
    """What is broken in its brackets, commas or texts is refused with the line."""
    with pytest.raises(NotAnArray, match="line 1: not a JSON array"):
        list(reader(text.encode(), piece))


def test_an_element_that_never_ends() -> None:
    """Reading stops at the limit, with no more than that held."""
    given = 0

    def endless(size: int) -> bytes:
        nonlocal given
        given += 1
        return b"[" if given == 1 else b'"' + b"x" * 1000 if given == 2 else b"x" * 1000

    with pytest.raises(MessageTooLarge, match="line 1: an element"):
        list(ArrayReader(endless, 10_000))
    assert given < 15
