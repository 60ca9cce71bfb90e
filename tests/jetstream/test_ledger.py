"""Ids and counts: found beyond the server's window, behind the checkpoint and before it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import pytest

from msgstore import DuplicateMessageId, Message, MessageFilter, TooManyMessages
from msgstore.backends.nats import layout
from msgstore.backends.nats.core import NatsCore
from msgstore.backends.nats.ledger import STEP, Ledger
from msgstore.backends.nats.parts import Parts
from msgstore.backends.nats.store import NatsMessageStore

from .servers import Server

T = TypeVar("T")


@pytest.fixture
def url(server: Server) -> str:
    return server.url(f"i{os.urandom(8).hex()}")


@pytest.fixture
def store(url: str) -> Iterator[NatsMessageStore]:
    with NatsMessageStore(url) as store:
        yield store


def with_parts(store: NatsMessageStore, act: Callable[[Parts], Awaitable[T]]) -> T | None:
    """Runs something on the parts of the core, on its loop."""
    return store._run(store._core.with_parts(act))


def checkpoint(store: NatsMessageStore) -> int | None:
    async def look(parts: Parts) -> int:
        _, position = await parts.ledger._look_up([])
        return position

    return with_parts(store, look)


def fill(store: NatsMessageStore, count: int, prefix: str = "m") -> None:
    for first in range(0, count, 500):
        numbers = range(first, min(count, first + 500))
        batch = [Message("X", n, id=f"{prefix}-{n}") for n in numbers]
        store.save_messages(
            f"stream-{first % 3}", batch, None, ("event", "command")[first % 1000 > 0]
        )


def test_beyond_the_window(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An id that the server itself has forgotten is still known, behind the checkpoint and before it."""
    monkeypatch.setattr(layout, "_DUPLICATE_WINDOW_NS", 100_000_000)  # the least it takes
    with NatsMessageStore(url) as store:
        fill(store, 2 * STEP)
        store.save_message("orders", Message("X", 1, id="late"))
        asyncio.run(asyncio.sleep(0.3))
    with NatsMessageStore(url) as again:
        assert 0 < (checkpoint(again) or 0) <= 2 * STEP
        for message_id, stream, data in (("m-3", "stream-0", 3), ("late", "orders", 1)):
            assert again.save_message(stream, Message("X", data, id=message_id)).duplicate
            with pytest.raises(DuplicateMessageId):
                again.save_message("elsewhere", Message("X", data, id=message_id))
        assert again.count_messages() == 2 * STEP + 1


def test_within_the_window(url: str) -> None:
    """Of two clients that save one id at once one stores it; the other is told where."""
    with NatsMessageStore(url) as first, NatsMessageStore(url) as second:
        first.save_message("orders", Message("X", 0))
        second.get_stats()
        for number in range(20):
            message = Message("X", number, id=f"m-{number}")
            results = [one.save_message("orders", message) for one in (first, second)]
            assert [result.duplicate for result in results] == [False, True]
            assert results[0].last_position == results[1].last_position


def test_the_checkpoint_moves(store: NatsMessageStore, url: str) -> None:
    """Whoever saves past a border moves the checkpoint; counts are the same before and after."""
    session_id = store.create_session("s")
    fill(store, STEP - 1)
    assert checkpoint(store) == 0
    before = store.get_session_info(session_id)
    commands = store.get_stats().total_commands
    fill(store, 2, "n")
    store.flush()
    with_parts(store, lambda parts: parts.ledger.rest())
    assert checkpoint(store) == STEP
    after = store.get_session_info(session_id)
    assert (before.message_count, after.message_count) == (STEP - 1, STEP + 1)
    assert store.get_stats().total_commands == commands
    with NatsMessageStore(url) as again:
        assert again.get_session_info(session_id) == after
        assert again.get_stats().total_commands == commands
        assert again.get_message(STEP) in list(
            again.get_all_messages(MessageFilter(message_id="n-0"))
        )


def test_two_move_it_at_once(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two who move the checkpoint at once one does; nothing is counted twice."""
    with NatsMessageStore(url) as first, NatsMessageStore(url) as second:
        session_id = first.create_session()
        with monkeypatch.context() as patch:
            patch.setattr(Ledger, "saved", lambda *_: None)  # nobody moves it while they save
            fill(first, 3 * STEP)
        assert checkpoint(first) == 0

        async def both() -> None:
            async def digest(core: NatsCore) -> None:
                await core.with_parts(lambda parts: _digest(parts))

            cores = [await NatsCore.open(first._address) for _ in range(2)]
            await asyncio.gather(*[digest(core) for core in cores])
            for core in cores:
                await core.close()

        asyncio.run(both())
        assert checkpoint(second) == 3 * STEP
        info = second.get_session_info(session_id)
        assert (info.message_count, info.command_count) == (3 * STEP, 1200)
        assert second.get_stats().total_messages == 3 * STEP
        assert second.get_stats().total_commands == 1200


async def _digest(parts: Parts) -> None:
    from msgstore.backends.nats.publishing import Refused

    while True:
        try:
            await parts.ledger.digest()
            return
        except Refused:
            continue


def test_too_many_messages(store: NatsMessageStore) -> None:
    """A commit of more than the server takes is refused before anything is sent."""
    assert store.limits.commit_messages_max == 1000
    with pytest.raises(TooManyMessages) as caught:
        store.save_messages("orders", [Message("X")] * 1001)
    assert (caught.value.count, caught.value.count_max) == (1001, 1000)
    assert store.save_messages("orders", [Message("X")] * 1000).last_position == 1000
