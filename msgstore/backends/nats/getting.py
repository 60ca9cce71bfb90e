"""Messages by subject or by sequence, each question one request: nothing is left on the server.

Any replica may answer, and one that is behind knows less than the leader does. So whoever asks
either knows that something is there, and asks again until it comes, or asks the leader.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from msgstore.backends.nats.layout import Layout, Place
from msgstore.backends.nats.questions import Deadline, NotSent, Reply, WireError
from msgstore.backends.nats.records import BATCH_COMMIT, Raw, parse_time_us
from msgstore.backends.nats.wire import Wire
from msgstore.model.errors import StoreUnavailable

SUBJECTS_MAX = 1000
"""In one question for last messages; the server answers for 1,024."""
_AT_ONCE = 64
_NO_MESSAGE = 10037


class Replaced(Exception):
    """The store was emptied, or deleted, since its place was looked up."""


class Snapshot(NamedTuple):
    """The store up to the last whole commit."""

    last: int
    subject: str
    """Of the message at `last`, by which a replica shows that it is not behind."""


class Getter:
    def __init__(self, wire: Wire, layout: Layout, place: Place, timeout_s: float) -> None:
        self._wire = wire
        self._layout = layout
        self._timeout_s = timeout_s
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self.place = place

    def deadline(self) -> Deadline:
        return Deadline(self._timeout_s)

    # ------------------------------------------------------------ what the leader knows

    async def last(self, subject: str, *, bucket: bool = False) -> Raw | None:
        """The newest message of a subject that was acknowledged to anybody, or None."""
        stream = self.place.bucket if bucket else self.place.stream
        request: dict[str, Any] = {"last_by_subj": subject}
        if self.place.replicas == 1:
            answers = await self._direct(stream, request, has_many=False)
            return None if answers[0].status else _raw(answers[0])
        deadline = self.deadline()
        answer = await self._wire.ask(f"$JS.API.STREAM.MSG.GET.{stream}", request, deadline)
        if error := answer.get("error"):
            if error["err_code"] == _NO_MESSAGE:
                return None
            await self.check_place(deadline)
            raise StoreUnavailable(self._wire.address.shown, error["description"])
        return _raw_of_json(answer["message"])

    async def lasts_of_leader(
        self, subjects: Sequence[str], *, bucket: bool = False
    ) -> dict[str, Raw]:
        """`last` of many."""

        async def in_turn(subject: str) -> Raw | None:
            async with self._slots:
                return await self.last(subject, bucket=bucket)

        found = await asyncio.gather(*[in_turn(subject) for subject in subjects])
        return {raw.subject: raw for raw in found if raw is not None}

    async def snapshot(self) -> Snapshot:
        raw = await self.last(self.place.everything)
        if raw is None:  # of a store that was replaced nothing is found either
            await self.check_place(self.deadline())
            return Snapshot(0, "")
        if raw.batch_place == 0 or BATCH_COMMIT in raw.headers:
            return Snapshot(raw.sequence, raw.subject)
        before = raw.first_of_commit - 1  # a commit that is about to become visible
        return Snapshot(before, (await self.at(before)).subject if before else "")

    # ------------------------------------------------------------ what any replica knows

    async def at(self, sequence: int) -> Raw:
        """The message at a sequence that is there."""
        raw = await self.first_from(None, sequence)
        assert raw.sequence == sequence, "positions have no gaps"
        return raw

    async def many_at(self, sequences: Sequence[int]) -> list[Raw]:
        async def in_turn(sequence: int) -> Raw:
            async with self._slots:
                return await self.at(sequence)

        return await asyncio.gather(*[in_turn(sequence) for sequence in sequences])

    async def first_from(self, subject: str | None, sequence: int) -> Raw:
        """The first message of a subject at a sequence or behind it, which is there."""
        deadline = self.deadline()
        request = {"next_by_subj": subject or self.place.everything, "seq": sequence}
        while True:
            answers = await self._direct(self.place.stream, request, has_many=False)
            if answers[0].status is None:
                return _raw(answers[0])
            await self.wait_for_replica(deadline)

    async def first_of(self, subject: str) -> Raw:
        """The first message of a subject that is there."""
        async with self._slots:
            return await self.first_from(subject, 1)

    async def first_since(self, time: str) -> Raw | None:
        """The first message that the server has stored at a time or later, RFC 3339."""
        request = {"next_by_subj": self.place.everything, "start_time": time}
        answers = await self._direct(self.place.stream, request, has_many=False)
        return None if answers[0].status else _raw(answers[0])

    async def page(self, subject: str | None, sequence: int, count: int) -> list[Raw]:
        """At most so many messages from a sequence on, in order; fewer, or none, say nothing."""
        request = {
            "next_by_subj": subject or self.place.everything,
            "seq": sequence,
            "batch": count,
            "max_bytes": 4 << 20,
        }
        answers = await self._direct(self.place.stream, request, has_many=True)
        return [_raw(answer) for answer in answers if answer.status is None]

    async def lasts(self, subjects: Sequence[str], snapshot: Snapshot) -> dict[str, Raw]:
        """The last message of each subject up to a snapshot; subjects that begin later are left out."""
        found: dict[str, Raw] = {}
        if not snapshot.last:
            return found
        for start in range(0, len(subjects), SUBJECTS_MAX):
            some = subjects[start : start + SUBJECTS_MAX]
            found |= await self._some_lasts(some, snapshot)
        return found

    async def _some_lasts(self, subjects: Sequence[str], snapshot: Snapshot) -> dict[str, Raw]:
        deadline = self.deadline()
        wanted = list(dict.fromkeys([*subjects, snapshot.subject]))
        request = {"multi_last": wanted, "up_to_seq": snapshot.last}
        while True:
            answers = await self._direct(self.place.stream, request, has_many=True)
            found = {raw.subject: raw for raw in map(_raw, answers[:-1])}
            proof = found.get(snapshot.subject)
            if proof is not None and proof.sequence == snapshot.last:
                break
            await self.wait_for_replica(deadline)
        return {subject: found[subject] for subject in subjects if subject in found}

    async def values(self, keys: Sequence[str]) -> dict[str, Raw]:
        """The values of keys of the bucket as one replica has them, all of one moment."""
        request = {"multi_last": list(keys)}
        answers = await self._direct(self.place.bucket, request, has_many=True)
        return {raw.subject: raw for raw in map(_raw, answers[:-1])}

    async def wait_for_replica(self, deadline: Deadline) -> None:
        """After an answer without what is known to be there. Raises Replaced, StoreUnavailable."""
        await self.check_place(deadline)
        if not await deadline.pause():
            reason = "no replica has what is known to be stored"
            raise StoreUnavailable(self._wire.address.shown, reason)

    async def check_place(self, deadline: Deadline) -> None:
        """Raises Replaced unless the store is the one that this object knows."""
        place = await self._layout.find(deadline)
        if place is None or place.store_id != self.place.store_id:
            raise Replaced

    async def _direct(self, stream: str, request: dict[str, Any], *, has_many: bool) -> list[Reply]:
        deadline = self.deadline()
        subject, body = f"$JS.API.DIRECT.GET.{stream}", orjson.dumps(request)
        while True:
            await self._wire.ready(deadline)
            try:
                if has_many:
                    return await self._wire.request_many(subject, body, deadline.attempt_s())
                return [await self._wire.inquire(subject, body, deadline)]
            except WireError as error:
                if isinstance(error, NotSent):
                    await self.check_place(deadline)
                if not await deadline.pause():
                    reason = f"JetStream does not answer: {error}"
                    raise StoreUnavailable(self._wire.address.shown, reason) from None


def _raw(reply: Reply) -> Raw:
    headers = reply.headers
    return Raw(
        headers["Nats-Subject"],
        int(headers["Nats-Sequence"]),
        parse_time_us(headers["Nats-Time-Stamp"]),
        headers,
        reply.body,
    )


def _raw_of_json(message: dict[str, Any]) -> Raw:
    return Raw(
        message["subject"],
        message["seq"],
        parse_time_us(message["time"]),
        parse_headers(b64decode(message.get("hdrs", ""))),
        b64decode(message.get("data", "")),
    )


def parse_headers(raw: bytes) -> dict[str, str]:
    """`NATS/1.0`, then a line a header."""
    headers = {}
    for line in raw.decode("utf-8", "replace").split("\r\n")[1:]:
        key, colon, value = line.partition(":")
        if colon:
            headers[key.strip()] = value.strip()
    return headers
