"""Sessions in the bucket: one key each, changed only by who knows what it held.

| key | holds |
|---|---|
| `session.ID` | `{"name", "labels", "after"}`; of an ended one `"started_us"`, `"status"` and `"by"` too |
| `active` | the id of the store's active session; it counts while that is open |

The times of a session are those at which the server stored these. `after` is the last position when
it was started.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from msgstore.backends.nats.getting import Getter
from msgstore.backends.nats.layout import Layout
from msgstore.backends.nats.ledger import Count, Ledger
from msgstore.backends.nats.names import decode_token, encode_token
from msgstore.backends.nats.publishing import WRONG_SEQUENCE, Item, Refused, publish
from msgstore.backends.nats.questions import Deadline, NotSent, WireError
from msgstore.backends.nats.reading import Decoder
from msgstore.backends.nats.records import EXPECTED, Raw
from msgstore.backends.nats.wire import Wire
from msgstore.model.clock import Clock, new_session_id, to_datetime
from msgstore.model.errors import OutcomeUnknown, SessionEnded, SessionNotFound, WriteFailed
from msgstore.model.results import SessionInfo

_ACTIVE = "active"


class Sessions:
    def __init__(
        self,
        wire: Wire,
        layout: Layout,
        getter: Getter,
        decoder: Decoder,
        ledger: Ledger,
    ) -> None:
        self._wire = wire
        self._layout = layout
        self._getter = getter
        self._decoder = decoder
        self._ledger = ledger
        self._keys = getter.place.keys

    # ------------------------------------------------------------ one session

    async def start(self, name: str | None, labels: Mapping[str, str], clock: Clock) -> str:
        session_id = new_session_id(clock())
        after = (await self._getter.snapshot()).last
        value = {"name": name, "labels": dict(labels), "after": after}
        await self._put(self._key(session_id), value, 0)
        return session_id

    async def end(self, session_id: str, status: str | None) -> None:
        """Raises SessionNotFound, SessionEnded."""
        while True:
            raw = await self.open(session_id)
            value = orjson.loads(raw.body)
            # The last makes it this end, and not one that another put in its place.
            value |= {"started_us": raw.time_us, "status": status, "by": os.urandom(8).hex()}
            if await self._put(self._key(session_id), value, raw.sequence):
                return

    async def find(self, session_id: str) -> Raw:
        """Raises SessionNotFound."""
        raw = await self._getter.last(self._key(session_id), bucket=True)
        if raw is None:
            raise SessionNotFound(session_id)
        return raw

    async def begun_after(self, session_id: str) -> int:
        """The position behind which the messages of a session are; 0 where it is not known."""
        raw = await self._getter.last(self._key(session_id), bucket=True)
        return 0 if raw is None else int(orjson.loads(raw.body)["after"])

    async def open(self, session_id: str) -> Raw:
        """Raises SessionNotFound, SessionEnded."""
        raw = await self.find(session_id)
        if "started_us" in orjson.loads(raw.body):
            raise SessionEnded(session_id)
        return raw

    # ------------------------------------------------------------ the active one

    async def activate(self, session_id: str) -> None:
        await self.open(session_id)
        while True:
            raw = await self._getter.last(self._keys + _ACTIVE, bucket=True)
            sequence = 0 if raw is None else raw.sequence
            if await self._put(self._keys + _ACTIVE, session_id, sequence):
                return

    async def active(self) -> str | None:
        raw = await self._getter.last(self._keys + _ACTIVE, bucket=True)
        if raw is None:
            return None
        session_id: str = orjson.loads(raw.body)
        try:
            await self.open(session_id)
        except (SessionNotFound, SessionEnded):
            return None
        return session_id

    # ------------------------------------------------------------ facts

    async def infos(self, raws: Sequence[Raw]) -> list[SessionInfo]:
        """In the order of their start."""
        ids = {raw.subject: self._id_of(raw) for raw in raws}
        counts = await self._ledger.counts(list(ids.values()))
        lasts = sorted({count.last for count in counts.values()} - {0})
        stored = await self._decoder.decode(await self._getter.many_at(lasts))
        times = {message.position: message.timestamp for message in stored}
        infos = []
        for raw in raws:
            count = counts[ids[raw.subject]]
            infos.append(_info(ids[raw.subject], raw, count, times.get(count.last)))
        return sorted(infos, key=lambda info: (info.started_at, info.session_id))

    async def all(self) -> list[Raw]:
        subjects = await self._subjects()
        found = await self._getter.lasts_of_leader(subjects, bucket=True)
        return list(found.values())

    async def count(self) -> int:
        return len(await self._subjects())

    async def _subjects(self) -> list[str]:
        deadline = self._getter.deadline()
        pattern = f"{self._keys}session.*"
        subjects = await self._layout.subjects(self._getter.place.bucket, pattern, deadline)
        if not subjects:
            await self._getter.check_place(deadline)
        return subjects

    def _key(self, session_id: str) -> str:
        return f"{self._keys}session.{encode_token(session_id)}"

    def _id_of(self, raw: Raw) -> str:
        return decode_token(raw.subject.rpartition(".")[2])

    async def _put(self, key: str, value: Any, expected: int) -> bool:
        """Sets a key that was last set at a sequence; False where another has set it since."""
        deadline = self._getter.deadline()
        body = orjson.dumps(value)
        item = Item(key, {EXPECTED: str(expected)}, body)
        while True:
            await self._wire.ready(deadline)
            try:
                await publish(self._wire, [item], deadline)
                return True
            except Refused as error:
                if error.code in WRONG_SEQUENCE:
                    return await self._holds(key, body, expected)
                reason = f"nothing was saved: {error.description}"
                raise WriteFailed(self._wire.address.shown, reason) from None
            except WireError as error:
                await self._look_again(error, deadline)

    async def _holds(self, key: str, body: bytes, expected: int) -> bool:
        """Whether it was this that was set there, by an attempt whose answer was lost."""
        raw = await self._getter.last(key, bucket=True)
        return raw is not None and raw.sequence > expected and raw.body == body

    async def _look_again(self, error: WireError, deadline: Deadline) -> None:
        if isinstance(error, NotSent):
            await self._getter.check_place(deadline)
        if not await deadline.pause():
            shown = self._wire.address.shown
            if isinstance(error, NotSent):
                raise WriteFailed(shown, f"nothing was saved: {error}")
            raise OutcomeUnknown(shown, "the server did not say whether it was saved")


def _info(session_id: str, raw: Raw, count: Count, last_activity: Any) -> SessionInfo:
    value = orjson.loads(raw.body)
    is_ended = "started_us" in value
    started_at = to_datetime(value["started_us"] if is_ended else raw.time_us)
    return SessionInfo(
        session_id=session_id,
        name=value["name"],
        labels=value["labels"],
        started_at=started_at,
        ended_at=to_datetime(raw.time_us) if is_ended else None,
        status=value.get("status"),
        message_count=count.messages,
        command_count=count.commands,
        event_count=count.messages - count.commands,
        last_activity=last_activity or started_at,
    )
