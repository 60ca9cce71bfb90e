"""Every way of reading, over stores larger than any buffer: the right answer, in order, complete."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from msgstore import FileMessageStore, Message, MessageFilter

TOTAL = 100_000
STREAMS = 10_000
BATCH = 5_000
FILL = "·" * 20


def message(number: int) -> Message:
    return Message(
        f"Type{number % 7}",
        {"n": number, "fill": FILL},
        id=f"m-{number}" if number % 1000 == 0 else None,
        correlation_id=f"c-{number // 5}",
        request_id=f"r-{number}" if number % 4 == 0 else None,
    )


def stream_of(number: int) -> str:
    return f"case-{number * 7919 % STREAMS}"


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FileMessageStore]:
    """100,000 messages in 10,000 streams, in transactions."""
    with FileMessageStore(tmp_path_factory.mktemp("wide") / "store", durability="os") as store:
        for first in range(0, TOTAL, BATCH):
            with store.transaction() as together:
                for number in range(first, first + BATCH):
                    together.save_message(stream_of(number), message(number))
        yield store


@pytest.fixture(scope="module")
def deep(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FileMessageStore]:
    """100,000 messages in one stream, over several segments."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("segments", "commit"):
            patch.setattr(f"msgstore.engine.{module}.SEGMENT_BYTES_ROLL", 1_500_000)
        path = tmp_path_factory.mktemp("deep") / "store"
        with FileMessageStore(path, durability="os") as store:
            for first in range(0, TOTAL, BATCH):
                store.save_messages("one", [message(n) for n in range(first, first + BATCH)])
            yield store


def numbers(messages: Iterator) -> list[int]:  # type: ignore[type-arg]
    return [stored.message.data["n"] for stored in messages]


# ---------------------------------------------------------------- many streams


def test_all_in_order(wide: FileMessageStore) -> None:
    """Forwards and backwards, all messages by position."""
    position = 0
    for stored in wide.get_all_messages():
        assert stored.message.data["n"] == position
        position += 1
        assert (stored.position, stored.stream_id) == (position, stream_of(position - 1))
    assert position == TOTAL
    last = numbers(wide.get_all_messages(count=3000, direction="backwards"))
    assert last == list(range(TOTAL - 1, TOTAL - 3001, -1))


@pytest.mark.parametrize("number", [0, 1, 77_777, TOTAL - 1])
def test_look_ups(wide: FileMessageStore, number: int) -> None:
    """Correlation, request, message id and position find what they name, and only that."""
    first = number - number % 5
    found = wide.get_all_messages(MessageFilter(correlation_id=f"c-{number // 5}"))
    assert numbers(found) == list(range(first, first + 5))
    request = number - number % 4
    assert numbers(wide.get_all_messages(MessageFilter(request_id=f"r-{request}"))) == [request]
    given = number - number % 1000
    assert numbers(wide.get_all_messages(MessageFilter(message_id=f"m-{given}"))) == [given]
    stored = wide.get_message(number + 1)
    assert stored is not None
    assert stored.message.data["n"] == number


def test_filters(wide: FileMessageStore) -> None:
    """Type, stream pattern, positions and payload, alone and together."""
    typed = MessageFilter(message_names=["Type3"], from_position=75_001)
    assert numbers(wide.get_all_messages(typed)) == [n for n in range(75_000, TOTAL) if n % 7 == 3]
    glob = MessageFilter(stream_pattern="case-999?")
    expected = [n for n in range(TOTAL) if stream_of(n)[:-1] == "case-999"]
    assert numbers(wide.get_all_messages(glob)) == expected
    assert wide.count_messages(glob) == len(expected) == 100
    payload = MessageFilter(where=["n>=99990", "n<99995"])
    assert numbers(wide.get_all_messages(payload)) == [99990, 99991, 99992, 99993, 99994]
    exact = MessageFilter(json_filter={"n": 67_890})
    assert numbers(wide.get_all_messages(exact, direction="backwards")) == [67_890]
    kinds = wide.count_by("kind")
    assert kinds == {"event": 75_000, "command": 25_000}


def test_every_stream(wide: FileMessageStore) -> None:
    """Every stream has its ten messages; totals and stream infos agree."""
    infos = list(wide.get_streams())
    assert len(infos) == STREAMS
    assert {info.message_count for info in infos} == {10}
    assert [info.stream_id for info in infos[:3]] == [stream_of(0), stream_of(1), stream_of(2)]
    assert numbers(wide.get_messages(stream_of(7))) == list(range(7, TOTAL, STREAMS))
    stats = wide.get_stats()
    assert (stats.total_messages, stats.total_streams) == (TOTAL, STREAMS)
    assert (stats.total_commands, stats.total_events) == (25_000, 75_000)


def test_nothing_is_damaged(wide: FileMessageStore, deep: FileMessageStore) -> None:
    """A full verification of both stores finds nothing."""
    for store, streams in ((wide, STREAMS), (deep, 1)):
        report = store.verify()
        assert report.findings == ()
        assert report.notes == ()
        assert (report.messages, report.streams) == (TOTAL, streams)


# ---------------------------------------------------------------- one long stream


def test_whole_stream(deep: FileMessageStore) -> None:
    """From the first message to the last and back."""
    assert numbers(deep.get_messages("one")) == list(range(TOTAL))
    backwards = deep.get_messages("one", direction="backwards")
    assert numbers(backwards) == list(range(TOTAL - 1, -1, -1))


@pytest.mark.parametrize("revision", [0, 1, 20_000, 49_999, 50_000, 99_998, 99_999])
def test_from_any_revision(deep: FileMessageStore, revision: int) -> None:
    """Forwards from a revision, backwards to one, and a stretch between two."""
    stop = min(revision + 50, TOTAL)
    assert numbers(deep.get_messages("one", revision, 50)) == list(range(revision, stop))
    bounded = deep.get_messages("one", to_revision=revision, count=50, direction="backwards")
    assert numbers(bounded) == list(range(revision, max(-1, revision - 50), -1))
    assert numbers(deep.get_messages("one", revision, to_revision=revision)) == [revision]


def test_reading_from_a_revision_does_not_scan(deep: FileMessageStore) -> None:
    """The middle of a long stream costs a few reads, not all before it."""
    disk = deep._disk
    sizes: list[int] = []
    read = disk.read
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(disk, "read", lambda *args: sizes.append(args[2]) or read(*args))
        assert numbers(deep.get_messages("one", 61_234, 1)) == [61_234]
    assert len(sizes) < 60
    assert sum(sizes) < 1_500_000


def test_beyond_the_end(deep: FileMessageStore) -> None:
    """There is nothing past the last revision."""
    assert numbers(deep.get_messages("one", TOTAL)) == []
    assert numbers(deep.get_messages("one", 5, to_revision=4)) == []
    info = deep.get_stream_info("one")
    assert info is not None
    assert (info.revision, info.message_count) == (TOTAL - 1, TOTAL)
