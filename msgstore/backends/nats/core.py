"""The store as asyncio has it: every verb of the protocol, natively asynchronous.

Everything here runs on the event loop that opened it. The arguments of reads are checked at the
call, and reads give pages; `NatsMessageStore` is the synchronous face.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from msgstore.backends.base import check_session_details
from msgstore.backends.nats.address import NatsAddress
from msgstore.backends.nats.following import Following
from msgstore.backends.nats.getting import Getter, Replaced
from msgstore.backends.nats.layout import Layout
from msgstore.backends.nats.ledger import Ledger
from msgstore.backends.nats.publishing import Item
from msgstore.backends.nats.reading import Decoder, Pages, head_of, select, select_stream
from msgstore.backends.nats.records import Limits, Raw
from msgstore.backends.nats.saving import Saver
from msgstore.backends.nats.sessions import Sessions
from msgstore.backends.nats.verifying import Verifier
from msgstore.backends.nats.wire import Deadline, Wire
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


class Store:
    """The parts of a store that is there, made anew when it is replaced."""

    def __init__(self, wire: Wire, layout: Layout, getter: Getter) -> None:
        self.getter = getter
        self.decoder = Decoder(getter)
        self.ledger = Ledger(wire, getter, self.decoder)
        self.sessions = Sessions(wire, layout, getter, self.decoder, self.ledger)


class Reading:
    """What a read gives, page by page; `next` returns an empty list at the end."""

    def __init__(
        self,
        core: NatsCore,
        begin: Callable[[Getter], Awaitable[Pages]],
        wanted: MessageFilter,
        count: int | None,
    ) -> None:
        self._core = core
        self._begin = begin
        self._wanted = wanted
        self._left = count
        self._pages: Pages | None = None
        self._decoder: Decoder | None = None

    async def next(self) -> list[PositionalMessage]:
        """Settles at the first call what is looked at. Raises StoreUnavailable, CorruptStore."""
        while self._left is None or self._left > 0:
            raws = await self._page()
            if not raws or self._decoder is None:
                break
            decoded = await self._decode(raws)
            found = [message for message in decoded if self._wanted.matches(message)]
            if self._left is not None:
                found = found[: self._left]
                self._left -= len(found)
            if found:
                return found
        return []

    async def _page(self) -> list[Raw]:
        if self._pages is None:
            store = await self._core.with_store(self._take_up)
            if store is None:
                return []
        assert self._pages is not None, "it was begun"
        try:
            return await self._pages.next()
        except Replaced:
            raise self._core.emptied() from None

    async def _take_up(self, store: Store) -> Store:
        self._pages = await self._begin(store.getter)
        self._decoder = store.decoder
        return store

    async def _decode(self, raws: Sequence[Raw]) -> list[PositionalMessage]:
        assert self._decoder is not None, "it was begun"
        try:
            return await self._decoder.decode(raws)
        except Replaced:
            raise self._core.emptied() from None

    async def __aiter__(self) -> AsyncIterator[PositionalMessage]:
        while page := await self.next():
            for message in page:
                yield message


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
        self._store: Store | None = None
        self._looking = asyncio.Lock()
        self._is_closed = False

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
            await core.store()
        except BaseException:
            await core._wire.close()
            raise
        return core

    # ------------------------------------------------------------ the store that is there

    async def store(self) -> Store | None:
        """Its parts; None where there is none yet. Raises StoreNotFound where it is not to be made."""
        if self._is_closed:
            raise StoreClosed(self.address.shown, "the store is closed")
        deadline = Deadline(self._timeout_s)
        await self.getter(False, deadline)
        if self._store is None and not self._create:
            raise StoreNotFound(self.address.shown)
        return self._store

    async def getter(self, create: bool, deadline: Deadline) -> Getter | None:
        """For its parts: what asks the store that is there; `create` makes one where there is none."""
        async with self._looking:
            if self._store is None:
                place = await self._layout.find(deadline)
                if place is None and create:
                    if not self._create:
                        raise StoreNotFound(self.address.shown)
                    place = await self._layout.make(deadline)
                if place is None:
                    return None
                getter = Getter(self._wire, self._layout, place, self._timeout_s)
                self._store = Store(self._wire, self._layout, getter)
            return self._store.getter

    def forget(self) -> None:
        """Its place is looked up anew by whoever needs it next."""
        self._store = None

    def emptied(self) -> StoreUnavailable:
        self.forget()
        return StoreUnavailable(self.address.shown, "the store was emptied while it was read")

    async def with_store(self, act: Callable[[Store], Awaitable[T]]) -> T | None:
        """What `act` gives for the store that is there; None where there is none."""
        while True:
            store = await self.store()
            if store is None:
                return None
            try:
                return await act(store)
            except Replaced:
                self.forget()

    async def _with_new_store(self, act: Callable[[Store], Awaitable[T]]) -> T:
        """As `with_store`; makes the store where there is none."""
        while True:
            await self.getter(True, Deadline(self._timeout_s))
            if self._store is not None:
                try:
                    return await act(self._store)
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

        A task that is cancelled meanwhile has saved all of it or nothing. Raises what
        `save_messages` does; OutcomeUnknown where the server did not say how it went.
        """
        if self._is_closed:
            raise StoreClosed(self.address.shown, "the store is closed")
        return await self._saver.save(requests, session_id, independent=independent)

    async def find(self, ids: Iterable[str], getter: Getter) -> dict[str, PositionalMessage]:
        """For its saver."""
        store = self._store
        if store is None or store.getter is not getter:
            raise Replaced
        return await store.ledger.find(ids)

    async def check_session(self, session_id: str, getter: Getter) -> None:
        """For its saver."""
        store = self._store
        if store is None or store.getter is not getter:
            raise Replaced
        await store.sessions.open(session_id)

    async def saved(self, first: int, messages: Sequence[Item]) -> None:
        """For its saver."""
        if self._store is not None:
            self._store.ledger.saved(first, messages)

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
        self._check_open()
        check_text(stream_id, "stream_id")
        first = check_revision(from_revision, "from_revision") or 0
        last = check_revision(to_revision, "to_revision")
        check_count(count)
        check_direction(direction)

        async def begin(getter: Getter) -> Pages:
            return await select_stream(getter, stream_id, first, last, direction, count)

        return Reading(self, begin, check_filter(None), count)

    def get_all_messages(
        self,
        filter: MessageFilter | None = None,
        count: int | None = None,
        *,
        direction: Direction = "forwards",
    ) -> Reading:
        self._check_open()
        wanted = check_filter(filter)
        check_count(count)
        check_direction(direction)

        async def begin(getter: Getter) -> Pages:
            return await select(getter, wanted, direction, await self._places_of(wanted))

        return Reading(self, begin, wanted, count)

    async def _places_of(self, wanted: MessageFilter) -> list[int] | None:
        """Where a message of a wanted id is; None if none is wanted."""
        message_id = wanted.message_id
        if message_id is None or self._store is None:
            return None
        found = await self._store.ledger.find([message_id])
        return [message.position for message in found.values()]

    def follow(
        self,
        filter: MessageFilter | None = None,
        from_position: int | None = None,
        timeout: float | None = None,
    ) -> Following:
        """To be closed by whoever is done with it."""
        self._check_open()
        wanted = check_filter(filter)
        first = check_count(from_position, "from_position") or 1
        return Following(self, self._wire, wanted, first, check_timeout(timeout))

    def decoder(self) -> Decoder:
        """For its followers. Raises Replaced."""
        if self._store is None:
            raise Replaced
        return self._store.decoder

    async def count_messages(self, filter: MessageFilter | None = None) -> int:
        wanted = check_filter(filter)
        if wanted == MessageFilter():
            return await self.with_store(_count) or 0
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

        async def look(store: Store) -> StreamInfo | None:
            head = await head_of(store.getter, stream_id, await store.getter.snapshot())
            return None if head is None else (await _stream_infos(store, [head]))[0]

        return await self.with_store(look)

    async def get_streams(self) -> list[StreamInfo]:
        """In the order in which they were created."""

        async def look(store: Store) -> list[StreamInfo]:
            getter = store.getter
            snapshot = await getter.snapshot()
            if not snapshot.last:
                return []
            place = getter.place
            subjects = await self._layout.subjects(
                place.stream, place.everything, getter.deadline()
            )
            heads = await getter.lasts(subjects, snapshot)
            infos = await _stream_infos(store, list(heads.values()))
            return sorted(infos, key=lambda info: info.first_position)

        return await self.with_store(look) or []

    async def get_stats(self) -> StoreStats:
        async def look(store: Store) -> StoreStats:
            getter = store.getter
            snapshot = await getter.snapshot()
            commands = await store.ledger.commands(snapshot)
            size = await self._layout.size(getter.place, getter.deadline())
            if size is None:
                raise Replaced
            ends = [] if not snapshot.last else sorted({1, snapshot.last})
            stored = await store.decoder.decode(await getter.many_at(ends))
            return StoreStats(
                total_messages=snapshot.last,
                total_commands=commands,
                total_events=snapshot.last - commands,
                total_streams=size.streams,
                total_sessions=await store.sessions.count(),
                oldest_message=stored[0].timestamp if stored else None,
                newest_message=stored[-1].timestamp if stored else None,
                disk_bytes=size.size_bytes,
            )

        stats = await self.with_store(look)
        return stats or StoreStats(0, 0, 0, 0, 0, None, None, disk_bytes=0)

    async def verify(self, stream_id: str | None = None, quick: bool = False) -> VerifyReport:
        """Reads everything, or one stream, and says what is not as it must be."""
        if stream_id is not None:
            check_text(stream_id, "stream_id")

        async def look(store: Store) -> VerifyReport:
            verifier = Verifier(store.getter, store.decoder)
            return await verifier.verify(stream_id, quick, store.sessions.count)

        return await self.with_store(look) or VerifyReport(0, 0, 0, 0, ())

    async def store_id(self) -> str | None:
        store = await self.store()
        return None if store is None else store.getter.place.store_id

    # ------------------------------------------------------------ sessions

    async def create_session(
        self, name: str | None = None, labels: Mapping[str, str] | None = None
    ) -> str:
        checked = check_session_details(name, labels)
        return await self._with_new_store(lambda s: s.sessions.start(*checked, self._clock))

    async def end_session(self, session_id: str, status: str | None = None) -> None:
        if status is not None:
            check_text(status, "status")
        await self._of_session(session_id, lambda s: s.sessions.end(session_id, status))

    async def require_session(self, session_id: str, *, is_open: bool = False) -> None:
        """Raises SessionNotFound, and SessionEnded where it has to be open."""

        async def look(store: Store) -> Raw:
            sessions = store.sessions
            return await (sessions.open(session_id) if is_open else sessions.find(session_id))

        await self._of_session(session_id, look)

    async def active_session(self) -> str | None:
        return await self.with_store(lambda store: store.sessions.active())

    async def activate_session(self, session_id: str) -> None:
        await self._of_session(session_id, lambda s: s.sessions.activate(session_id))

    async def get_sessions(self) -> list[SessionInfo]:
        async def look(store: Store) -> list[SessionInfo]:
            return await store.sessions.infos(await store.sessions.all())

        return await self.with_store(look) or []

    async def get_session_info(self, session_id: str) -> SessionInfo:
        async def look(store: Store) -> list[SessionInfo]:
            return await store.sessions.infos([await store.sessions.find(session_id)])

        return (await self._of_session(session_id, look))[0]

    async def _of_session(self, session_id: str, act: Callable[[Store], Awaitable[T]]) -> T:
        async def acted(store: Store) -> tuple[T]:
            return (await act(store),)

        done = await self.with_store(acted)
        if done is None:
            raise SessionNotFound(session_id)
        return done[0]

    # ------------------------------------------------------------ the object

    async def reset(self) -> None:
        """Deletes the store, and makes an empty one."""
        store = await self.store()
        if store is None:
            return
        deadline = Deadline(self._timeout_s)
        await self._saver.rest()
        await store.ledger.rest()
        await self._layout.delete(store.getter.place, deadline)
        self.forget()
        await self._layout.make(deadline)

    async def flush(self) -> None:
        """What was acknowledged is on record; waits for what is being saved."""
        self._check_open()
        await self._saver.rest()

    async def close(self) -> None:
        """Waits for what is being saved."""
        if self._is_closed:
            return
        self._is_closed = True
        await self._saver.rest()
        if self._store is not None:
            await self._store.ledger.rest()
        await self._wire.close()

    def _check_open(self) -> None:
        if self._is_closed:
            raise StoreClosed(self.address.shown, "the store is closed")


async def _count(store: Store) -> int:
    return (await store.getter.snapshot()).last


async def _stream_infos(store: Store, heads: Sequence[Raw]) -> list[StreamInfo]:
    getter = store.getter

    async def first_of(head: Raw) -> Raw:
        return head if head.revision == 0 else await getter.first_of(head.subject)

    firsts = await store.decoder.decode(await asyncio.gather(*[first_of(head) for head in heads]))
    lasts = await store.decoder.decode(heads)
    return [
        StreamInfo(
            stream_id=last.stream_id,
            revision=last.revision,
            message_count=last.revision + 1,
            first_position=first.position,
            last_position=last.position,
            created_at=first.timestamp,
            last_updated=last.timestamp,
        )
        for first, last in zip(firsts, lasts, strict=True)
    ]
