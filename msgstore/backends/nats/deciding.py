"""A group of saves, decided: what is refused, what is answered, and the messages to be sent. No I/O."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, replace
from typing import NamedTuple

from msgstore.backends.async_protocol import CameTooLate
from msgstore.backends.nats.publishing import Item
from msgstore.backends.nats.records import EXPECTED, KIND, MSG_ID, REVISION, SESSION, Encoded
from msgstore.model.errors import MsgStoreError
from msgstore.model.saved import SaveResult
from msgstore.model.saving import JointPlan, Known, NewSave, SaveRequest

BASE = 1 << 62
"""Where positions are counted from until the server has given them out."""


class Head(NamedTuple):
    """Where a stream ends."""

    revision: int
    sequence: int


EMPTY = Head(-1, 0)


@dataclass(slots=True, eq=False)
class Save:
    """What one caller wants on record."""

    requests: Sequence[SaveRequest]
    encoded: list[list[Encoded]]
    session_id: str | None
    independent: bool
    answer: asyncio.Future[list[SaveResult]]
    is_taken: bool = False
    is_withdrawn: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Messages and bytes."""
        bodies = [len(message.body) for messages in self.encoded for message in messages]
        return len(bodies), sum(bodies)


class Decided(NamedTuple):
    answers: list[tuple[Save, list[SaveResult]]]
    refused: list[tuple[Save, MsgStoreError]]
    items: list[Item]
    heads: dict[str, Head]
    """Of the streams that are written to, when it is done; sequences count from `BASE`."""


def decide(
    group: Sequence[Save],
    known: Known,
    heads: Mapping[str, Head],
    closed: Mapping[str | None, MsgStoreError],
    prefix: str,
) -> Decided:
    """Each save for itself, as if those before it were stored. `closed` are sessions that take none."""
    plan, decided = JointPlan(known), Decided([], [], [], {})
    for save in group:
        try:
            if save.session_id in closed and any(save.encoded):
                raise closed[save.session_id]
            one = plan.decide(save.requests, independent=save.independent)
        except MsgStoreError as error:
            decided.refused.append((save, error))
            continue
        decided.answers.append((save, one.results))
        for new in one.new:
            _add(decided, save, new, heads, prefix)
    return decided


def _add(
    decided: Decided, save: Save, new: NewSave, heads: Mapping[str, Head], prefix: str
) -> None:
    stream_id = new.request.stream_id
    for ordinal, message in enumerate(save.encoded[new.request_index]):
        revision = new.first_revision + ordinal
        headers = {MSG_ID: message.message_id, REVISION: str(revision), KIND: message.kind}
        if save.session_id is not None:
            headers[SESSION] = save.session_id
        if stream_id not in decided.heads:
            headers[EXPECTED] = str(heads[stream_id].sequence)
        decided.heads[stream_id] = Head(revision, BASE + len(decided.items))
        decided.items.append(Item(prefix + message.token, headers, message.body))


# ---------------------------------------------------------------- when it is on record


def settled(head: Head, first: int) -> Head:
    """Where a stream ends now that the commit's first message has a sequence."""
    return Head(head.revision, head.sequence - BASE + first)


def placed(result: SaveResult, first: int) -> SaveResult:
    """The result with the positions that the server has given out; those of repeats stay."""
    if result.first_position < BASE and result.last_position < BASE:
        return result
    return replace(
        result,
        first_position=_place(result.first_position, first),
        last_position=_place(result.last_position, first),
    )


def _place(position: int, first: int) -> int:
    return position if position < BASE else position - BASE + first


def answer_all(group: Sequence[Save], error: Exception) -> None:
    """The same error for each that has no answer yet."""
    for save in group:
        one = error if len(group) == 1 else copy(error)
        answer(save, error=one)


def answer(
    save: Save, results: list[SaveResult] | None = None, error: Exception | None = None
) -> None:
    if save.answer.done():
        return
    if error is not None:
        save.answer.set_exception(error)
        save.answer.exception()  # a saver that was cancelled does not ask for it
    elif results is not None:
        save.answer.set_result(results)


async def end_of(future: asyncio.Future[list[SaveResult]]) -> BaseException:
    """What a save came to whose saver was cancelled, once it is known, however often it is cancelled."""
    while not future.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([future])
    return future.exception() or CameTooLate(future.result())
