"""Stored messages without a store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from msgstore.model.message import Message, MessageType, PositionalMessage

BEGUN = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def stored(
    position: int,
    type: str = "T",
    *,
    stream: str = "s",
    kind: str = "event",
    after_ms: float | None = None,
    session: str = "no-session",
    data: Any = None,
    **fields: Any,
) -> PositionalMessage:
    """A message at a position, by default as many milliseconds after twelve."""
    after = position if after_ms is None else after_ms
    return PositionalMessage(
        stream_id=stream,
        message=Message(type, data, **fields),
        message_type=MessageType(kind),
        revision=position - 1,
        position=position,
        timestamp=BEGUN + timedelta(milliseconds=after),
        session_id=session,
    )


_ids = st.none() | st.sampled_from(["a", "b", "c", "d", "e"])
_correlations = st.none() | st.sampled_from(
    ["k", "k-1763900000000-x1", "k-1763900000000-x1-1763900000009-y2", "m", "m-1763900000000-z"]
)


@st.composite
def runs(draw: st.DrawFn, size_max: int = 12) -> list[PositionalMessage]:
    """A few messages with any links between them: circles, causes that are missing, ids given twice."""
    count = draw(st.integers(0, size_max))
    return [
        stored(
            position,
            draw(st.sampled_from(["A", "B", "C"])),
            stream=draw(st.sampled_from(["s", "t", "u"])),
            kind=draw(st.sampled_from(["command", "event"])),
            data={"n": draw(st.integers(0, 2)), "at": draw(st.integers(0, 9))},
            id=draw(_ids),
            request_id=draw(_ids),
            causation_id=draw(_ids),
            correlation_id=draw(_correlations),
            metadata=draw(st.none() | st.just({"m": 1})),
        )
        for position in range(1, count + 1)
    ]
