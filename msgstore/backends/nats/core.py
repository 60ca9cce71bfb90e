"""The store as asyncio has it: every verb of the protocol, natively asynchronous.

Everything here runs on the event loop that opened it. The arguments of reads are checked at the
call, and reads give pages; `NatsMessageStore` is the synchronous face.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TypeVar
from weakref import WeakSet

from msgstore.backends.base import check_session_details
from msgstore.backends.nats.address import NatsAddress
from msgstore.backends.nats.following import Following
from msgstore.backends.nats.getting import Getter, Replaced
from msgstore.backends.nats.iterating import Reading
from msgstore.backends.nats.layout import Layout
from msgstore.backends.nats.parts import Parts
from msgstore.backends.nats.publishing import Item
from msgstore.backends.nats.questions import Deadline
from msgstore.backends.nats.reading import Decoder, Pages, select, select_stream
from msgstore.backends.nats.records import Limits, Raw
from msgstore.backends.nats.saving import Saver
from msgstore.backends.nats.verifying import Verifier
from msgstore.backends.nats.wire import Wire
from msgstore.model.arguments import (
    Direction,
    check_count,
    check_direction,
    check_filter,
    check_revision,
    check_timeout,
)
from msgstore.model.clock import Clock, system_clock_us
from msgstore.model.errors import (
    SessionNotFound,
    StoreClosed,
    StoreNotFound,
    StoreUnavailable,
)
from msgstore.model.filter import MessageFilter
from msgstore.model.message import PositionalMessage
from msgstore.model.results import SessionInfo, StoreStats, StreamInfo, VerifyReport
from msgstore.model.saved import SaveResult
from msgstore.model.saving import SaveRequest
from msgstore.model.values import check_text

T = TypeVar("T")


class NatsCore:
    """`await NatsCore.open(address)`; then any number of tasks may use it at once."""

    def __init__(
        self,
        address: NatsAddress,
        *,
        create: bool = True,
        timeout_s: float = 30,
        clock: Clock = system_clock_us,
    ) -> None:
        self.address = address
        self._create = create
        self._timeout_s = timeout_s
        self._clock = clock
        self._wire = Wire(address)
        self._layout = Layout(self._wire)
        self._saver = Saver(self._wire, self, timeout_s)
        self._parts: Parts | None = None
        self._looking = asyncio.Lock()
        self._followings: WeakSet[Following] = WeakSet()
        self._closing: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls,
        address: NatsAddress,
        *,
        create: bool = True,
        timeout_s: float = 30,
        clock: Clock = system_clock_us,
    ) -> NatsCore:
        """Raises StoreUnavailable, UnsupportedFormat, and StoreNotFound unless it may be made."""
        core = cls(address, create=create, timeout_s=timeout_s, clock=clock)
        try:
            await core._wire.connect()
            await core.parts()
        except BaseException:  # cancelled too: no connection is left
            await core._wire.close()
            raise
        return core

    # ------------------------------------------------------------ the store that is there

    async def parts(self) -> Parts | None:
        """Those of the store; None where there is none yet. Raises StoreNotFound, StoreClosed."""
        self.check_open()
        await self.getter(False, Deadline(self._timeout_s))
        if self._parts is None and not self._create:
            raise StoreNotFound(self.address.shown)
        return self._parts

    async def getter(self, create: bool, deadline: Deadline) -> Getter | None:
        """For its parts: what asks the store that is there; `create` makes one where there is none."""
        async with self._looking:
            if self._parts is None:
                place = await self._layout.find(deadline)
                if place is None and create:
                    if not self._create:
                        raise StoreNotFound(self.address.shown)
                    place = await self._layout.make(deadline)
                if place is None:
                    return None
                getter = Getter(self._wire, self._layout, place, self._timeout_s)
                self._parts = Parts(self._wire, self._layout, getter)
            return self._parts.getter

    def forget(self) -> None:
        """Its place is looked up anew by whoever needs it next."""
        self._parts = None

    def emptied(self) -> StoreUnavailable:
        """For its reads: the store went away under them."""
        self.forget()
        return StoreUnavailable(self.address.shown, "the store was emptied while it was read")

    async def with_parts(self, act: Callable[[Parts], Awaitable[T]]) -> T | None:
        """What `act` gives for the store that is there; None where there is none."""
        while True:
            parts = await self.parts()
            if parts is None:
                return None
            try:
                return await act(parts)
            except Replaced:
                self.forget()

    async def _with_new_store(self, act: Callable[[Parts], Awaitable[T]]) -> T:
        """As `with_parts`; makes the store where there is none."""
        while True:
            self.check_open()
            await self.getter(True, Deadline(self._timeout_s))
            if self._parts is not None:
                try:
                    return await act(self._parts)
                except Replaced:
                    self.forget()

    # ------------------------------------------------------------ saving

    @property
    def limits(self) -> Limits:
        """What one commit and one message may be at most."""
        return self._saver.limits

    async def save(
        self,
        requests: Sequence[SaveRequest],
        *,
        independent: bool,
        session_id: str | None = None,
    ) -> list[SaveResult]:
        """All requests or none, as one commit; `independent` as in `plan_saves`.

        A task that is cancelled meanwhile has saved all of it or nothing, as `outcome` of its error
        says. Raises what `save_messages` does; OutcomeUnknown where the server did not say how it went.
        """
        self.check_open()
        return await self._saver.save(requests, session_id, independent=independent)

    async def find(self, ids: Iterable[str], getter: Getter) -> dict[str, PositionalMessage]:
        """For its saver."""
        return await self._parts_of(getter).ledger.find(ids)

    async def check_session(self, session_id: str, getter: Getter) -> None:
        """For its saver."""
        await self._parts_of(getter).sessions.open(session_id)

    async def saved(self, first: int, messages: Sequence[Item]) -> None:
        """For its saver."""
        if self._parts is not None:
            self._parts.ledger.saved(first, messages)

    def _parts_of(self, getter: Getter) -> Parts:
        if self._parts is None or self._parts.getter is not getter:
            raise Replaced
        return self._parts

    # ------------------------------------------------------------ reading

    def get_messages(
        self,
        stream_id: str,
        from_revision: int | None = None,
        count: int | None = None,
        *,
        to_revision: int | None = None,
        direction: Direction = "forwards",
    ) -> Reading:
        self.check_open()
        check_text(stream_id, "stream_id")
        first = check_revision(from_revision, "from_revision") or 0
        last = check_revision(to_revision, "to_revision")
        check_count(count)
        check_direction(direction)

        async def begin(parts: Parts) -> Pages:
            return await select_stream(parts.getter, stream_id, first, last, direction, count)

        return Reading(self, begin, check_filter(None), count)

    def get_all_messages(
        self,
        filter: MessageFilter | None = None,
        count: int | None = None,
        *,
        direction: Direction = "forwards",
    ) -> Reading:
        self.check_open()
        wanted = check_filter(filter)
        check_count(count)
        check_direction(direction)

        async def begin(parts: Parts) -> Pages:
            return await select(parts.getter, wanted, direction, await parts.hints(wanted))

        return Reading(self, begin, wanted, count)

    def follow(
        self,
        filter: MessageFilter | None = None,
        from_position: int | None = None,
        timeout: float | None = None,
    ) -> Following:
        """To be closed by whoever is done with it."""
        self.check_open()
        wanted = check_filter(filter)
        first = check_count(from_position, "from_position") or 1
        following = Following(self, self._wire, wanted, first, check_timeout(timeout))
        self._followings.add(following)
        return following

    def decoder(self) -> Decoder:
        """For its followers. Raises Replaced."""
        if self._parts is None:
            raise Replaced
        return self._parts.decoder

    async def count_messages(self, filter: MessageFilter | None = None) -> int:
        wanted = check_filter(filter)
        if wanted == MessageFilter():
            return await self.with_parts(lambda parts: parts.count()) or 0
        if wanted.stream_id is not None and wanted == MessageFilter(stream_id=wanted.stream_id):
            info = await self.get_stream_info(wanted.stream_id)
            return 0 if info is None else info.message_count
        reading, found = self.get_all_messages(filter), 0
        while page := await reading.next():
            found += len(page)
        return found

    # ------------------------------------------------------------ streams and totals

    async def get_stream_info(self, stream_id: str) -> StreamInfo | None:
        check_text(stream_id, "stream_id")
        return await self.with_parts(lambda parts: parts.stream(stream_id))

    async def get_streams(self) -> list[StreamInfo]:
        """In the order in which they were created."""
        return await self.with_parts(lambda parts: parts.streams()) or []

    async def get_stats(self) -> StoreStats:
        stats = await self.with_parts(lambda parts: parts.stats())
        return stats or StoreStats(0, 0, 0, 0, 0, None, None, disk_bytes=0)

    async def verify(self, stream_id: str | None = None, quick: bool = False) -> VerifyReport:
        """Reads everything, or one stream, and says what is not as it must be."""
        if stream_id is not None:
            check_text(stream_id, "stream_id")

        async def look(parts: Parts) -> VerifyReport:
            verifier = Verifier(parts.getter, parts.decoder)
            return await verifier.verify(stream_id, quick, parts.sessions.count)

        return await self.with_parts(look) or VerifyReport(0, 0, 0, 0, ())

    async def store_id(self) -> str | None:
        """The store's uuid, or None while there is none yet."""
        parts = await self.parts()
        return None if parts is None else parts.getter.place.store_id

    # ------------------------------------------------------------ sessions

    async def create_session(
        self, name: str | None = None, labels: Mapping[str, str] | None = None
    ) -> str:
        checked = check_session_details(name, labels)
        return await self._with_new_store(lambda p: p.sessions.start(*checked, self._clock))

    async def end_session(self, session_id: str, status: str | None = None) -> None:
        if status is not None:
            check_text(status, "status")
        await self._of_session(session_id, lambda p: p.sessions.end(session_id, status))

    async def require_session(self, session_id: str, *, is_open: bool = False) -> None:
        """Raises SessionNotFound, and SessionEnded where it has to be open."""

        async def look(parts: Parts) -> Raw:
            sessions = parts.sessions
            return await (sessions.open(session_id) if is_open else sessions.find(session_id))

        await self._of_session(session_id, look)

    async def active_session(self) -> str | None:
        return await self.with_parts(lambda parts: parts.sessions.active())

    async def activate_session(self, session_id: str) -> None:
        await self._of_session(session_id, lambda p: p.sessions.activate(session_id))

    async def get_sessions(self) -> list[SessionInfo]:
        async def look(parts: Parts) -> list[SessionInfo]:
            return await parts.sessions.infos(await parts.sessions.all())

        return await self.with_parts(look) or []

    async def get_session_info(self, session_id: str) -> SessionInfo:
        async def look(parts: Parts) -> list[SessionInfo]:
            return await parts.sessions.infos([await parts.sessions.find(session_id)])

        return (await self._of_session(session_id, look))[0]

    async def _of_session(self, session_id: str, act: Callable[[Parts], Awaitable[T]]) -> T:
        async def acted(parts: Parts) -> tuple[T]:
            return (await act(parts),)

        done = await self.with_parts(acted)
        if done is None:
            raise SessionNotFound(session_id)
        return done[0]

    # ------------------------------------------------------------ the object

    async def reset(self) -> None:
        """Deletes the store, and makes an empty one."""
        parts = await self.parts()
        if parts is None:
            return
        deadline = Deadline(self._timeout_s)
        await self._saver.rest()
        await parts.ledger.rest()
        await self._layout.delete(parts.getter.place, deadline)
        self.forget()
        await self._layout.make(deadline)

    async def flush(self) -> None:
        """What was acknowledged is on record; waits for what is being saved."""
        self.check_open()
        await self._saver.rest()

    async def close(self) -> None:
        """Waits for what is being saved. Carried to its end, whoever is cancelled that waits for it."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        for following in self._followings:
            following.wake()
        await self._saver.rest()
        if self._parts is not None:
            await self._parts.ledger.rest()
        await self._wire.close()

    def check_open(self) -> None:
        """Raises StoreClosed."""
        if self._closing is not None:
            raise StoreClosed(self.address.shown, "the store is closed")
