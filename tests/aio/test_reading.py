"""How a store on threads reads, and follows."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from msgstore import (
    CorruptRecord,
    FileMessageStore,
    MemoryMessageStore,
    Message,
    MessageFilter,
    PositionalMessage,
)
from msgstore.aio import AsyncLocalMessageStore, ThreadedMessageStore
from msgstore.aio.reading import Chunks
from msgstore.testing.claims.base import event, events, numbers
from msgstore.testing.claims.cancelling import listed
from msgstore.testing.claims.tasks import first_of

from .harness import PATIENCE_S, file_store, our_threads, until

# ---------------------------------------------------------------- reading


class Counting(MemoryMessageStore):
    """Counts what its reads have given."""

    given = 0

    def get_all_messages(self, *arguments: Any, **named: Any) -> Iterator[PositionalMessage]:
        for stored in super().get_all_messages(*arguments, **named):
            self.given += 1
            yield stored


def test_reads_are_streamed() -> None:
    """A read is ahead of its task by a chunk, whatever there is to read."""

    async def main() -> None:
        counting = Counting()
        async with ThreadedMessageStore(counting) as store:
            await store.save_messages("a", [Message("A")] * 4000)
            count = 0
            async for _ in store.get_all_messages():
                count += 1
                assert count <= counting.given <= count + 1024
            assert count == 4000

    asyncio.run(main())


def test_how_much_is_fetched_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few messages at first, twice as many each time, a thousand at most; and what a while gives."""
    monkeypatch.setattr("msgstore.aio.reading._FETCH_S", PATIENCE_S)
    chunks = Chunks(lambda: iter(range(4000)))
    sizes = [len(chunk) for chunk in iter(chunks.fetch, [])]
    assert sizes == [32, 64, 128, 256, 512, 1024, 1024, 960]
    monkeypatch.setattr("msgstore.aio.reading._FETCH_S", 0)
    chunks = Chunks(lambda: iter(range(3)))
    assert list(iter(chunks.fetch, [])) == [[0], [1], [2]]


class Told(MemoryMessageStore):
    """Notes how its reads end, and is damaged behind three messages."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: list[str] = []
        self.on_threads: set[str] = set()

    def get_all_messages(self, *arguments: Any, **named: Any) -> Iterator[PositionalMessage]:
        on_damage = named.pop("on_damage", None)
        messages = super().get_all_messages(*arguments, **named)
        return self._told(messages, on_damage)

    def _told(self, messages: Iterator[PositionalMessage], on_damage: Any) -> Iterator[Any]:
        try:
            for number, stored in enumerate(messages):
                self.on_threads.add(threading.current_thread().name)
                if number == 3:
                    error = CorruptRecord("index", 96, "checksum", position=stored.position)
                    if on_damage is None:
                        raise error
                    on_damage(error)
                    continue
                yield stored
            self.ended.append("at the end")
        except GeneratorExit:
            self.ended.append("closed")
            raise


def test_what_comes_before_damage_is_good() -> None:
    """An error is raised behind the messages that came before it, as often as it is asked for."""

    async def main() -> None:
        async with ThreadedMessageStore(Told()) as store:
            await store.save_messages("a", events(*range(6)))
            seen = []

            async def read() -> None:
                async for stored in store.get_all_messages():
                    seen.append(stored)

            with pytest.raises(CorruptRecord):
                await read()
            assert numbers(seen) == [0, 1, 2]

    asyncio.run(main())


def test_being_told_of_damage() -> None:
    """`on_damage` is called in the task, where the message would have been; what it raises ends the read."""

    async def main() -> None:
        told = Told()
        async with ThreadedMessageStore(told) as store:
            await store.save_messages("a", events(*range(6)))
            seen: list[Any] = []

            def note(error: CorruptRecord) -> None:
                seen.append((error.position, threading.current_thread() is threading.main_thread()))

            async for stored in store.get_all_messages(on_damage=note):
                seen.append(stored.message.data["n"])
            assert seen == [0, 1, 2, (4, True), 4, 5]
            seen.clear()
            async for stored in store.follow(timeout=0, on_damage=note):
                seen.append(stored.message.data["n"])
            assert seen == [0, 1, 2, (4, True), 4, 5]

            def refuse(error: CorruptRecord) -> None:
                raise error

            with pytest.raises(CorruptRecord):
                await listed(store.get_all_messages(on_damage=refuse))
        assert all(name.startswith("msgstore-look") for name in told.on_threads)

    asyncio.run(main())


class Endless(MemoryMessageStore):
    """Reads of it never end; it keeps them, and notes those that are closed."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = 0
        self.kept: list[Iterator[PositionalMessage]] = []

    def get_all_messages(self, *arguments: Any, **named: Any) -> Iterator[PositionalMessage]:
        self.kept.append(self._endless(*arguments, **named))
        return self.kept[-1]

    def _endless(self, *arguments: Any, **named: Any) -> Iterator[PositionalMessage]:
        try:
            while True:
                yield from super().get_all_messages(*arguments, **named)
        finally:
            self.closed += 1


@pytest.mark.parametrize("way", ["aclose", "break", "cancel"])
def test_a_generator_that_is_not_finished_is_closed(way: str) -> None:
    """However a read is left, the store's own generator is closed."""

    async def read(store: AsyncLocalMessageStore) -> None:
        async for _ in store.get_all_messages():
            if way == "break":
                break

    async def main() -> None:
        endless = Endless()
        async with ThreadedMessageStore(endless) as store:
            await store.save_messages("a", events(1, 2, 3))
            if way == "aclose":
                messages = store.get_all_messages()
                await anext(messages)
                await messages.aclose()
            elif way == "break":
                await read(store)
            else:
                task = asyncio.ensure_future(read(store))
                await asyncio.sleep(0.05)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            await until(lambda: endless.closed == 1)

    asyncio.run(main())


def test_an_iterable_is_gathered_in_the_task() -> None:
    """What makes messages as it is asked for them is asked in the task, not on a thread."""

    async def main() -> None:
        threads = set()

        def made() -> Iterator[Message]:
            for n in range(3):
                threads.add(threading.current_thread())
                yield event(n)

        async with ThreadedMessageStore(MemoryMessageStore()) as store:
            assert (await store.save_messages("a", made())).count == 3
        assert threads == {threading.main_thread()}

    asyncio.run(main())


# ---------------------------------------------------------------- following


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_following_an_emptied_store(tmp_path: Path, kind: str) -> None:
    """After a `reset` a follower goes on with the new first message, and gives none twice."""

    async def main() -> None:
        inner = (
            MemoryMessageStore()
            if kind == "memory"
            else FileMessageStore(tmp_path / "store", durability="os")
        )
        async with ThreadedMessageStore(inner) as store:
            seen: list[int] = []

            async def follow() -> None:
                async for stored in store.follow():
                    seen.append(stored.message.data["n"])

            await store.save_messages("a", events(1, 2, 3))
            following = asyncio.ensure_future(follow())
            for round_ in range(5):
                await until(lambda: len(seen) >= 3 + round_ * 4)  # noqa: B023
                await store.reset()
                await store.save_messages("a", events(*range(4)))
            await until(lambda: len(seen) >= 23)
            following.cancel()
            assert seen == [1, 2, 3, *[0, 1, 2, 3] * 5]

    asyncio.run(main())


def test_following_what_another_process_saves(tmp_path: Path) -> None:
    """What arrives is whatever anybody saves."""

    async def main() -> None:
        async with file_store(tmp_path) as store:
            following = asyncio.ensure_future(first_of(store.follow(), 3))
            await until(lambda: "msgstore-follow" in our_threads())
            with FileMessageStore(tmp_path / "store", durability="os") as other:
                for n in range(3):
                    other.save_message("a", event(n))
            assert numbers(await following) == [0, 1, 2]

    asyncio.run(main())


class Sneaking(MemoryMessageStore):
    """Gets a message as the thread that waits for followers looks for the first time."""

    def get_all_messages(self, *arguments: Any, **named: Any) -> Iterator[PositionalMessage]:
        if threading.current_thread().name == "msgstore-follow" and not super().get_stream_info(
            "a"
        ):
            self.save_message("a", event(1))
        return super().get_all_messages(*arguments, **named)


def test_what_arrives_as_the_watch_begins() -> None:
    """What comes between the look of a follower and that of the thread that waits for it is told."""

    async def main() -> None:
        async with ThreadedMessageStore(Sneaking()) as store, asyncio.timeout(PATIENCE_S):
            assert numbers(await first_of(store.follow(), 1)) == [1]

    asyncio.run(main())


class Growing(MemoryMessageStore):
    """However often it is looked at, there is another message that nobody wants."""

    def get_all_messages(self, *arguments: Any, **named: Any) -> Iterator[PositionalMessage]:
        self.save_message("unwanted", event(0))
        return super().get_all_messages(*arguments, **named)


def test_following_what_never_stops_growing() -> None:
    """A look goes no further than to where the store ended when it began, so the time is up in the end."""

    async def main() -> None:
        async with ThreadedMessageStore(Growing()) as store:
            wanted = MessageFilter(stream_id="wanted")
            assert await listed(store.follow(wanted, timeout=0.05)) == []

    asyncio.run(main())
