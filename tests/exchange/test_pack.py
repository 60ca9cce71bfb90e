"""The pack: what is damaged is noticed, what is sought is found, what lies is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from msgstore import (
    CorruptStore,
    LocalMessageStore,
    Message,
    MessageFilter,
    MessageType,
    PositionalMessage,
    ReadOnlyStore,
    SessionInfo,
    SessionNotFound,
    StoreUnavailable,
    UnsupportedFormat,
    open_store,
)
from msgstore.exchange.encoders import Pack
from msgstore.format.frame import encode_frame
from msgstore.format.pack import PACK_KIND, encode_block, encode_header, pack_message
from msgstore.model.arguments import Direction

BEGUN = datetime(2026, 11, 23, 14, tzinfo=UTC)


def stored(number: int, data: object = None, session_id: str = "no-session") -> PositionalMessage:
    """Position 2n+1, in one of three streams."""
    return PositionalMessage(
        f"orders-{number % 3}",
        Message(
            "OrderPlaced" if number % 2 else "PlaceOrder",
            {"n": number} if data is None else data,
            id=f"id-{number}",
            correlation_id=f"case-{number // 10}",
        ),
        MessageType.EVENT if number % 2 else MessageType.COMMAND,
        number // 3,
        2 * number + 1,
        BEGUN + timedelta(seconds=number),
        session_id,
    )


SESSION = SessionInfo(
    session_id="session-1",
    name="nightly",
    labels={"host": "web-1"},
    started_at=BEGUN,
    ended_at=None,
    status=None,
    message_count=99,
    command_count=9,
    event_count=90,
    last_activity=BEGUN,
)


def pack_of(messages: list[PositionalMessage], *sessions: SessionInfo) -> bytes:
    pack = Pack(lambda: sessions)
    return b"".join([*map(pack.add, messages), pack.end()])


def write(tmp_path: Path, data: bytes) -> str:
    path = tmp_path / "run.msgpack"
    path.write_bytes(data)
    return str(path)


def read_all(path: str, direction: Direction = "forwards") -> list[PositionalMessage]:
    with open_store(path) as store:
        store.get_sessions()
        return list(store.get_all_messages(direction=direction))


def test_every_bit_flip_is_noticed(tmp_path: Path) -> None:
    """Whichever bit of a small pack is another, reading it all raises, forwards and backwards."""
    data = pack_of([stored(n, session_id="session-1") for n in range(3)], SESSION)
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit >> 3] ^= 1 << (bit & 7)
        path = write(tmp_path, bytes(flipped))
        for direction in ("forwards", "backwards"):
            with pytest.raises((CorruptStore, StoreUnavailable)):
                read_all(path, direction)


def test_every_cut_is_noticed(tmp_path: Path) -> None:
    """A pack that ends early or goes on behind its end is none."""
    data = pack_of([stored(n) for n in range(3)], SESSION)
    for size in range(len(data)):
        with pytest.raises((CorruptStore, StoreUnavailable)):
            open_store(write(tmp_path, data[:size])).close()  # a store's folder is not made
    with pytest.raises(CorruptStore):
        open_store(write(tmp_path, data + b"\0"))


def test_blocks_that_change_places_are_noticed(tmp_path: Path) -> None:
    """Two blocks that are whole, in the wrong order, are damage; so is one that is missing."""
    messages = [stored(n) for n in range(600)]
    data = pack_of(messages)
    header = len(encode_header())
    frames = [
        b"".join(encode_block(n, part, [*map(pack_message, part)]))
        for n, part in enumerate((messages[:256], messages[256:512], messages[512:]))
    ]
    begin, first, second = data[:header], *frames[:2]
    assert data.startswith(begin + first + second)
    rest = data[header + len(first) + len(second) :]
    for changed in (second + first, first, second):
        with pytest.raises(CorruptStore):
            read_all(write(tmp_path, begin + changed + rest))


def test_it_is_found_without_reading_all(tmp_path: Path) -> None:
    """An id, a stream, a session or a position is found though every other block is damaged."""
    messages = [stored(n, session_id="s" if n == 700 else "no-session") for n in range(1500)]
    messages[700] = PositionalMessage.from_json(
        messages[700].to_json() | {"streamId": "alone", "revision": 0}
    )
    data = bytearray(pack_of(messages))
    for n in (10, 1400):  # in the data of a message of another block
        data[data.index(f"id-{n}".encode()) - 3] ^= 1
    path = write(tmp_path, bytes(data))
    with open_store(path) as store:
        for wanted in (
            MessageFilter(message_id="id-700"),
            MessageFilter(stream_id="alone"),
            MessageFilter(session_id="s"),
            MessageFilter(from_position=1401, to_position=1401),
            MessageFilter(correlation_id="case-70", stream_id="alone"),
            MessageFilter(
                from_timestamp=messages[700].timestamp, to_timestamp=messages[700].timestamp
            ),
        ):
            assert list(store.get_all_messages(wanted)) == [messages[700]]
            assert list(store.get_all_messages(wanted, direction="backwards")) == [messages[700]]
        assert list(store.get_messages("alone")) == [messages[700]]
        with pytest.raises(CorruptStore):
            list(store.get_all_messages())


def test_as_a_store(tmp_path: Path) -> None:
    """Streams, totals, sessions and single messages are those of what was packed."""
    messages = [stored(n, session_id="session-1" if n < 4 else "no-session") for n in range(7)]
    with open_store(write(tmp_path, pack_of(messages, SESSION))) as store:
        assert isinstance(store, LocalMessageStore)
        assert store.get_message(5) == messages[2]
        assert store.get_message(6) is None
        assert [m.revision for m in store.get_messages("orders-0", 1, to_revision=1)] == [1]
        assert [m.position for m in store.get_messages("orders-0", direction="backwards")] == [
            *(13, 7, 1)
        ]
        assert store.count_messages() == 7
        assert store.count_by("kind") == {"command": 4, "event": 3}
        stats = store.get_stats()
        assert (stats.total_messages, stats.total_commands, stats.total_streams) == (7, 4, 3)
        assert (stats.oldest_message, stats.newest_message) == (
            messages[0].timestamp,
            messages[6].timestamp,
        )
        info = store.get_stream_info("orders-1")
        assert info is not None
        assert (info.revision, info.message_count, info.first_position) == (1, 2, 3)
        assert store.get_stream_info("none") is None
        [session] = store.get_sessions()
        assert (session.message_count, session.command_count, session.name) == (4, 2, "nightly")
        assert session.last_activity == messages[3].timestamp
        assert [*store.get_session_messages("session-1")] == messages[:4]
        with pytest.raises(SessionNotFound):
            store.get_session_messages("session-2")


def test_nothing_is_saved(tmp_path: Path) -> None:
    """Every change is refused, and the file is what it was."""
    data = pack_of([stored(0)], SESSION)
    path = write(tmp_path, data)
    with open_store(path, durability="always", create=True) as store:
        for change in (
            lambda: store.save_message("a", Message("T")),
            lambda: store.create_session(),
            lambda: store.use_session("session-1"),
            lambda: store.end_session("session-1"),
            lambda: store.activate_session("session-1"),
            lambda: store.session(),
            lambda: store.reset(),
            lambda: store.follow(),
        ):
            with pytest.raises(ReadOnlyStore):
                change()
    assert Path(path).read_bytes() == data


def test_of_another_version(tmp_path: Path) -> None:
    """A pack of a version to come is refused, and not misread."""
    data = encode_frame((PACK_KIND, 2)) + pack_of([stored(0)])[len(encode_header()) :]
    with pytest.raises(UnsupportedFormat, match="version 2"):
        open_store(write(tmp_path, data))


@pytest.mark.parametrize(
    "data",
    [float("nan"), b"bytes", {"deep": [[b"x"]]}],
    ids=["nan", "bytes", "bytes within"],
)
def test_whole_and_yet_not_json(tmp_path: Path, data: object) -> None:
    """What is whole by its checksums and no JSON is damage."""
    bad = stored(0, {})
    object.__setattr__(bad.message, "data", data)
    with pytest.raises(CorruptStore, match="not JSON"):
        read_all(write(tmp_path, pack_of([bad])))


def test_a_folder_with_that_name_is_a_store(tmp_path: Path) -> None:
    """Only a file is a pack."""
    with open_store(str(tmp_path / "x.msgpack")) as store:
        store.save_message("a", Message("T"))
    with open_store(str(tmp_path / "x.msgpack")) as store:
        assert store.count_messages() == 1
