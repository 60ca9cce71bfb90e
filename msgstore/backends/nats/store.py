"""The store on NATS for programs without asyncio: a LocalMessageStore over `NatsCore`."""

from __future__ import annotations

import asyncio
import os
import weakref
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from datetime import UTC, tzinfo
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, TypeVar

from msgstore.backends.base import BaseStore, LocalSessions
from msgstore.backends.nats.address import NatsAddress
from msgstore.backends.nats.core import NatsCore
from msgstore.backends.nats.iterating import Reading
from msgstore.backends.nats.loop import LoopThread
from msgstore.backends.nats.records import Limits
from msgstore.model.arguments import Direction, check_filter
from msgstore.model.clock import Clock, system_clock_us, to_us
from msgstore.model.errors import InvalidArgument, StoreClosed
from msgstore.model.filter import MessageFilter
from msgstore.model.message import PositionalMessage
from msgstore.model.results import SessionInfo, StoreStats, StreamInfo, VerifyReport
from msgstore.model.saved import SaveResult
from msgstore.model.saving import SaveRequest

if TYPE_CHECKING:
    from msgstore.backends.nats.async_store import AsyncNatsMessageStore
    from msgstore.backends.protocol import Group

T = TypeVar("T")


class NatsMessageStore(LocalSessions, BaseStore):
    """A LocalMessageStore on NATS JetStream; `url` as in `NatsAddress`.

    With `create` the first change makes the store; without it a missing store raises StoreNotFound.
    `lock_timeout_s` is how long a call tries: to reach a server, and to save where others save too.
    Raises StoreUnavailable, UnsupportedFormat where the server cannot be used.
    """

    def __init__(
        self,
        url: str,
        *,
        lock_timeout_s: float = 30,
        create: bool = True,
        durability: str | None = None,
        clock: Clock = system_clock_us,
    ) -> None:
        if isinstance(lock_timeout_s, bool) or not lock_timeout_s >= 0:
            raise InvalidArgument("lock_timeout_s", f"{lock_timeout_s!r} is not a time in seconds")
        if durability is not None:
            reason = "a store on NATS is as durable as its servers' sync_interval says"
            raise InvalidArgument("durability", reason)
        self._address = NatsAddress.parse(url, os.environ)
        self._options: dict[str, Any] = {
            "create": create,
            "timeout_s": max(float(lock_timeout_s), 1.0),
            "clock": clock,
        }
        self._current: str | None = None
        self._is_closed = False
        self._connect()

    def _connect(self) -> None:
        self._pid = os.getpid()
        self._loop = LoopThread(f"msgstore {self._address.name}")
        try:
            self._core = self._loop.run(NatsCore.open(self._address, **self._options))
        except BaseException:  # an interrupt too: no thread is left
            self._loop.stop()
            raise
        self._finalizer = weakref.finalize(self, _shut, self._loop, self._core, self._pid)

    def _run(self, act: Coroutine[Any, Any, T]) -> T:
        try:
            return self._loop.run(act)
        except CancelledError:
            raise StoreClosed(self._address.shown, "the store was closed meanwhile") from None

    @property
    def _open_core(self) -> NatsCore:
        """Of a child process its own: a connection has one user."""
        if self._is_closed:
            raise StoreClosed(self._address.shown, "the store is closed")
        if self._pid != os.getpid():
            self._finalizer.detach()
            self._connect()
        return self._core

    @property
    def url(self) -> str:
        """Where it is, without what says who asks."""
        return self._address.shown

    @property
    def limits(self) -> Limits:
        """What one commit and one message may be at most."""
        return self._open_core.limits

    @property
    def store_id(self) -> str | None:
        """The store's uuid, or None while there is none yet. `reset` gives it a new one."""
        return self._run(self._open_core.store_id())

    def fingerprint(self, position: int) -> str | None:
        """A text that tells the message at a position from any other that could ever stand there."""
        stored = self.get_message(position)
        if stored is None:
            return None
        facts = f"{self.store_id} {stored.message.id} {to_us(stored.timestamp)} {stored.revision}"
        return blake2b(facts.encode(), digest_size=16).hexdigest()

    async def as_async(self) -> AsyncNatsMessageStore:
        """The same store for tasks of the loop that calls this; this object is closed."""
        from msgstore.backends.nats.async_store import AsyncNatsMessageStore

        core = await NatsCore.open(self._address, **self._options)
        store = AsyncNatsMessageStore(core, self._current)
        store.use_context(self._context)
        try:
            await asyncio.wrap_future(self._loop.submit(self._core.close()))
        except BaseException:  # cancelled too: no connection is left
            await store.close()
            raise
        self.close()  # there is nothing left to wait for
        return store

    # ------------------------------------------------------------ saving

    def _commit(self, requests: Sequence[SaveRequest], *, independent: bool) -> list[SaveResult]:
        core = self._open_core
        return self._run(core.save(requests, independent=independent, session_id=self._current))

    # ------------------------------------------------------------ reading

    def get_messages(
        self,
        stream_id: str,
        from_revision: int | None = None,
        count: int | None = None,
        *,
        to_revision: int | None = None,
        direction: Direction = "forwards",
    ) -> Iterator[PositionalMessage]:
        return self._iterate(
            self._open_core.get_messages(
                stream_id, from_revision, count, to_revision=to_revision, direction=direction
            )
        )

    def get_all_messages(
        self,
        filter: MessageFilter | None = None,
        count: int | None = None,
        *,
        direction: Direction = "forwards",
    ) -> Iterator[PositionalMessage]:
        return self._iterate(self._open_core.get_all_messages(filter, count, direction=direction))

    def _iterate(self, reading: Reading) -> Iterator[PositionalMessage]:
        while page := self._run_open(reading.next()):
            yield from page

    def _run_open(self, act: Coroutine[Any, Any, T]) -> T:
        try:
            _ = self._open_core
        except StoreClosed:
            act.close()
            raise
        return self._run(act)

    def follow(
        self,
        filter: MessageFilter | None = None,
        from_position: int | None = None,
        timeout: float | None = None,
    ) -> Iterator[PositionalMessage]:
        """As the protocol has it. After a `reset` it goes on with the new first message."""
        following = self._open_core.follow(filter, from_position, timeout)

        def iterate() -> Iterator[PositionalMessage]:
            try:
                while (page := self._run_open(following.next())) is not None:
                    yield from page
            finally:
                if not self._is_closed:
                    with suppress(StoreClosed):
                        self._run(following.close())

        return iterate()

    def count_messages(self, filter: MessageFilter | None = None) -> int:
        return self._run(self._open_core.count_messages(filter))

    def count_by(
        self, group: Group, filter: MessageFilter | None = None, *, zone: tzinfo = UTC
    ) -> dict[str, int]:
        if group == "stream" and check_filter(filter) == MessageFilter():
            counts = {info.stream_id: info.message_count for info in self.get_streams()}
            return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
        return super().count_by(group, filter, zone=zone)

    def _require_session(self, session_id: str) -> None:
        self._run(self._open_core.require_session(session_id))

    # ------------------------------------------------------------ streams and totals

    def get_stream_info(self, stream_id: str) -> StreamInfo | None:
        return self._run(self._open_core.get_stream_info(stream_id))

    def get_streams(self) -> Iterator[StreamInfo]:
        return iter(self._run(self._open_core.get_streams()))

    def get_stats(self) -> StoreStats:
        """As the protocol has it. `disk_bytes` is what one replica takes, as its server says."""
        return self._run(self._open_core.get_stats())

    has_files = False
    """Nothing here can be read behind damage, or repaired, by msgstore."""

    def verify(self, stream_id: str | None = None, quick: bool = False) -> VerifyReport:
        """Reads everything, or one stream, and says what is not as it must be. Changes nothing."""
        return self._run(self._open_core.verify(stream_id, quick))

    # ------------------------------------------------------------ sessions

    @property
    def current_session(self) -> str | None:
        return self._current

    def create_session(
        self, name: str | None = None, labels: Mapping[str, str] | None = None
    ) -> str:
        session_id = self._run(self._open_core.create_session(name, labels))
        self._current = session_id
        return session_id

    def use_session(self, session_id: str | None) -> None:
        core = self._open_core
        if session_id is not None:
            self._run(core.require_session(session_id, is_open=True))
        self._current = session_id

    def expect_session(self, session_id: str) -> None:
        """Makes a session the current one unseen: if it is not open, a save says so, and no read."""
        self._current = session_id

    def end_session(self, session_id: str, status: str | None = None) -> None:
        self._run(self._open_core.end_session(session_id, status))
        if self._current == session_id:
            self._current = None

    def active_session(self) -> str | None:
        return self._run(self._open_core.active_session())

    def activate_session(self, session_id: str) -> None:
        self._run(self._open_core.activate_session(session_id))

    def get_sessions(self) -> list[SessionInfo]:
        return self._run(self._open_core.get_sessions())

    def get_session_info(self, session_id: str) -> SessionInfo:
        return self._run(self._open_core.get_session_info(session_id))

    # ------------------------------------------------------------ the object

    def reset(self) -> None:
        self._run(self._open_core.reset())
        self._current = None

    def flush(self) -> None:
        self._run(self._open_core.flush())

    def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        if self._pid == os.getpid():
            self._finalizer()
        else:
            self._finalizer.detach()


def _shut(loop: LoopThread, core: NatsCore, pid: int) -> None:
    """Also when the program ends with the store open; in a child the loop is not there any more."""
    if os.getpid() == pid:
        loop.finish(core.close())
