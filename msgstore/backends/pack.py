"""A pack in place of a store: everything can be read, nothing can be saved."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NoReturn

from msgstore.backends.base import BaseStore, at_most
from msgstore.engine.pack_file import PackFile
from msgstore.format.pack import Summary
from msgstore.model.arguments import (
    Direction,
    check_count,
    check_direction,
    check_filter,
    check_revision,
)
from msgstore.model.clock import to_datetime, to_us
from msgstore.model.errors import CorruptRecord, ReadOnlyStore, SessionNotFound, StoreClosed
from msgstore.model.filter import EVERYTHING, MessageFilter
from msgstore.model.message import PositionalMessage
from msgstore.model.results import Finding, SessionInfo, StoreStats, StreamInfo, VerifyReport
from msgstore.model.saved import SaveResult
from msgstore.model.saving import SaveRequest
from msgstore.model.values import check_text


class PackIsReadOnly(ReadOnlyStore):
    """A pack holds what was exported, for ever."""

    advice = "import it into a store: msgstore --store STORE import PACK"


class PackMessageStore(BaseStore):
    """The messages and sessions of the pack at `path`, with the places they had in their store.

    Positions and revisions may have gaps. What is not read is not checked; `verify` checks all.
    """

    def __init__(self, path: str) -> None:
        self._path = os.path.abspath(os.fspath(path))
        self._pack = PackFile(self._path)
        self._closed = False

    @property
    def path(self) -> str:
        """The file, absolute."""
        return self._path

    # ------------------------------------------------------------ reading

    def get_messages(
        self,
        stream_id: str,
        from_revision: int | None = None,
        count: int | None = None,
        *,
        to_revision: int | None = None,
        direction: Direction = "forwards",
    ) -> Iterator[PositionalMessage]:
        self._check_open()
        check_text(stream_id, "stream_id")
        first = check_revision(from_revision, "from_revision") or 0
        last = check_revision(to_revision, "to_revision")
        backwards = check_direction(direction) == "backwards"
        in_stream = self._select(MessageFilter(stream_id=stream_id), backwards)
        wanted = (
            m for m in in_stream if m.revision >= first and (last is None or m.revision <= last)
        )
        return at_most(check_count(count), wanted)

    def get_all_messages(
        self,
        filter: MessageFilter | None = None,
        count: int | None = None,
        *,
        direction: Direction = "forwards",
    ) -> Iterator[PositionalMessage]:
        self._check_open()
        wanted = check_filter(filter)
        backwards = check_direction(direction) == "backwards"
        return at_most(check_count(count), self._select(wanted, backwards))

    def _select(self, wanted: MessageFilter, backwards: bool) -> Iterator[PositionalMessage]:
        def wants(summary: Summary) -> bool:
            return may_match(summary, wanted)

        matches = wanted.matches
        for block in self._pack.backwards(wants) if backwards else self._pack.forwards(wants):
            for stored in reversed(block) if backwards else block:
                if matches(stored):
                    yield stored

    def follow(
        self,
        filter: MessageFilter | None = None,
        from_position: int | None = None,
        timeout: float | None = None,
    ) -> Iterator[PositionalMessage]:
        """Raises ReadOnlyStore: nothing arrives in a pack."""
        raise PackIsReadOnly(self._path, "nothing arrives in a pack, so it cannot be followed")

    def count_messages(self, filter: MessageFilter | None = None) -> int:
        if check_filter(filter) == EVERYTHING:
            self._check_open()
            return self._pack.end.messages
        return super().count_messages(filter)

    # ------------------------------------------------------------ streams and totals

    def get_stream_info(self, stream_id: str) -> StreamInfo | None:
        messages = self.get_messages(stream_id)
        return next(iter(_streams_of(messages)), None)

    def get_streams(self) -> Iterator[StreamInfo]:
        """Every stream, in the order of their first messages here. Reads all of the pack."""
        return iter(_streams_of(self.get_all_messages()))

    def get_stats(self) -> StoreStats:
        """As the protocol has it. To count the streams all of the pack is read."""
        self._check_open()
        end = self._pack.end
        return StoreStats(
            total_messages=end.messages,
            total_commands=end.commands,
            total_events=end.messages - end.commands,
            total_streams=len({stored.stream_id for stored in self.get_all_messages()}),
            total_sessions=end.sessions,
            oldest_message=to_datetime(end.first_us) if end.messages else None,
            newest_message=to_datetime(end.last_us) if end.messages else None,
            disk_bytes=self._pack.size,
        )

    def verify(self, stream_id: str | None = None, quick: bool = False) -> VerifyReport:
        """Reads all, and reports the first damage instead of raising it; the arguments mean nothing."""
        self._check_open()
        messages, streams, findings = 0, set(), []
        try:
            expected = sum(summary.messages for summary in self._pack.summaries())
            for stored in self.get_all_messages():
                messages += 1
                streams.add(stored.stream_id)
            self._pack.sessions()
            if not messages == expected == self._pack.end.messages:
                findings.append(Finding(self._path, self._pack.size, "messages are missing"))
        except CorruptRecord as error:
            findings.append(Finding(error.path, error.offset, error.problem))
        sessions = self._pack.end.sessions
        return VerifyReport(messages, len(streams), sessions, self._pack.size, tuple(findings))

    # ------------------------------------------------------------ sessions

    @property
    def current_session(self) -> str | None:
        return None

    def active_session(self) -> str | None:
        return None

    def get_sessions(self) -> list[SessionInfo]:
        self._check_open()
        return self._pack.sessions()

    def get_session_info(self, session_id: str) -> SessionInfo:
        for info in self.get_sessions():
            if info.session_id == session_id:
                return info
        raise SessionNotFound(session_id)

    def _require_session(self, session_id: str) -> None:
        self.get_session_info(session_id)

    # ------------------------------------------------------------ what a pack refuses

    def _commit(self, requests: Sequence[SaveRequest], *, independent: bool) -> list[SaveResult]:
        self._refuse()

    def create_session(
        self, name: str | None = None, labels: Mapping[str, str] | None = None
    ) -> str:
        self._refuse()

    def use_session(self, session_id: str | None) -> None:
        """None is no session, as before; any other is refused."""
        if session_id is not None:
            self._refuse()

    def end_session(self, session_id: str, status: str | None = None) -> None:
        self._refuse()

    def session(
        self, name: str | None = None, labels: Mapping[str, str] | None = None
    ) -> AbstractContextManager[str]:
        self._refuse()

    def activate_session(self, session_id: str) -> None:
        self._refuse()

    def reset(self) -> None:
        self._refuse()

    def _refuse(self) -> NoReturn:
        self._check_open()
        raise PackIsReadOnly(self._path, "a pack is read-only")

    # ------------------------------------------------------------ the object

    def flush(self) -> None:
        self._check_open()

    def close(self) -> None:
        self._closed = True
        self._pack.close()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosed(self._path, "the store is closed")


def may_match(summary: Summary, wanted: MessageFilter) -> bool:
    """Whether a block can hold anything that the filter matches."""
    if wanted.from_position is not None and summary.last_position < wanted.from_position:
        return False
    if wanted.to_position is not None and summary.first_position > wanted.to_position:
        return False
    if wanted.since is not None and summary.last_us < to_us(wanted.since):
        return False
    if wanted.until is not None and summary.first_us > to_us(wanted.until):
        return False
    texts = (
        ("stream", wanted.stream_id),
        ("session", wanted.session_id),
        ("id", wanted.message_id),
        ("request", wanted.request_id),
        ("correlation", wanted.correlation_id),
        ("causation", wanted.causation_id),
    )
    if not all(text is None or summary.may_hold(field, text) for field, text in texts):
        return False
    return wanted.names is None or any(summary.may_hold("type", name) for name in wanted.names)


def _streams_of(messages: Iterator[PositionalMessage]) -> list[StreamInfo]:
    first: dict[str, PositionalMessage] = {}
    last: dict[str, PositionalMessage] = {}
    counts: dict[str, int] = {}
    for stored in messages:
        first.setdefault(stored.stream_id, stored)
        last[stored.stream_id] = stored
        counts[stored.stream_id] = counts.get(stored.stream_id, 0) + 1
    return [
        StreamInfo(
            stream_id=stream_id,
            revision=last[stream_id].revision,
            message_count=counts[stream_id],
            first_position=begun.position,
            last_position=last[stream_id].position,
            created_at=begun.timestamp,
            last_updated=last[stream_id].timestamp,
        )
        for stream_id, begun in first.items()
    ]
