"""The whole contract in one process's memory: for tests, and for journals that may go with it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence

from msgstore.backends.base import BaseStore, LocalSessions, at_most, check_session_details
from msgstore.backends.memory_content import (
    ROW_BYTES,
    Content,
    Row,
    Session,
    pack_requests,
    rows_of,
    session_info,
    stream_info,
    unpack,
)
from msgstore.model.arguments import (
    Direction,
    check_count,
    check_direction,
    check_filter,
    check_revision,
    check_timeout,
)
from msgstore.model.clock import Clock, new_session_id, system_clock_us, to_datetime
from msgstore.model.errors import StoreClosed
from msgstore.model.filter import MessageFilter
from msgstore.model.message import PositionalMessage
from msgstore.model.results import SessionInfo, StoreStats, StreamInfo
from msgstore.model.saved import SaveResult
from msgstore.model.saving import Known, SaveRequest, plan_saves
from msgstore.model.values import check_text


class MemoryMessageStore(LocalSessions, BaseStore):
    """A LocalMessageStore that lives and ends with this object.

    What is stored is a copy. Saves by several threads follow one another; reads see the store as it
    was when their first message was asked for.
    """

    def __init__(self, *, clock: Clock = system_clock_us) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._content = Content()
        self._closed = False

    @property
    def store_id(self) -> str:
        """A uuid of its own. `reset` gives it a new one."""
        return self._open_content().store_id

    # ------------------------------------------------------------ saving

    def _commit(self, requests: Sequence[SaveRequest], *, independent: bool) -> list[SaveResult]:
        packed = pack_requests(requests)
        with self._changed:
            content = self._open_content()
            known = Known(content.revision_of, content.find, len(content.rows) + 1)
            plan = plan_saves(requests, known, independent=independent)
            if plan.new:
                time_us = content.now(self._clock)
                content.add(
                    [
                        row
                        for save in plan.new
                        for row in rows_of(
                            save, packed[save.request_index], time_us, content.current
                        )
                    ]
                )
                self._changed.notify_all()
        return plan.results

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
        self._open_content()
        check_text(stream_id, "stream_id")
        first = check_revision(from_revision, "from_revision")
        last = check_revision(to_revision, "to_revision")
        check_count(count)
        check_direction(direction)
        return at_most(count, self._read_stream(stream_id, first or 0, last, direction))

    def get_all_messages(
        self,
        filter: MessageFilter | None = None,
        count: int | None = None,
        *,
        direction: Direction = "forwards",
    ) -> Iterator[PositionalMessage]:
        self._open_content()
        wanted = check_filter(filter)
        check_count(count)
        check_direction(direction)
        return at_most(count, self._read_matching(wanted, direction))

    def follow(
        self,
        filter: MessageFilter | None = None,
        from_position: int | None = None,
        timeout: float | None = None,
    ) -> Iterator[PositionalMessage]:
        """As the protocol has it. After a `reset` it goes on with the new first message."""
        self._open_content()
        wanted = check_filter(filter)
        first = check_count(from_position, "from_position") or 1
        return self._follow(wanted, first - 1, check_timeout(timeout))

    def _read_stream(
        self, stream_id: str, first: int, last: int | None, direction: Direction
    ) -> Iterator[PositionalMessage]:
        rows, row_count = self._pin(stream_id)
        stop = row_count if last is None else min(last + 1, row_count)
        for index in _indexes(first, stop, direction):
            yield unpack(rows[index])

    def _read_matching(
        self, wanted: MessageFilter, direction: Direction
    ) -> Iterator[PositionalMessage]:
        rows, row_count = self._pin(wanted.stream_id)
        first, stop = 0, row_count
        if wanted.stream_id is None:
            first = (wanted.from_position or 1) - 1
            stop = row_count if wanted.to_position is None else min(wanted.to_position, row_count)
        for index in _indexes(first, stop, direction):
            if wanted.matches(stored := unpack(rows[index])):
                yield stored

    def _pin(self, stream_id: str | None) -> tuple[list[Row], int]:
        """The rows of one stream, or all, and how many there are now: never half a batch."""
        with self._changed:
            content = self._open_content()
            rows = content.rows if stream_id is None else content.streams.get(stream_id, [])
            return rows, len(rows)

    def _follow(
        self, wanted: MessageFilter, index: int, timeout_s: float | None
    ) -> Iterator[PositionalMessage]:
        rows = self._open_content().rows
        arrived_s = time.monotonic()
        while True:
            left_s = _time_left_s(arrived_s, timeout_s)
            with self._changed:
                if index >= len(rows) and rows is self._open_content().rows and left_s > 0:
                    self._changed.wait(left_s)
                if rows is not self._open_content().rows:
                    rows, index = self._content.rows, 0
                row_count = len(rows)
            has_arrived = False
            for row in rows[index:row_count]:
                if wanted.matches(stored := unpack(row)):
                    has_arrived, arrived_s = True, time.monotonic()
                    yield stored
            # The time is up only when a look begun after it finds nothing: what does not match
            # may keep coming for ever.
            if left_s <= 0 and not has_arrived:
                return
            index = max(index, row_count)

    def _require_session(self, session_id: str) -> None:
        self._open_content().session(session_id)

    # ------------------------------------------------------------ streams and totals

    def get_stream_info(self, stream_id: str) -> StreamInfo | None:
        check_text(stream_id, "stream_id")
        with self._changed:
            rows = self._open_content().streams.get(stream_id)
            return stream_info(rows) if rows else None

    def get_streams(self) -> Iterator[StreamInfo]:
        with self._changed:
            return iter([stream_info(rows) for rows in self._open_content().streams.values()])

    def get_stats(self) -> StoreStats:
        """As the protocol has it. `memory_bytes` is the packed messages and an estimate a row."""
        with self._changed:
            content = self._open_content()
            rows = content.rows
            return StoreStats(
                total_messages=len(rows),
                total_commands=content.command_count,
                total_events=len(rows) - content.command_count,
                total_streams=len(content.streams),
                total_sessions=len(content.sessions),
                oldest_message=to_datetime(rows[0].time_us) if rows else None,
                newest_message=to_datetime(rows[-1].time_us) if rows else None,
                memory_bytes=content.packed_bytes + len(rows) * ROW_BYTES,
            )

    # ------------------------------------------------------------ sessions

    @property
    def current_session(self) -> str | None:
        return self._content.current

    def create_session(
        self, name: str | None = None, labels: Mapping[str, str] | None = None
    ) -> str:
        name, labels = check_session_details(name, labels)
        with self._changed:
            content = self._open_content()
            now_us = content.now(self._clock)
            session_id = new_session_id(now_us)
            content.sessions[session_id] = Session(session_id, name, labels, now_us, now_us)
            content.current = session_id
        return session_id

    def use_session(self, session_id: str | None) -> None:
        with self._changed:
            content = self._open_content()
            if session_id is not None:
                content.open_session(session_id)
            content.current = session_id

    def end_session(self, session_id: str, status: str | None = None) -> None:
        if status is not None:
            check_text(status, "status")
        with self._changed:
            content = self._open_content()
            session = content.open_session(session_id)
            session.ended_us = max(content.now(self._clock), session.started_us)
            session.status = status
            if content.current == session_id:
                content.current = None
            if content.active == session_id:
                content.active = None

    def active_session(self) -> str | None:
        return self._open_content().active

    def activate_session(self, session_id: str) -> None:
        with self._changed:
            content = self._open_content()
            content.active = content.open_session(session_id).session_id

    def get_sessions(self) -> list[SessionInfo]:
        with self._changed:
            return [session_info(session) for session in self._open_content().sessions.values()]

    def get_session_info(self, session_id: str) -> SessionInfo:
        with self._changed:
            return session_info(self._open_content().session(session_id))

    # ------------------------------------------------------------ the object

    def reset(self) -> None:
        with self._changed:
            self._open_content()
            self._content = Content()
            self._changed.notify_all()

    def flush(self) -> None:
        self._open_content()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._content = Content()
            self._changed.notify_all()

    def _open_content(self) -> Content:
        if self._closed:
            raise StoreClosed("memory:", "the store is closed")
        return self._content


def _indexes(first: int, stop: int, direction: Direction) -> Iterator[int]:
    indexes = range(first, stop)
    return iter(indexes) if direction == "forwards" else reversed(indexes)


def _time_left_s(arrived_s: float, timeout_s: float | None) -> float:
    """How long a follower still waits; without a timeout as long as a lock can."""
    if timeout_s is None:
        return threading.TIMEOUT_MAX
    return min(arrived_s + timeout_s - time.monotonic(), threading.TIMEOUT_MAX)
