"""Reading everything to see that it is as it must be: no gaps, no message twice, all decodable."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from msgstore.backends.nats.names import decode_token
from msgstore.backends.nats.reading import Decoder, Forwards, Pages, head_of, select_stream
from msgstore.backends.nats.records import MSG_ID, Raw
from msgstore.model.errors import CorruptStore
from msgstore.model.results import Finding, VerifyReport

if TYPE_CHECKING:
    from msgstore.backends.nats.getting import Getter

_IDS_MAX = 2_000_000
"""So many ids are compared with each other; it takes about 200 bytes an id."""


class Verifier:
    def __init__(self, getter: Getter, decoder: Decoder) -> None:
        self._getter = getter
        self._decoder = decoder
        self._revisions: dict[str, int] = {}
        self._ids: set[str] = set()
        self._findings: list[Finding] = []
        self._messages = self._bytes = self._late = 0
        self._position = 0
        self._time_us = 0
        self._is_quick = False

    async def verify(
        self, stream_id: str | None, quick: bool, sessions: Callable[[], Awaitable[int]]
    ) -> VerifyReport:
        """`quick` looks at the last message only. Nothing is changed."""
        self._is_quick = quick
        if pages := await self._pages(stream_id, quick):
            while raws := await pages.next():
                for raw in raws:
                    self._look_at(raw, is_whole=stream_id is None and not quick)
                    await self._decode(raw)
        return VerifyReport(
            messages=self._messages,
            streams=len(self._revisions),
            sessions=await sessions() if stream_id is None else 0,
            bytes_checked=self._bytes,
            findings=tuple(self._findings),
            notes=tuple(self._notes()),
        )

    async def _pages(self, stream_id: str | None, quick: bool) -> Pages | None:
        snapshot = await self._getter.snapshot()
        if stream_id is not None:
            head = await head_of(self._getter, stream_id, snapshot)
            first = 0 if head is None or not quick else head.revision
            return await select_stream(self._getter, stream_id, first, None, "forwards", None)
        if not snapshot.last:
            return None
        first = snapshot.last if quick else 1
        return Forwards(self._getter, None, first, snapshot.last, snapshot.last)

    def _look_at(self, raw: Raw, *, is_whole: bool) -> None:
        self._messages += 1
        self._bytes += len(raw.body)
        if is_whole and raw.sequence != self._position + 1:
            self._find(raw, f"position {self._position + 1} is missing")
        self._position = raw.sequence
        if raw.time_us < self._time_us and raw.batch_place < 2:
            self._late += 1
        self._time_us = max(self._time_us, raw.time_us)
        self._look_at_id(raw)

    def _look_at_id(self, raw: Raw) -> None:
        message_id = raw.headers.get(MSG_ID)
        if message_id is None:
            return
        if message_id in self._ids:
            self._find(raw, f"message id {message_id:.100} stands here a second time")
        if len(self._ids) < _IDS_MAX:
            self._ids.add(message_id)

    async def _decode(self, raw: Raw) -> None:
        try:
            (stored,) = await self._decoder.decode([raw])
        except CorruptStore as error:
            self._find(raw, error.reason)
            return
        expected = self._revisions.get(raw.subject, -1) + 1
        if stored.revision != expected and not self._is_quick:
            self._find(raw, f"revision {stored.revision} stands where {expected} was to come")
        self._revisions[raw.subject] = stored.revision

    def _find(self, raw: Raw, reason: str) -> None:
        token = raw.subject[len(self._getter.place.subjects) :]
        try:
            stream_id = decode_token(token)
        except ValueError:
            stream_id = token
        finding = Finding(
            raw.subject, raw.sequence, reason, stream_id=stream_id, position=raw.sequence
        )
        self._findings.append(finding)

    def _notes(self) -> list[str]:
        if not self._late:
            return []
        return [
            f"{self._late:,} messages are older than one before them: the servers' clocks differ"
        ]
