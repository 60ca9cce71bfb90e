"""Putting messages on record: one by itself, several as one atomic batch of the server (ADR-50)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

import orjson

from msgstore.backends.nats.questions import Deadline
from msgstore.backends.nats.records import BATCH_COMMIT, BATCH_ID, BATCH_SEQUENCE
from msgstore.backends.nats.wire import Wire

WRONG_SEQUENCE = frozenset((10071, 10164, 10163))
"""Somebody else has saved to one of the streams, or is about to."""
KNOWN_ID = frozenset((10201, 10158))
"""One of the ids was saved a short time ago, or is about to be."""
TRY_AGAIN = frozenset((10210, 10176, 10008, 10009, 10007))
"""Too many batches at once; a batch of which a leader that has just come knows nothing."""
TOO_LARGE, TOO_MANY = 10054, 10199

_PATIENCE_S, _BYTES_PER_S = 2.0, 1 << 20
"""How long an acknowledgement may take before it is looked for what has become of the messages."""


class Item(NamedTuple):
    """One message as it is sent, but for its place in a batch."""

    subject: str
    headers: dict[str, str]
    body: bytes


class Ack(NamedTuple):
    last: int
    """The sequence of the last message; those before it come right before."""
    is_duplicate: bool
    """Of a message that stands alone: the server has known its id, and stored nothing."""


class Refused(Exception):
    """The server stores none of it, and says why."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


async def publish(wire: Wire, items: Sequence[Item], deadline: Deadline) -> Ack:
    """All items or none, with sequences that follow one another, on record on return.

    Raises Refused and NotSent, after which nothing is stored, and WireError, after which it may be.
    """
    last = items[-1]
    headers = last.headers
    if len(items) > 1:
        batch_id = os.urandom(16).hex()
        for number, item in enumerate(items[:-1], 1):
            place = {BATCH_ID: batch_id, BATCH_SEQUENCE: str(number)}
            await wire.send(item.subject, item.body, item.headers | place)
        place = {BATCH_ID: batch_id, BATCH_SEQUENCE: str(len(items)), BATCH_COMMIT: "1"}
        headers = headers | place
    size_bytes = sum(len(item.body) for item in items)
    timeout_s = max(0.001, min(_PATIENCE_S + size_bytes / _BYTES_PER_S, deadline.left_s))
    reply = await wire.request(last.subject, last.body, headers, timeout_s)
    answer = orjson.loads(reply.body)
    if error := answer.get("error"):
        raise Refused(error["err_code"], error["description"])
    return Ack(answer["seq"], answer.get("duplicate", False))
