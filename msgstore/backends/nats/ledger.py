"""What the store knows beyond its messages: where each id is, and what each session holds.

The bucket tells it of all messages up to a checkpoint, the messages behind it tell it themselves:
their headers are read, and kept in mind. Whoever saves past a border moves the checkpoint on, by one
atomic batch of the bucket, so there is never much to read. Nothing is lost if nobody does.

| key | holds |
|---|---|
| `checkpoint` | `{"position", "commands"}`: how far the others tell, and how many commands that is |
| `id.HASH` | the position of the message with this id |
| `count.SESSION` | `{"messages", "commands", "last", "through"}` of the messages up to `through` |
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import orjson

from msgstore.backends.nats.getting import Getter, Replaced, Snapshot
from msgstore.backends.nats.names import encode_token, id_key
from msgstore.backends.nats.publishing import Item, Refused, publish
from msgstore.backends.nats.questions import WireError
from msgstore.backends.nats.reading import Decoder, Forwards
from msgstore.backends.nats.records import EXPECTED, KIND, MSG_ID, SESSION, Raw
from msgstore.backends.nats.wire import Wire
from msgstore.model.errors import MsgStoreError
from msgstore.model.message import MessageType, PositionalMessage

STEP = 900
"""So many messages the checkpoint moves at once: their ids, and the sessions, are one batch."""
_SESSIONS_MAX = 90
_ROWS_MAX = 10 * STEP
_KEYS_MAX = 900
_CHECKPOINT = "checkpoint"


class Row(NamedTuple):
    """What is kept in mind of one message behind the checkpoint."""

    key: str
    is_command: bool
    session_id: str | None


class Count(NamedTuple):
    """What a session holds; `last` is the position of its last message, 0 where it has none."""

    messages: int
    commands: int
    last: int


class _Counted(NamedTuple):
    so_far: Count
    through: int


class Ledger:
    def __init__(self, wire: Wire, getter: Getter, decoder: Decoder) -> None:
        self._wire = wire
        self._getter = getter
        self._decoder = decoder
        self._keys = getter.place.keys
        self._turn = asyncio.Lock()
        self._base: int | None = None
        self._rows: list[Row] = []
        """Of the messages right behind `_base`."""
        self._ids: dict[str, int] = {}
        self._digesting: asyncio.Task[None] | None = None

    # ------------------------------------------------------------ questions

    async def find(self, ids: Iterable[str]) -> dict[str, PositionalMessage]:
        """The messages with these ids among all that were saved when it was called."""
        keys = {id_key(encode_token(message_id)): message_id for message_id in ids}
        async with self._turn:
            values = await self._values(list(keys), await self._getter.snapshot())
            positions = {int(raw.body) for raw in values.values()}
            positions |= {self._ids[key] for key in keys if key in self._ids}
        raws = await self._getter.many_at(sorted(positions))
        stored = await self._decoder.decode(raws)
        return {m.message.id: m for m in stored if m.message.id is not None}

    async def totals(self) -> tuple[Snapshot, int]:
        """The store up to now, and how many commands it has up to there."""
        async with self._turn:
            while True:
                snapshot = await self._getter.snapshot()
                values = await self._values([_CHECKPOINT], snapshot)
                assert self._base is not None, "it was looked up"
                if self._base <= snapshot.last:  # else another has moved it on meanwhile
                    break
            behind = self._rows[: snapshot.last - self._base]
            known = values.get(_CHECKPOINT)
            before = 0 if known is None else orjson.loads(known.body)["commands"]
            return snapshot, int(before) + sum(row.is_command for row in behind)

    async def counts(self, session_ids: Sequence[str]) -> dict[str, Count]:
        """What each session holds of all that was saved when it was called."""
        async with self._turn:
            keys = {session_id: _count_key(session_id) for session_id in session_ids}
            values = await self._values(list(keys.values()), await self._getter.snapshot())
            wanted = {session_id: _counted(values.get(key)) for session_id, key in keys.items()}
            return self._count_on(wanted)

    def _count_on(self, wanted: dict[str, _Counted]) -> dict[str, Count]:
        assert self._base is not None, "it was looked up"
        counts = {session_id: counted.so_far for session_id, counted in wanted.items()}
        for position, row in enumerate(self._rows, self._base + 1):
            if row.session_id in counts and position > wanted[row.session_id].through:
                before = counts[row.session_id]
                counts[row.session_id] = Count(
                    before.messages + 1, before.commands + row.is_command, position
                )
        return counts

    # ------------------------------------------------------------ what is behind the checkpoint

    async def _values(self, keys: Sequence[str], snapshot: Snapshot) -> dict[str, Raw]:
        """The values of keys; on return the rows reach from where these tell up to the snapshot."""
        deadline = self._getter.deadline()
        while True:
            values, position = await self._look_up(keys)
            if self._base is None or position >= self._base:
                break
            await self._getter.wait_for_replica(deadline)
        self._move_to(position)
        await self._read_up_to(snapshot.last)
        return values

    async def _look_up(self, keys: Sequence[str]) -> tuple[dict[str, Raw], int]:
        """The values, and the position up to which all of them tell."""
        values: dict[str, Raw] = {}
        positions = []
        for start in range(0, max(1, len(keys)), _KEYS_MAX):
            some = list(dict.fromkeys([*keys[start : start + _KEYS_MAX], _CHECKPOINT]))
            found = await self._getter.values([self._keys + key for key in some])
            values |= {subject[len(self._keys) :]: raw for subject, raw in found.items()}
            positions.append(_position_of(values.pop(_CHECKPOINT, None)))
            if _CHECKPOINT in keys and (raw := found.get(self._keys + _CHECKPOINT)):
                values[_CHECKPOINT] = raw
        return values, min(positions)

    def _move_to(self, position: int) -> None:
        """Forgets what the bucket tells."""
        known = 0 if self._base is None else position - self._base
        for row in self._rows[:known]:
            self._ids.pop(row.key, None)
        self._rows = self._rows[known:]
        self._base = position

    async def _read_up_to(self, last: int) -> None:
        first = self._end + 1
        pages = Forwards(self._getter, None, first, last, last)
        while raws := await pages.next():
            for raw in raws:
                self._add(raw.headers)

    def _add(self, headers: dict[str, str]) -> None:
        message_id = headers.get(MSG_ID)  # absent where somebody else has published
        key = "" if message_id is None else id_key(message_id)
        is_command = headers.get(KIND) == MessageType.COMMAND.value
        self._rows.append(Row(key, is_command, headers.get(SESSION)))
        if key:
            self._ids[key] = self._end

    @property
    def _end(self) -> int:
        return (self._base or 0) + len(self._rows)

    # ------------------------------------------------------------ moving the checkpoint

    def saved(self, first: int, items: Sequence[Item]) -> None:
        """Told of what this object saved; now and then it moves the checkpoint, beside what goes on."""
        if self._base is not None and not self._turn.locked() and first == self._end + 1:
            for item in items:
                self._add(item.headers)
            if len(self._rows) > _ROWS_MAX:  # others move the checkpoint, and nobody asks here
                self._base, self._rows, self._ids = None, [], {}
        last = first + len(items) - 1
        is_due = (first - 1) // STEP != last // STEP
        if is_due and (self._digesting is None or self._digesting.done()):
            self._digesting = asyncio.create_task(self._digest())

    async def rest(self) -> None:
        """Returns when nothing is being done beside."""
        if self._digesting is not None:
            await asyncio.wait([self._digesting])

    async def _digest(self) -> None:
        # Where it fails all is found without it, and the next to pass a border does it.
        with suppress(MsgStoreError, WireError, Refused, Replaced):
            await self.digest()

    async def digest(self) -> None:
        """Moves the checkpoint to within a step of the end."""
        async with self._turn:
            snapshot = await self._getter.snapshot()
            while True:
                values = await self._values([_CHECKPOINT], snapshot)
                if len(self._rows) < STEP:
                    return
                await self._step(values.get(_CHECKPOINT))

    async def _step(self, checkpoint: Raw | None) -> None:
        assert self._base is not None, "it was looked up"
        rows = _step_of(self._rows)
        sessions = list(dict.fromkeys(row.session_id for row in rows if row.session_id))
        found = await self._getter.values([self._keys + _count_key(s) for s in sessions] or ["-"])
        old = {s: _counted(found.get(self._keys + _count_key(s))) for s in sessions}
        if any(counted.through > self._base for counted in old.values()):
            return  # another has just done it
        through = self._base + len(rows)
        kept, self._rows = self._rows, rows
        counts = self._count_on(old)
        self._rows = kept
        items = [
            Item(self._keys + row.key, {}, str(position).encode())
            for position, row in enumerate(rows, self._base + 1)
            if row.key
        ]
        items += [
            self._item(_count_key(s), count._asdict() | {"through": through})
            for s, count in counts.items()
        ]
        commands = 0 if checkpoint is None else orjson.loads(checkpoint.body)["commands"]
        commands += sum(row.is_command for row in rows)
        expected = {EXPECTED: str(0 if checkpoint is None else checkpoint.sequence)}
        value = {"position": through, "commands": commands}
        items.append(self._item(_CHECKPOINT, value, expected))
        await publish(self._wire, items, self._getter.deadline())

    def _item(self, key: str, value: Any, headers: dict[str, str] | None = None) -> Item:
        return Item(self._keys + key, headers or {}, orjson.dumps(value))


def _step_of(rows: Sequence[Row]) -> list[Row]:
    """The first rows, a step of them, of no more sessions than fit into one batch with them."""
    sessions: set[str] = set()
    step: list[Row] = []
    for row in rows[:STEP]:
        if row.session_id:
            sessions.add(row.session_id)
        if len(sessions) > _SESSIONS_MAX:
            break
        step.append(row)
    return step


def _count_key(session_id: str) -> str:
    return f"count.{encode_token(session_id)}"


def _position_of(checkpoint: Raw | None) -> int:
    return 0 if checkpoint is None else int(orjson.loads(checkpoint.body)["position"])


def _counted(raw: Raw | None) -> _Counted:
    if raw is None:
        return _Counted(Count(0, 0, 0), 0)
    value = orjson.loads(raw.body)
    count = Count(value["messages"], value["commands"], value["last"])
    return _Counted(count, value["through"])
