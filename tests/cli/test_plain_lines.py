"""The fast way of `save -`: what it takes is what the slow way takes, and the rest it leaves alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from msgstore import FileMessageStore
from msgstore.cli.plain_lines import PlainLines
from msgstore.cli.sending import LineSaver, parse_lines
from msgstore.model.clock import to_us
from msgstore.model.draft import Draft
from msgstore.model.saving import SaveRequest

PLAIN = [
    '{"streamId": "s", "type": "T"}',
    '{"streamId": "s", "type": "T", "data": null, "requestId": null, "causationId": null}',
    '{"streamId": "s", "type": "T", "data": [1, -1, 1.5, true, null, "x", {"y": []}]}',
    '{"type": "T", "streamId": "ä/ö", "data": "\\ud83d\\ude00", "requestId": "r\\u00e4"}',
    '{"streamId": "s", "type": "T", "correlationId": "c", "causationId": "d", "metadata": [1]}',
    '{"streamId": "s", "type": "T", "timestamp": "2026-11-23T14:00:00.123456+02:00"}',
    '{"streamId": "s", "type": "T", "data": {"a": 1, "a": 2}}',
    '{"streamId": "s", "type": "T", "data": ' + "[" * 99 + "]" * 99 + "}",
    '{"streamId": "order-commands", "type": "T", "data": 18446744073709}',
]
NOT_PLAIN = [
    "",
    " ",
    "[]",
    "null",
    "nope",
    '{"streamId": "s", "type": "T", "id": "m-1"}',
    '{"streamId": "s", "type": "T", "id": null}',
    '{"streamId": "s", "type": "T", "expectedRevision": "none"}',
    '{"streamId": "s", "type": "T", "messageType": "command"}',
    '{"streamId": "s", "message": {"type": "T"}, "revision": 0}',
    '{"streamId": "s", "type": "T", "data": 18446744073709551616}',
    '{"streamId": "s", "type": "T", "data": 18446744073709551615}',
    '{"streamId": "s", "type": "T", "data": 1e400}',
    '{"streamId": "s", "type": "T", "data": NaN}',
    '{"streamId": "s", "type": "T", "data": "\\ud800"}',
    '{"streamId": "s", "type": "T", "data": ' + "[" * 101 + "]" * 101 + "}",
    '{"streamId": "s", "type": "T", "data": "' + "x" * (5 << 20) + '"}',
    '{"streamId": "s\\n", "type": "T"}',
    '{"streamId": "", "type": "T"}',
    '{"streamId": ["s"], "type": "T"}',
    '{"streamId": "s"}',
    '{"streamId": "s", "type": {}}',
    '{"streamId": "s", "type": "' + "T" * 1025 + '"}',
    '{"streamId": "s", "type": "T", "requestId": ""}',
    '{"streamId": "s", "type": "T", "requestId": 1}',
    '{"streamId": "s", "type": "T", "correlationId": "a\\tb"}',
    '{"streamId": "s", "type": "T", "correlationId": false}',
    '{"streamId": "s", "type": "T", "causationId": []}',
    '{"streamId": "s", "type": "T", "timestamp": "2026-11-23T14:00:00"}',
    '{"streamId": "s", "type": "T", "timestamp": 1}',
    '{"streamId": "s", "type": "T", "colour": "red"}',
]


def drafts_of(*requests: SaveRequest) -> list[Draft]:
    """The drafts that say what these requests say."""
    return [
        (
            request.stream_id,
            message.type,
            message.data,
            message.request_id,
            message.correlation_id,
            message.causation_id,
            None if message.timestamp is None else to_us(message.timestamp),
            message.metadata,
        )
        for request in requests
        for message in request.messages
    ]


@pytest.mark.parametrize("line", PLAIN)
def test_a_plain_line(line: str) -> None:
    """The draft holds what the slow way makes of the line."""
    requests: list[SaveRequest] = []
    assert parse_lines([line.encode()], None, requests) is None
    assert PlainLines(None).read([line.encode()]) == drafts_of(*requests)


@pytest.mark.parametrize("line", NOT_PLAIN[1:])
def test_any_other_line(line: str) -> None:
    """One line that is anything but plain leaves its whole batch to the slow way."""
    batch = [PLAIN[0].encode(), line.encode(), PLAIN[0].encode()]
    assert PlainLines(None).read(batch) is None


def test_empty_lines_are_passed_over() -> None:
    """An empty line asks for nothing."""
    assert PlainLines(None).read([b"", PLAIN[0].encode(), b""]) == [
        ("s", "T", {}, None, None, None, None, None)
    ]


def test_the_stream_that_is_named_wins() -> None:
    """`save STREAM -` asks no line for its stream, and looks at none that it names."""
    lines = [b'{"type": "T"}', b'{"type": "U", "streamId": 7}']
    drafts = PlainLines("own").read(lines)
    assert drafts is not None
    assert [draft[:2] for draft in drafts] == [("own", "T"), ("own", "U")]


def stored(path: Path, lines: list[str], *, fast: bool) -> list[dict[str, object]]:
    """What is in a store after the lines, without ids, which are random."""
    with FileMessageStore(path, clock=lambda: 1_700_000_000_000_000) as store:
        store.use_session(store.create_session())
        saver = LineSaver(store, None)
        saver._takes_drafts = fast
        for at in range(0, len(lines), 40):
            saver.save([line.encode() for line in lines[at : at + 40]])
        assert str(saver.tally).startswith(f"{len(lines)} messages to")
        assert store.verify().findings == ()
        found = [json.loads(json.dumps(m.to_json())) for m in store.get_all_messages()]
        by_kind = store.count_by("kind")
        assert sum(by_kind.values()) == len(lines)
    for one in found:
        assert one["message"].pop("id")[14] == "7"
        assert one.pop("sessionId").startswith("session-")
    return found


def test_both_ways_store_the_same(tmp_path: Path) -> None:
    """The fast way stores what the slow way stores: streams, kinds, places, sessions, content."""
    lines = [line for _ in range(10) for line in PLAIN]
    fast = stored(tmp_path / "fast", lines, fast=True)
    assert fast == stored(tmp_path / "slow", lines, fast=False)
    assert {(m["streamId"], m["messageType"]) for m in fast} == {
        ("s", "event"),
        ("ä/ö", "command"),
        ("order-commands", "command"),
    }
