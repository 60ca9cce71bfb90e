"""What is measured: the same messages on every side, in every run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmark import sqlite_peer
from benchmark.messages import (
    length_of,
    message,
    messages,
    number_at,
    revision_of,
    stream_of,
    write_lines,
)
from benchmark.stores import build_store
from msgstore import FileMessageStore


def test_messages_are_what_they_were() -> None:
    """Figures of different days are of the same messages."""
    assert message(1234567, 20_000) == {
        "streamId": "orders-6913",
        "type": "PlaceOrder",
        "data": {
            "orderId": "ord-246913",
            "total": 1234567,
            "customer": {"id": "c-281", "name": "Alice Example"},
            "items": [{"sku": "abc", "qty": 2}, {"sku": "def", "qty": 1}],
            "note": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        },
        "correlationId": "corr-246913",
        "requestId": "req-1234567",
    }


def test_both_sides_hold_the_same(tmp_path: Path) -> None:
    """The library, `save -` and SQLite get the same messages, at the same revisions."""
    lines, store, database = tmp_path / "lines", tmp_path / "store", tmp_path / "db"
    write_lines(lines, 130, 7)
    build_store(store, 130, 7)
    sqlite_peer.load_lines(lines, database)
    rows = sqlite_peer.connect(database).execute(
        "select position, stream, revision, type, corr, req, data from m order by position"
    )
    with FileMessageStore(store, create=False) as opened:
        found = [
            (
                *(m.position, m.stream_id, m.revision, m.message.type),
                *(m.message.correlation_id, m.message.request_id, m.message.data),
            )
            for m in opened.get_all_messages()
        ]
        assert opened.get_stats().total_sessions == 4
    assert found == [(*row[:6], json.loads(row[6])) for row in rows]
    assert found[7][:4] == (8, "orders-1", 2, "OrderPlaced")
    assert len(lines.read_text().splitlines()) == 130


@pytest.mark.parametrize(("count", "streams", "in_a_row"), [(130, 7, 5), (12, 20, 5), (40, 40, 1)])
def test_places_are_known_without_counting(count: int, streams: int, in_a_row: int) -> None:
    """Where a message stands, how long a stream is, and which message stands there: arithmetic."""
    seen: dict[str, int] = {}
    for number, line in enumerate(messages(count, streams, in_a_row=in_a_row)):
        stream = line["streamId"]
        revision = seen.get(stream, -1) + 1
        seen[stream] = revision
        assert stream_of(number, streams, in_a_row) == stream
        assert revision_of(number, streams, in_a_row) == revision
        assert number_at(int(stream[7:]), revision, streams, in_a_row) == number
    lengths = {f"orders-{i}": length_of(i, count, streams, in_a_row) for i in range(streams)}
    assert {stream: length for stream, length in lengths.items() if length} == {
        stream: revision + 1 for stream, revision in seen.items()
    }
