"""Saves: decided here by what is known, and let through by the server only if it still holds.

Each save carries, for every stream it writes to, the sequence that its last message had when the
save was decided. If another has saved there meanwhile the server refuses all of it; then it is
decided again. Tasks that save at the same time share one commit.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from msgstore.backends.async_protocol import NotBegun
from msgstore.backends.nats.deciding import (
    BASE,
    EMPTY,
    Decided,
    Head,
    Save,
    answer,
    answer_all,
    decide,
    end_of,
    placed,
    settled,
)
from msgstore.backends.nats.getting import Getter, Replaced
from msgstore.backends.nats.names import encode_token
from msgstore.backends.nats.publishing import (
    KNOWN_ID,
    TOO_LARGE,
    TOO_MANY,
    TRY_AGAIN,
    WRONG_SEQUENCE,
    Item,
    Refused,
    publish,
)
from msgstore.backends.nats.questions import Deadline, NotSent, WireError
from msgstore.backends.nats.records import Limits, encode_requests
from msgstore.backends.nats.settling import settle
from msgstore.backends.nats.wire import Wire
from msgstore.model.errors import (
    MessageTooLarge,
    MsgStoreError,
    OutcomeUnknown,
    SessionNotFound,
    StoreLocked,
    TooManyMessages,
    WriteFailed,
)
from msgstore.model.message import PositionalMessage
from msgstore.model.saved import SaveResult
from msgstore.model.saving import Known, SaveRequest

_GROUP_BYTES_MAX = 1 << 20
_HEADS_KEPT = 50_000


class _Again(Exception):
    """Nothing was saved; it is to be decided anew. `unsent` says why, where nobody received it."""

    def __init__(self, unsent: str | None = None) -> None:
        self.unsent = unsent


class Surroundings(Protocol):
    """What a saver is told by the store."""

    async def getter(self, create: bool, deadline: Deadline) -> Getter | None:
        """The store as it is there now; None where there is none and none is to be made."""
        ...

    def forget(self) -> None:
        """The place of the store is to be looked up anew."""
        ...

    async def find(self, ids: Iterable[str], getter: Getter) -> dict[str, PositionalMessage]:
        """The stored messages with these ids, whoever saved them."""
        ...

    async def check_session(self, session_id: str, getter: Getter) -> None:
        """Raises SessionNotFound, SessionEnded."""
        ...

    async def saved(self, first: int, messages: Sequence[Item]) -> None:
        """Told of what went on record, before its savers are."""
        ...


class Saver:
    def __init__(self, wire: Wire, surroundings: Surroundings, timeout_s: float) -> None:
        self._wire = wire
        self._around = surroundings
        self._timeout_s = timeout_s
        self._waiting: deque[Save] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._heads: dict[str, Head] = {}
        self._heads_of = ""

    @property
    def limits(self) -> Limits:
        return limits_of(self._wire)

    async def save(
        self, requests: Sequence[SaveRequest], session_id: str | None, *, independent: bool
    ) -> list[SaveResult]:
        """As `BaseStore._commit`. Cancelled, it is withdrawn if it has not been taken up, and else
        carried to its end; the cause of the CancelledError is what came of it.
        """
        limits = self.limits
        encoded = encode_requests(requests, limits)
        count = sum(map(len, encoded))
        if count > limits.commit_messages_max:
            raise TooManyMessages(count, limits.commit_messages_max)
        future = asyncio.get_running_loop().create_future()
        save = Save(requests, encoded, session_id, independent, future)
        self._waiting.append(save)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError as cancelled:
            if not save.is_taken:
                save.is_withdrawn = True
                raise cancelled from NotBegun()
            raise cancelled from await end_of(future)

    async def rest(self) -> None:
        """Returns when nothing is being saved."""
        if self._worker is not None:
            await asyncio.wait([self._worker])

    # ------------------------------------------------------------ one group after the other

    async def _work(self) -> None:
        while self._waiting:
            group = self._take()
            try:
                await self._commit(group)
            except MsgStoreError as error:
                answer_all(group, error)
            except asyncio.CancelledError:
                reason = "the store was closed while it saved"
                answer_all(group, OutcomeUnknown(self._wire.address.shown, reason))
                raise
            except Exception as error:  # a bug: its saver has to hear of it
                answer_all(group, error)

    def _take(self) -> list[Save]:
        """The oldest save and those behind it that fit into one commit with it."""
        group: list[Save] = []
        messages = size_bytes = 0
        while self._waiting:
            save = self._waiting[0]
            more, more_bytes = save.size
            messages, size_bytes = messages + more, size_bytes + more_bytes
            is_full = messages > self.limits.commit_messages_max or size_bytes > _GROUP_BYTES_MAX
            if group and is_full:
                break
            self._waiting.popleft()
            save.is_taken = True
            if not save.is_withdrawn:
                group.append(save)
        return group

    async def _commit(self, group: list[Save]) -> None:
        """Gives every save of the group its answer. Raises what is true of all that have none."""
        deadline, is_fresh = Deadline(self._timeout_s), False
        while group:
            unsent = None
            try:
                decided = await self._decide(group, is_fresh, deadline)
                first = await self._send(decided, deadline)
                await self._finish(decided, first)
                return
            except Replaced:
                self._around.forget()
            except _Again as again:
                unsent = again.unsent
            is_fresh = True
            if not await deadline.pause():
                raise self._give_up(unsent)

    def _give_up(self, unsent: str | None) -> MsgStoreError:
        if unsent is not None:
            return WriteFailed(self._wire.address.shown, f"nothing was saved: {unsent}")
        return StoreLocked(self._wire.address.shown, None, self._timeout_s)

    async def _finish(self, decided: Decided, first: int) -> None:
        for save, error in decided.refused:
            answer(save, error=error)
        if decided.items:
            self._heads |= {s: settled(head, first) for s, head in decided.heads.items()}
            if len(self._heads) > _HEADS_KEPT:
                self._heads.clear()
            await self._around.saved(first, decided.items)
        for save, results in decided.answers:
            answer(save, [placed(result, first) for result in results])

    # ------------------------------------------------------------ deciding

    async def _decide(self, group: Sequence[Save], is_fresh: bool, deadline: Deadline) -> Decided:
        """What is kept in mind, or told by a replica, lets saves through; it never refuses one."""
        getter = await self._around.getter(False, deadline)
        requests = [request for save in group for request in save.requests]
        is_fresh = is_fresh or any(not request.messages for request in requests)
        decided = await self._decide_by(group, requests, getter, is_fresh)
        if decided.refused and not is_fresh:
            decided = await self._decide_by(group, requests, getter, True)
        if decided.items and getter is None:
            await self._around.getter(True, deadline)
            return await self._decide(group, True, deadline)
        return decided

    async def _decide_by(
        self,
        group: Sequence[Save],
        requests: Sequence[SaveRequest],
        getter: Getter | None,
        is_fresh: bool,
    ) -> Decided:
        streams = list(dict.fromkeys(request.stream_id for request in requests))
        ids = {m.id for request in requests for m in request.messages if m.id is not None}
        sessions = {save.session_id for save in group if save.session_id is not None}
        # In this order: what another saves to a stream in between is then found, or in the way.
        heads = await self._heads_for(streams, getter, is_fresh)
        found, closed = await asyncio.gather(
            self._find(ids, getter), self._closed(sessions, getter)
        )
        known = Known(lambda stream_id: heads[stream_id].revision, found.get, BASE)
        return decide(group, known, heads, closed, getter.place.subjects if getter else "")

    async def _heads_for(
        self, streams: Sequence[str], getter: Getter | None, is_fresh: bool
    ) -> dict[str, Head]:
        if getter is None:
            return dict.fromkeys(streams, EMPTY)
        if self._heads_of != getter.place.store_id:
            self._heads, self._heads_of = {}, getter.place.store_id
        kept = {} if is_fresh else self._heads
        missing = [stream_id for stream_id in streams if stream_id not in kept]
        prefix = getter.place.subjects
        subjects = {stream_id: prefix + encode_token(stream_id) for stream_id in missing}
        if is_fresh or len(missing) == 1:
            raws = await getter.lasts_of_leader(list(subjects.values()))
            if is_fresh and len(raws) < len(missing):
                await getter.check_place(Deadline(self._timeout_s))
        elif missing:
            raws = await getter.lasts(list(subjects.values()), await getter.snapshot())
        else:
            raws = {}
        heads = {stream_id: kept[stream_id] for stream_id in streams if stream_id in kept}
        for stream_id, subject in subjects.items():
            raw = raws.get(subject)
            heads[stream_id] = EMPTY if raw is None else Head(raw.revision, raw.sequence)
        return heads

    async def _find(self, ids: set[str], getter: Getter | None) -> dict[str, PositionalMessage]:
        return await self._around.find(ids, getter) if ids and getter else {}

    async def _closed(
        self, sessions: set[str], getter: Getter | None
    ) -> dict[str | None, MsgStoreError]:
        """Of each session that takes no messages, why."""
        closed: dict[str | None, MsgStoreError] = {}
        for session_id in sessions:
            try:
                if getter is None:
                    raise SessionNotFound(session_id)
                await self._around.check_session(session_id, getter)
            except MsgStoreError as error:
                closed[session_id] = error
        return closed

    # ------------------------------------------------------------ sending

    async def _send(self, decided: Decided, deadline: Deadline) -> int:
        """The sequence of the first message. Raises _Again, Replaced, and what its savers are told."""
        if not decided.items:
            return 0
        try:
            await self._wire.ready(deadline)
            ack = await publish(self._wire, decided.items, deadline)
        except Refused as error:
            if error.code in WRONG_SEQUENCE | KNOWN_ID | TRY_AGAIN:
                raise _Again from None
            raise _refusal(error, decided.items, self.limits, self._wire.address.shown) from None
        except NotSent as error:
            if getter := await self._around.getter(False, deadline):
                await getter.check_place(deadline)
            raise _Again(str(error)) from None
        except WireError:
            getter = await self._around.getter(False, deadline)
            first = await settle(self._wire, getter, decided.items, deadline)
            if first is None:
                raise _Again from None
            return first
        if ack.is_duplicate:
            raise _Again
        return ack.last - len(decided.items) + 1


def limits_of(wire: Wire) -> Limits:
    limits = Limits()
    if not wire.max_payload:
        return limits
    most = wire.max_payload - limits.header_bytes_max
    return replace(limits, message_bytes_max=min(limits.message_bytes_max, most))


def _refusal(error: Refused, items: Sequence[Item], limits: Limits, shown: str) -> MsgStoreError:
    if error.code == TOO_LARGE:
        size_bytes = max(len(item.body) for item in items)
        return MessageTooLarge("the message", size_bytes, limits.message_bytes_max)
    if error.code == TOO_MANY:
        return TooManyMessages(len(items), limits.commit_messages_max)
    reason = f"nothing was saved: {error.description} (JetStream error {error.code})"
    return WriteFailed(shown, reason)
