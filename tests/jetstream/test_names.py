"""What things are called on the server."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgstore.backends.nats.names import decode_token, encode_token, id_key

TOKENS = {
    "orders-1": "orders-1",
    "order_events": "order_events",
    "a.b": "a=2Eb",
    "*": "=2A",
    ">": "=3E",
    "a b": "a=20b",
    "=": "=3D",
    "==": "=3D=3D",
    "$KV": "=24KV",
    "ä": "=C3=A4",
}


@pytest.mark.parametrize("text", TOKENS)
def test_a_token(text: str) -> None:
    """Letters, digits, - and _ stay; every other byte is written out."""
    assert encode_token(text) == TOKENS[text]


@given(st.text(min_size=1, max_size=400))
def test_tokens_are_safe_and_can_be_read_back(text: str) -> None:
    """Any text becomes one token without a character that means something, and the text again."""
    token = encode_token(text)
    assert re.fullmatch(r"[A-Za-z0-9_=-]{1,1460}", token)
    assert decode_token(token) == text


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_no_two_texts_share_a_token(left: str, right: str) -> None:
    """Different texts have different tokens, and different keys."""
    assert (encode_token(left) == encode_token(right)) == (left == right)
    assert (id_key(encode_token(left)) == id_key(encode_token(right))) == (left == right)


def test_the_longest_token() -> None:
    """A stream id of 1,024 bytes, all of which are escaped, still fits into a line of the protocol."""
    token = encode_token("ä" * 512)
    assert token.startswith("==")
    assert len(token) == 1368
    assert decode_token(token) == "ä" * 512
