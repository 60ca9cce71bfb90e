"""Any store for programs on asyncio: its own synchronous calls, made on threads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, tzinfo
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from msgstore.aio.blocks import ThreadedSession, ThreadedTransaction
from msgstore.aio.following import Follower, Watcher
from msgstore.aio.reading import Chunks, close_iterator
from msgstore.aio.threads import Threads
from msgstore.backends.async_protocol import AsyncMessages
from msgstore.backends.protocol import Group, LocalMessageStore
from msgstore.model.arguments import (
    Direction,
    check_count,
    check_direction,
    check_filter,
    check_revision,
    check_timeout,
)
from msgstore.model.errors import CorruptRecord, OnDamage, StoreClosed
from msgstore.model.expectation import ExpectedRevision
from msgstore.model.filter import MessageFilter
from msgstore.model.message import Message, MessageType, PositionalMessage
from msgstore.model.results import SessionInfo, StoreStats, StreamInfo
from msgstore.model.saved import SaveResult
from msgstore.model.saving import SaveRequest
from msgstore.model.values import check_text

S = TypeVar("S", bound=LocalMessageStore)
T = TypeVar("T")

THREADS = 8
"""How many a store takes at most for changes, and as many for reads, where nothing is said."""


class ThreadedMessageStore(Generic[S]):
    """An AsyncLocalMessageStore over `store`, which nobody else closes. For any number of tasks.

    At most `threads` threads make changes, as many read, and one waits for all who follow. Where the
    calls of the store have an `on_damage`, these have it too, and call it in the task.
    """

    def __init__(self, store: S, *, threads: int = THREADS) -> None:
        self.store = store
        """The synchronous store. What it has besides is called by `run`."""
        self._name = str(getattr(store, "path", None) or getattr(store, "url", "store"))
        self._threads = Threads(threads, self._name)
        self._watcher = Watcher(store)
        self._is_closed = False

    async def run(self, call: Callable[[S], T]) -> T:
        """What `call` returns of the store, on a thread: `await store.run(lambda s: s.verify())`.

        Cancelled, it is carried to its end as a change is.
        """
        return await self._change(lambda: call(self.store))

    # ------------------------------------------------------------ saving

    async def save_message(
        self,
        stream_id: str,
        message: Message,
        expected_revision: ExpectedRevision = None,
        message_type: MessageType | str | None = None,
    ) -> SaveResult:
        return await self._change(
            lambda: self.store.save_message(stream_id, message, expected_revision, message_type)
        )

    async def save_messages(
        self,
        stream_id: str,
        messages: Iterable[Message],
        expected_revision: ExpectedRevision = None,
        message_type: MessageType | str | None = None,
    ) -> SaveResult:
        # Gathered here: what makes them is the task's, and not for a thread to run.
        batch = messages if isinstance(messages, Message) else tuple(messages)
        return await self._change(
            lambda: self.store.save_messages(stream_id, batch, expected_revision, message_type)
        )

    async def save_each(self, requests: Sequence[SaveRequest]) -> list[SaveResult]:
        return await self._change(lambda: self.store.save_each(requests))

    def transaction(self) -> ThreadedTransaction:
        return ThreadedTransaction(self._change, self.store.transaction())

    # ------------------------------------------------------------ reading

    def get_messages(
        self,
        stream_id: str,
        from_revision: int | None = None,
        count: int | None = None,
        *,
        to_revision: int | None = None,
        direction: Direction = "forwards",
        on_damage: OnDamage | None = None,
    ) -> AsyncMessages:
        check_text(stream_id, "stream_id")
        check_revision(from_revision, "from_revision")
        check_revision(to_revision, "to_revision")
        bounds: dict[str, Any] = {
            "to_revision": to_revision,
            "direction": check_direction(direction),
        }
        return self._read(
            "get_messages", (stream_id, from_revision, check_count(count)), bounds, on_damage
        )

    def get_all_messages(
        self,
        filter: MessageFilter | None = None,
        count: int | None = None,
        *,
        direction: Direction = "forwards",
        on_damage: OnDamage | None = None,
    ) -> AsyncMessages:
        return self._select("get_all_messages", (), filter, count, direction, on_damage)

    def get_all_commands(
        self,
        filter: MessageFilter | None = None,
        count: int | None = None,
        *,
        direction: Direction = "forwards",
    ) -> AsyncMessages:
        return self._select("get_all_commands", (), filter, count, direction)

    def get_all_events(
        self,
        filter: MessageFilter | None = None,
        count: int | None = None,
        *,
        direction: Direction = "forwards",
    ) -> AsyncMessages:
        return self._select("get_all_events", (), filter, count, direction)

    def get_session_messages(
        self,
        session_id: str,
        filter: MessageFilter | None = None,
        count: int | None = None,
        *,
        direction: Direction = "forwards",
    ) -> AsyncMessages:
        return self._select("get_session_messages", (session_id,), filter, count, direction)

    def _select(
        self,
        name: str,
        first: tuple[str, ...],
        filter: MessageFilter | None,
        count: int | None,
        direction: Direction,
        on_damage: OnDamage | None = None,
    ) -> AsyncMessages:
        arguments = (*first, check_filter(filter), check_count(count))
        return self._read(name, arguments, {"direction": check_direction(direction)}, on_damage)

    def _read(
        self,
        name: str,
        arguments: tuple[Any, ...],
        named: dict[str, Any],
        on_damage: OnDamage | None,
    ) -> AsyncMessages:
        """What the store's method of this name gives. It is called when the first message is asked for."""
        self._check_open()
        if on_damage is not None:
            named["on_damage"] = lambda error: chunks.note_damage(error)
        call = getattr(self.store, name)
        chunks: Chunks[PositionalMessage] = Chunks(lambda: call(*arguments, **named))
        return self._hand_out(chunks, on_damage)

    async def _hand_out(
        self, chunks: Chunks[T], on_damage: OnDamage | None = None
    ) -> AsyncGenerator[T, None]:
        try:
            while chunk := await self._look(chunks.fetch):
                for item in chunk:
                    if isinstance(item, CorruptRecord):
                        assert on_damage is not None, "else it is raised"
                        on_damage(item)
                    else:
                        yield item
        finally:
            chunks.close()

    async def get_message(self, position: int) -> PositionalMessage | None:
        return await self._look(lambda: self.store.get_message(position))

    async def count_messages(self, filter: MessageFilter | None = None) -> int:
        return await self._look(lambda: self.store.count_messages(filter))

    async def count_by(
        self, group: Group, filter: MessageFilter | None = None, *, zone: tzinfo = UTC
    ) -> dict[str, int]:
        return await self._look(lambda: self.store.count_by(group, filter, zone=zone))

    # ------------------------------------------------------------ following

    def follow(
        self,
        filter: MessageFilter | None = None,
        from_position: int | None = None,
        timeout: float | None = None,
        *,
        on_damage: OnDamage | None = None,
    ) -> AsyncMessages:
        """As the protocol has it. After a `reset` it goes on with the new first message."""
        self._check_open()
        wanted = check_filter(filter)
        first = check_count(from_position, "from_position") or 1
        return self._follow(wanted, first, check_timeout(timeout), on_damage)

    async def _follow(
        self,
        wanted: MessageFilter,
        from_position: int,
        timeout_s: float | None,
        on_damage: OnDamage | None,
    ) -> AsyncMessages:
        # Nothing is read from it: a store that cannot be followed says so.
        await self._look(lambda: close_iterator(self.store.follow(wanted, from_position)))
        follower = Follower(self.store, self._reader(on_damage), wanted, from_position)
        now_s = asyncio.get_running_loop().time
        until_s = None if timeout_s is None else now_s() + timeout_s
        has_caught_up = False  # before that there is nothing to wait for
        try:
            while True:
                # The time is up only when a look begun after it finds nothing: what does not match
                # may keep coming for ever.
                is_last = until_s is not None and now_s() >= until_s
                if has_caught_up and not is_last:
                    found = await self._look_or_wait(follower, until_s)
                else:
                    found = await self._look(follower.look)
                has_caught_up = has_caught_up or not found
                for item in found:
                    if isinstance(item, CorruptRecord):
                        assert on_damage is not None, "else it is raised"
                        on_damage(item)
                    else:
                        yield item
                        until_s = None if timeout_s is None else now_s() + timeout_s
                if not found and is_last:
                    return
        finally:
            follower.close()

    async def _look_or_wait(
        self, follower: Follower, until_s: float | None
    ) -> list[PositionalMessage | CorruptRecord]:
        with self._watcher.waiting() as waiter:
            found = await self._look(follower.look)
            if not found:
                left_s = None if until_s is None else until_s - asyncio.get_running_loop().time()
                await waiter.wait(left_s)
            return found

    def _reader(
        self, on_damage: OnDamage | None
    ) -> Callable[[MessageFilter, OnDamage], Iterator[PositionalMessage]]:
        read: Any = self.store.get_all_messages
        if on_damage is None:
            return lambda wanted, note: read(wanted)
        return lambda wanted, note: read(wanted, on_damage=note)

    # ------------------------------------------------------------ streams and totals

    async def get_stream_info(self, stream_id: str) -> StreamInfo | None:
        return await self._look(lambda: self.store.get_stream_info(stream_id))

    def get_streams(self) -> AsyncGenerator[StreamInfo, None]:
        self._check_open()
        return self._hand_out(Chunks(self.store.get_streams))

    async def get_stats(self) -> StoreStats:
        return await self._look(self.store.get_stats)

    # ------------------------------------------------------------ sessions

    @property
    def current_session(self) -> str | None:
        return self.store.current_session

    async def create_session(
        self, name: str | None = None, labels: Mapping[str, str] | None = None
    ) -> str:
        return await self._change(lambda: self.store.create_session(name, labels))

    async def use_session(self, session_id: str | None) -> None:
        await self._change(lambda: self.store.use_session(session_id))

    async def end_session(self, session_id: str, status: str | None = None) -> None:
        await self._change(lambda: self.store.end_session(session_id, status))

    def session(
        self, name: str | None = None, labels: Mapping[str, str] | None = None
    ) -> AbstractAsyncContextManager[str]:
        return ThreadedSession(self._change, self.store.session(name, labels))

    async def active_session(self) -> str | None:
        return await self._look(self.store.active_session)

    async def activate_session(self, session_id: str) -> None:
        await self._change(lambda: self.store.activate_session(session_id))

    async def get_sessions(self) -> list[SessionInfo]:
        return await self._look(self.store.get_sessions)

    async def get_session_info(self, session_id: str) -> SessionInfo:
        return await self._look(lambda: self.store.get_session_info(session_id))

    # ------------------------------------------------------------ the object

    async def reset(self) -> None:
        await self._change(self.store.reset)

    async def flush(self) -> None:
        await self._change(self.store.flush)

    async def close(self) -> None:
        """Ends it for every task: who follows gets StoreClosed, and so does the next call.

        Waits for the calls that threads are at, a read that was left included.
        """
        if self._is_closed:
            return
        self._is_closed = True
        await self._threads.close(self._close)

    def _close(self) -> None:
        self._watcher.close()
        self.store.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def _check_open(self) -> None:
        if self._is_closed:
            raise StoreClosed(self._name, "the store is closed")

    async def _look(self, call: Callable[[], T]) -> T:
        self._check_open()
        return await self._threads.look(call)

    async def _change(self, call: Callable[[], T], *, may_be_withdrawn: bool = True) -> T:
        self._check_open()
        return await self._threads.change(call, may_be_withdrawn=may_be_withdrawn)
