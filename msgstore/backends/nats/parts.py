"""What a store that is there is made of, and the facts that it is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from msgstore.backends.nats.getting import Getter, Replaced
from msgstore.backends.nats.layout import Layout
from msgstore.backends.nats.ledger import Ledger
from msgstore.backends.nats.reading import Decoder, Hints, head_of
from msgstore.backends.nats.records import Raw
from msgstore.backends.nats.sessions import Sessions
from msgstore.backends.nats.wire import Wire
from msgstore.model.clock import to_datetime
from msgstore.model.filter import MessageFilter
from msgstore.model.message import NO_SESSION
from msgstore.model.results import StoreStats, StreamInfo


class Parts:
    """Of one store; made anew when it is replaced."""

    def __init__(self, wire: Wire, layout: Layout, getter: Getter) -> None:
        self._layout = layout
        self.getter = getter
        self.decoder = Decoder(getter)
        self.ledger = Ledger(wire, getter, self.decoder)
        self.sessions = Sessions(wire, layout, getter, self.decoder, self.ledger)

    async def count(self) -> int:
        return (await self.getter.snapshot()).last

    async def hints(self, wanted: MessageFilter) -> Hints:
        """Where matches can be, as far as ids and sessions tell."""
        positions, after = None, 0
        if wanted.message_id is not None:
            found = await self.ledger.find([wanted.message_id])
            positions = [message.position for message in found.values()]
        if wanted.session_id not in (None, NO_SESSION):
            after = await self.sessions.begun_after(str(wanted.session_id))
        return Hints(positions, after)

    async def stream(self, stream_id: str) -> StreamInfo | None:
        head = await head_of(self.getter, stream_id, await self.getter.snapshot())
        return None if head is None else (await self._infos([head]))[0]

    async def streams(self) -> list[StreamInfo]:
        """In the order in which they were created."""
        place = self.getter.place
        snapshot = await self.getter.snapshot()
        if not snapshot.last:
            return []
        deadline = self.getter.deadline()
        subjects = await self._layout.subjects(place.stream, place.everything, deadline)
        heads = await self.getter.lasts(subjects, snapshot)
        infos = await self._infos(list(heads.values()))
        return sorted(infos, key=lambda info: info.first_position)

    async def _infos(self, heads: Sequence[Raw]) -> list[StreamInfo]:
        async def first_of(head: Raw) -> Raw:
            return head if head.revision == 0 else await self.getter.first_of(head.subject)

        raws = await asyncio.gather(*[first_of(head) for head in heads])
        firsts = await self.decoder.decode(raws)
        lasts = await self.decoder.decode(heads)
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

    async def stats(self) -> StoreStats:
        getter = self.getter
        snapshot, commands = await self.ledger.totals()
        size = await self._layout.size(getter.place, getter.deadline())
        if size is None:
            raise Replaced
        ends = [] if not snapshot.last else sorted({1, snapshot.last})
        times_us = await self.decoder.times_us(await getter.many_at(ends))
        return StoreStats(
            total_messages=snapshot.last,
            total_commands=commands,
            total_events=snapshot.last - commands,
            total_streams=size.streams,
            total_sessions=await self.sessions.count(),
            oldest_message=to_datetime(times_us[0]) if times_us else None,
            newest_message=to_datetime(times_us[-1]) if times_us else None,
            disk_bytes=size.size_bytes,
        )
