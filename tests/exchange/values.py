"""Stored messages of every kind that Hypothesis can make."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import accumulate

from format.values import JSON, TEXT
from hypothesis import strategies as st

from msgstore import Message, MessageType, PositionalMessage

IDS = st.uuids().map(str) | TEXT
TIMES = st.datetimes(timezones=st.just(UTC))
RECORDED = st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC))


@st.composite
def stored_messages(draw: st.DrawFn, max_size: int = 12) -> list[PositionalMessage]:
    """In order of position, with ids of their own; revisions rise by one in each stream."""
    ids = draw(st.lists(IDS, max_size=max_size, unique=True))
    steps = draw(st.lists(st.integers(1, 2**40), min_size=len(ids), max_size=len(ids)))
    stream_ids = draw(st.lists(TEXT, min_size=1, max_size=3))
    heads: dict[str, int] = {}
    made = []
    for message_id, position in zip(ids, accumulate(steps), strict=True):
        stream_id = draw(st.sampled_from(stream_ids))
        heads[stream_id] = heads.get(stream_id, -1) + 1
        made.append(
            PositionalMessage(
                stream_id,
                draw(messages(message_id)),
                draw(st.sampled_from(MessageType)),
                heads[stream_id],
                position,
                draw(RECORDED),
                draw(st.just("no-session") | TEXT),
            )
        )
    return made


def messages(message_id: str) -> st.SearchStrategy[Message]:
    return st.builds(
        Message,
        TEXT,
        JSON,
        id=st.just(message_id),
        request_id=st.none() | TEXT,
        correlation_id=st.none() | TEXT,
        causation_id=st.none() | TEXT,
        timestamp=st.none() | TIMES,
        metadata=st.none() | JSON,
    )
