"""Waiting for what arrives: told by the system where it tells, else by looking; never by a lock."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from msgstore.disk.watch import FileWatch
from msgstore.engine.query import select
from msgstore.engine.snapshot import Snapshot
from msgstore.format.names import INDEX
from msgstore.format.row import ROW_BYTES
from msgstore.model.errors import OnDamage
from msgstore.model.filter import MessageFilter
from msgstore.model.message import PositionalMessage

_REST_S = 0.001
"""While messages keep coming, the store is looked at no more often than this."""
_GLANCE_S = 0.05
"""Where the system tells of writes, the index is still glanced at: not every file system does."""
# Where it does not, a glance is one system call at rising intervals: a message after a pause is
# seen within 9 ms, and an idle follower takes about 1 % of a core.
_INTERVAL_S_MIN = 0.001
_INTERVAL_S_MAX = 0.009
_GROWTH = 1.02
_LOOK_S = 0.6
"""After so long the whole store is looked at: it may have been emptied, or repaired."""


def follow(
    look: Callable[[], Snapshot | None],
    wanted: MessageFilter,
    from_position: int,
    timeout_s: float | None,
    on_damage: OnDamage | None = None,
) -> Iterator[PositionalMessage]:
    """Matching messages from a position on, as they become visible; see MessageStore.follow."""
    next_position = from_position
    last_arrival = time.monotonic()
    known: Snapshot | None = None
    waiting = _Waiting()
    try:
        while True:
            snapshot = look()
            if snapshot and known and snapshot.store_uuid != known.store_uuid:
                next_position = 1  # the store was emptied, and positions began anew
            known = snapshot or known
            if snapshot is not None and snapshot.rows >= next_position:
                stretch = _between(wanted, next_position, snapshot.rows)
                for stored in select(snapshot, stretch, backwards=False, on_damage=on_damage):
                    yield stored
                    last_arrival = time.monotonic()
                next_position = snapshot.rows + 1
                waiting.something_came()
            if timeout_s is not None and time.monotonic() - last_arrival >= timeout_s:
                return
            deadline = None if timeout_s is None else last_arrival + timeout_s
            waiting.wait(snapshot, deadline)
    finally:
        waiting.close()


class _Waiting:
    """Waits for the index to be another than the one of a snapshot."""

    def __init__(self) -> None:
        self._interval_s = _INTERVAL_S_MIN
        self._watch: FileWatch | None = None
        self._watched: tuple[int, int] | None = None
        self._size_looked_at = 0

    def something_came(self) -> None:
        self._interval_s = _INTERVAL_S_MIN
        time.sleep(_REST_S)

    def wait(self, snapshot: Snapshot | None, deadline: float | None) -> None:
        """Returns when the index is another, after a while, or at the deadline."""
        look_at = time.monotonic() + _LOOK_S
        until = look_at if deadline is None else min(look_at, deadline)
        if snapshot is None:
            self._sleep(until)
            return
        is_told = self._is_told(snapshot)
        while (left_s := until - time.monotonic()) > 0:
            size = snapshot.source.disk.size(INDEX)
            is_other = size != (snapshot.rows + 1) * ROW_BYTES
            if is_other and size != self._size_looked_at:
                self._size_looked_at = size
                return
            if is_told and self._watch is not None:
                is_other |= self._watch.wait(min(_GLANCE_S, left_s))
            else:
                self._sleep(until)
            if is_other:  # a commit that is under way, or was broken off: another look tells
                return

    def _is_told(self, snapshot: Snapshot) -> bool:
        """Whether writes to the index in place are told: it is another one after a repair or reset."""
        disk = snapshot.source.disk
        present = disk.identity(INDEX)
        if self._watch is None or present != self._watched:
            self._watch = self._watch or FileWatch(os.path.join(disk.root, INDEX))
            self._watched = present if self._watch.start() else None
        return self._watched is not None

    def _sleep(self, until: float) -> None:
        time.sleep(max(0.0, min(self._interval_s, until - time.monotonic())))
        self._interval_s = min(self._interval_s * _GROWTH, _INTERVAL_S_MAX)

    def close(self) -> None:
        if self._watch is not None:
            self._watch.close()


def _between(wanted: MessageFilter, first: int, last: int) -> MessageFilter:
    low = max(first, wanted.from_position or 1)
    high = last if wanted.to_position is None else min(last, wanted.to_position)
    return replace(wanted, from_position=low, to_position=high)
