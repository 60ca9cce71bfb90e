"""The store on disk: one folder, used by any number of processes and threads at once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, tzinfo
from itertools import chain
from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakSet

from msgstore.backends.base import (
    BaseStore,
    LocalSessions,
    at_most,
    check_group,
    check_session_details,
    in_group_order,
)
from msgstore.backends.sync_timer import SyncTimer
from msgstore.disk.files import Disk, RealDisk
from msgstore.disk.lock import FileLock
from msgstore.disk.opening import absolute_path
from msgstore.engine.identity import Durability, check_durability
from msgstore.engine.opened import OpenedStore
from msgstore.engine.place import make_place
from msgstore.engine.reader import Reader
from msgstore.engine.snapshot import Snapshot
from msgstore.format.names import LOCK
from msgstore.model.arguments import (
    Direction,
    check_count,
    check_direction,
    check_filter,
    check_revision,
    check_timeout,
)
from msgstore.model.clock import Clock, format_uuid, system_clock_us
from msgstore.model.errors import (
    InvalidArgument,
    MsgStoreError,
    OnDamage,
    SessionNotFound,
    StoreClosed,
)
from msgstore.model.message import PositionalMessage
from msgstore.model.saving import Known, SaveRequest, plan_saves
from msgstore.model.values import check_text

if TYPE_CHECKING:
    from msgstore.backends.file_saver import FileSaver
    from msgstore.backends.group_commit import GroupCommit
    from msgstore.backends.protocol import Group
    from msgstore.engine.writer import Writer
    from msgstore.format.record import Encoded
    from msgstore.model.draft import Draft, DraftsSaved
    from msgstore.model.filter import MessageFilter
    from msgstore.model.results import SessionInfo, StoreStats, StreamInfo, VerifyReport
    from msgstore.model.saved import SaveResult


class FileMessageStore(LocalSessions, BaseStore):
    """A LocalMessageStore in the folder `path`.

    `durability` of None is what the store was created with, and `always` for a new one. With
    `create` the first change makes the store; without it a missing store raises StoreNotFound.
    Raises UnsupportedFormat, CorruptStore, StoreUnavailable where the folder cannot be used.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        durability: Durability | None = None,
        lock_timeout_s: float = 30,
        create: bool = True,
        clock: Clock = system_clock_us,
    ) -> None:
        self._path = absolute_path(path)
        if durability is not None:
            check_durability(durability)
        if isinstance(lock_timeout_s, bool) or not lock_timeout_s >= 0:
            raise InvalidArgument("lock_timeout_s", f"{lock_timeout_s!r} is not a time in seconds")
        self._lock_timeout_s = lock_timeout_s
        self._durability, self._create, self._clock = durability, create, clock
        self._current: str | None = None
        self._closed = False
        self._connect()
        _all_stores.add(self)
        if self._reader.snapshot() is None and not create:
            make_place(self._disk, may_create=False)

    def _connect(self) -> None:
        """Takes up the files anew: at the start, and in a child process, whose locks are its own."""
        self._disk = self._make_disk()
        self._timer = SyncTimer(self._sync_now)
        self._opened = OpenedStore(self._disk)
        self._made_saver: FileSaver | None = None
        self._making_saver = Lock()
        self._reader = Reader(self._opened, self._recover)

    def _make_disk(self) -> Disk:
        """What stands under the store; the crash laboratory puts another one there."""
        return RealDisk(self._path)

    def _make_lock(self) -> FileLock:
        return FileLock(os.path.join(self._path, LOCK), self._lock_timeout_s)

    @property
    def _saver(self) -> FileSaver:
        if self._made_saver is None:
            from msgstore.backends.file_saver import FileSaver
            from msgstore.engine.writer import WriterSettings

            settings = WriterSettings(self._durability, self._create, self._clock)
            with self._making_saver:
                if self._made_saver is None:
                    lock = self._make_lock()
                    self._made_saver = FileSaver(self._path, self._opened, lock, settings)
        return self._made_saver

    @property
    def _writer(self) -> Writer:
        return self._saver.writer

    @property
    def _group(self) -> GroupCommit:
        return self._saver.group

    @property
    def path(self) -> str:
        """The store's folder, absolute."""
        return self._path

    @property
    def store_id(self) -> str | None:
        """The store's uuid, or None while there is none yet. `reset` gives it a new one."""
        snapshot = self._snapshot()
        return format_uuid(snapshot.source.identity.store_uuid) if snapshot else None

    # ------------------------------------------------------------ saving

    def _commit(self, requests: Sequence[SaveRequest], *, independent: bool) -> list[SaveResult]:
        self._check_open()
        saver, session_id = self._saver, self._current
        encoded = saver.encode(requests, session_id)
        if not any(encoded):
            return self._plan_unlocked(requests, independent)
        if self._opened.source is None and self._snapshot() is None:
            self._plan_unlocked(requests, independent)  # a refused save does not make a store
            if session_id is not None:
                raise SessionNotFound(session_id)
        results = saver.save(requests, encoded, session_id, independent=independent)
        self._sync_soon()
        return results

    def encode_drafts(self, drafts: Sequence[Draft]) -> list[Encoded]:
        """What `save_encoded` takes: all of the work that needs no lock."""
        self._check_open()
        return self._saver.encode_drafts(drafts, self._current)

    def save_encoded(self, encoded: Sequence[Encoded]) -> DraftsSaved:
        """Commits what `encode_drafts` made, under the same session."""
        self._check_open()
        saved = self._saver.save_drafts(encoded, self._current)
        self._sync_soon()
        return saved

    def _plan_unlocked(
        self, requests: Sequence[SaveRequest], independent: bool
    ) -> list[SaveResult]:
        """The answer to saves that write nothing, or into no store: without a lock."""

        def revision_of(stream_id: str) -> int:
            info = self.get_stream_info(stream_id)
            return info.revision if info else -1

        known = Known(revision_of, lambda _: None, 1)
        return plan_saves(requests, known, independent=independent).results

    # ------------------------------------------------------------ reading

    def get_messages(
        self,
        stream_id: str,
        from_revision: int | None = None,
        count: int | None = None,
        *,
        to_revision: int | None = None,
        direction: Direction = "forwards",
        on_damage: OnDamage | None = None,
    ) -> Iterator[PositionalMessage]:
        """As the protocol has it. With `on_damage` what is damaged is told to it and left out."""
        self._check_open()
        check_text(stream_id, "stream_id")
        first = check_revision(from_revision, "from_revision") or 0
        last = check_revision(to_revision, "to_revision")
        backwards = check_direction(direction) == "backwards"
        parts = self._read_stream(stream_id, first, last, backwards, on_damage)
        return at_most(check_count(count), chain.from_iterable(parts))

    def _read_stream(
        self,
        stream_id: str,
        first: int,
        last: int | None,
        backwards: bool,
        on_damage: OnDamage | None,
    ) -> Iterator[Iterator[PositionalMessage]]:
        """One iterator, made when the first message is asked for; not a generator on top of it."""
        snapshot = self._snapshot()
        if snapshot is None:
            return
        if on_damage is None:
            yield snapshot.read_stream(stream_id, first, last, backwards=backwards)
            return
        from msgstore.engine.salvage import read_undamaged

        yield read_undamaged(snapshot, stream_id, first, last, backwards, on_damage)

    def get_all_messages(
        self,
        filter: MessageFilter | None = None,
        count: int | None = None,
        *,
        direction: Direction = "forwards",
        on_damage: OnDamage | None = None,
    ) -> Iterator[PositionalMessage]:
        """As the protocol has it. With `on_damage` what is damaged is told to it and left out."""
        self._check_open()
        wanted = check_filter(filter)
        backwards = check_direction(direction) == "backwards"
        return at_most(check_count(count), self._select(wanted, backwards, on_damage))

    def _select(
        self, wanted: MessageFilter, backwards: bool, on_damage: OnDamage | None
    ) -> Iterator[PositionalMessage]:
        from msgstore.engine.query import select

        snapshot = self._snapshot()
        if snapshot is not None:
            yield from select(snapshot, wanted, backwards=backwards, on_damage=on_damage)

    def count_messages(self, filter: MessageFilter | None = None) -> int:
        from msgstore.engine.counting import count_rows, rows_decide

        wanted = check_filter(filter)
        if not rows_decide(wanted):
            return super().count_messages(wanted)
        snapshot = self._snapshot()
        return count_rows(snapshot, wanted) if snapshot else 0

    def count_by(
        self, group: Group, filter: MessageFilter | None = None, *, zone: tzinfo = UTC
    ) -> dict[str, int]:
        from msgstore.engine.counting import count_rows_by, rows_decide

        check_group(group)
        wanted = check_filter(filter)
        if not rows_decide(wanted):
            return super().count_by(group, wanted, zone=zone)
        snapshot = self._snapshot()
        if snapshot is None:
            return {}
        return in_group_order(count_rows_by(snapshot, group, wanted, zone), group)

    def follow(
        self,
        filter: MessageFilter | None = None,
        from_position: int | None = None,
        timeout: float | None = None,
        *,
        on_damage: OnDamage | None = None,
    ) -> Iterator[PositionalMessage]:
        """As the protocol has it. After a `reset` it goes on with the new first message."""
        from msgstore.engine.follow import follow

        self._check_open()
        wanted = check_filter(filter)
        first = check_count(from_position, "from_position") or 1
        return follow(self._snapshot, wanted, first, check_timeout(timeout), on_damage)

    # ------------------------------------------------------------ streams and totals

    def get_stream_info(self, stream_id: str) -> StreamInfo | None:
        check_text(stream_id, "stream_id")
        snapshot = self._snapshot()
        return snapshot.stream_info(stream_id) if snapshot else None

    def get_streams(self) -> Iterator[StreamInfo]:
        snapshot = self._snapshot()
        return snapshot.streams() if snapshot else iter(())

    def get_stats(self) -> StoreStats:
        """As the protocol has it. `disk_bytes` are the apparent sizes, without `quarantine/`."""
        snapshot = self._snapshot()
        if snapshot is None:
            from msgstore.model.results import StoreStats

            return StoreStats(0, 0, 0, 0, 0, None, None, disk_bytes=0)
        return snapshot.stats()

    def fingerprint(self, position: int) -> str | None:
        """What tells the message at `position` from any that may come to stand there, or None."""
        snapshot = self._snapshot()
        return snapshot.fingerprint(position) if snapshot else None

    def verify(self, stream_id: str | None = None, quick: bool = False) -> VerifyReport:
        """Checks all that is stored, or one stream; `quick` leaves the records unread.

        Reports what is damaged instead of raising it.
        """
        from msgstore.engine.verify import verify

        snapshot = self._snapshot()
        if snapshot is None:
            from msgstore.model.results import VerifyReport

            return VerifyReport(0, 0, 0, 0, ())
        with snapshot.source.reading():
            return verify(snapshot, stream_id, quick)

    # ------------------------------------------------------------ sessions

    @property
    def current_session(self) -> str | None:
        return self._current

    def create_session(
        self, name: str | None = None, labels: Mapping[str, str] | None = None
    ) -> str:
        self._check_open()
        name, labels = check_session_details(name, labels)
        session_id = self._current = self._saver.start_session(name, labels)
        self._sync_soon()
        return session_id

    def use_session(self, session_id: str | None) -> None:
        self._check_open()
        if session_id is not None:
            self._session_snapshot(session_id).sessions.open_session(session_id)
        self._current = session_id

    def expect_session(self, session_id: str) -> None:
        """Makes a session the current one unseen: if it is not open, a save says so, and no read."""
        self._current = session_id

    def end_session(self, session_id: str, status: str | None = None) -> None:
        self._check_open()
        if status is not None:
            check_text(status, "status")
        self._session_snapshot(session_id)
        self._saver.end_session(session_id, status)
        if self._current == session_id:
            self._current = None
        self._sync_soon()

    def active_session(self) -> str | None:
        snapshot = self._snapshot()
        return snapshot.active_session() if snapshot else None

    def activate_session(self, session_id: str) -> None:
        self._check_open()
        self._session_snapshot(session_id)
        self._saver.activate_session(session_id)
        self._sync_soon()

    def get_sessions(self) -> list[SessionInfo]:
        from msgstore.engine.counting import session_infos

        snapshot = self._snapshot()
        return session_infos(snapshot, snapshot.sessions.all()) if snapshot else []

    def get_session_info(self, session_id: str) -> SessionInfo:
        from msgstore.engine.counting import session_infos

        snapshot = self._session_snapshot(session_id)
        return session_infos(snapshot, [snapshot.sessions.find(session_id)])[0]

    def _require_session(self, session_id: str) -> None:
        self._session_snapshot(session_id)

    def _session_snapshot(self, session_id: str) -> Snapshot:
        """A snapshot in which the session exists. Raises SessionNotFound."""
        snapshot = self._snapshot()
        if snapshot is None:
            raise SessionNotFound(session_id)
        snapshot.sessions.find(session_id)
        return snapshot

    # ------------------------------------------------------------ the object

    def reset(self) -> None:
        self._check_open()
        with self._writer.exclusive() as writer:
            writer.reset()
        self._current = None

    def flush(self) -> None:
        self._check_open()
        if self._snapshot() is not None:
            with self._writer.exclusive() as writer:
                writer.sync()

    def close(self) -> None:
        """Ends the use of this object. With durability `batch`, flushes first; with `os` never waits."""
        if self._closed:
            return
        try:
            if self._timer.cancel():
                self.flush()
        finally:
            self._closed = True
            if self._made_saver is not None:
                self._made_saver.writer.close()
            self._disk.forget()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosed(self._path, "the store is closed")

    def _snapshot(self) -> Snapshot | None:
        self._check_open()
        return self._reader.snapshot()

    def _recover(self) -> None:
        """What a reader asks for that finds the store in need of it."""
        with self._writer.exclusive():
            pass

    def _sync_soon(self) -> None:
        """Durability `batch`: syncs what was saved within the interval, once for all of it."""
        if self._writer.durability == "batch":
            self._timer.start()

    def _sync_now(self) -> None:
        # What fails here is not lost: the writer refuses the next change, and says why.
        with suppress(MsgStoreError):
            self.flush()


_all_stores: WeakSet[FileMessageStore] = WeakSet()


def _connect_in_child() -> None:
    for store in list(_all_stores):
        store._connect()


os.register_at_fork(after_in_child=_connect_in_child)
