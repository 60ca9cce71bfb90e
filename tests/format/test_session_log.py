"""The frames of the session log."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from msgstore.format.catalog import encode_catalog_header
from msgstore.format.frame import frame_problem
from msgstore.format.session_log import (
    SessionEvent,
    decode_session_event,
    decode_sessions_header,
    encode_session_event,
    encode_sessions_header,
)
from msgstore.model.clock import TIME_US_MAX

from .damage import cut, flipped
from .values import TEXT, UINT32, UUID_BYTES

UUID = bytes.fromhex("0198c0de000070008000000000000001")
HEADER = bytes.fromhex(
    "dc 0006"  # 0: an array of 6
    "ce 1e9e53c3"  # 3: crc
    "ce 00000037"  # 8: length, 55
    "b1 6d736773746f72652d73657373696f6e73"  # 13: "msgstore-sessions"
    "01"  # 31: version
    "c4 10 0198c0de000070008000000000000001"  # 32: uuid
    "ce 00000037"  # 50: length again
)
START = bytes.fromhex(
    "dc 000b"  # 0: an array of 11
    "ce 31684d73"  # 3: crc
    "ce 00000045"  # 8: length, 69
    "a5 7374617274"  # 13: "start"
    "02"  # 19: the second session
    "a9 73657373696f6e2d31"  # 20: its id "session-1"
    "cf 0006445e4fd62540"  # 30: time
    "07"  # 39: the last position before it
    "c0"  # 40: no active session
    "02"  # 41: sessions in the store
    "82 a4 6e616d65 a3 72756e"  # 42: facts: name "run",
    "a6 6c6162656c73 81 a1 6b a1 76"  # 52: labels {"k": "v"}
    "ce 00000045"  # 64: length again
)
EVENT = SessionEvent(
    "start",
    2,
    "session-1",
    1_764_021_717_312_832,
    7,
    None,
    2,
    {"name": "run", "labels": {"k": "v"}},
)


def test_the_bytes_of_a_sessions_header() -> None:
    """The header names kind, version and store."""
    assert encode_sessions_header(UUID) == HEADER
    assert decode_sessions_header(HEADER) == UUID


def test_the_bytes_of_a_session_event() -> None:
    """A start is its session's number and id, when and where, what is active, and its facts."""
    assert encode_session_event(EVENT) == START
    assert decode_session_event(START) == EVENT


@given(UUID_BYTES)
def test_encode_sessions_header_decode_sessions_header(store_uuid: bytes) -> None:
    """The uuid comes back as it was."""
    assert decode_sessions_header(encode_sessions_header(store_uuid)) == store_uuid


def events(event: str, facts: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[SessionEvent]:
    return st.builds(
        SessionEvent,
        st.just(event),
        st.integers(1, 2**32 - 1),
        TEXT,
        st.integers(0, TIME_US_MAX),
        st.integers(0, 2**62),
        st.none() | TEXT,
        UINT32,
        facts,
    )


STARTS = st.fixed_dictionaries(
    {"name": st.none() | TEXT, "labels": st.dictionaries(TEXT, TEXT, max_size=4)}
)
ENDS = st.fixed_dictionaries(
    {"status": st.none() | TEXT, "messages": UINT32, "commands": UINT32, "lastPosition": UINT32}
)


@given(events("start", STARTS) | events("end", ENDS) | events("activate", st.just({})))
def test_encode_session_event_decode_session_event(event: SessionEvent) -> None:
    """An event comes back as it was."""
    frame = encode_session_event(event)
    assert decode_session_event(frame) == event
    assert frame_problem(frame, 0, 11) is None


def test_no_bit_of_a_sessions_frame_may_be_another() -> None:
    """A frame with any one bit flipped, or cut anywhere, is not whole."""
    for whole in (HEADER, START):
        for name, damaged in flipped(whole):
            assert frame_problem(damaged) is not None, name
        assert {frame_problem(piece) for piece in cut(whole)} == {"cut"}


def test_another_file_is_no_session_log() -> None:
    """The header of the catalog is not taken for one of the session log."""
    assert decode_sessions_header(encode_catalog_header(UUID)) is None
