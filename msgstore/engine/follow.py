"""Waiting for what arrives: a look at the index at rising intervals, never a lock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from msgstore.engine.query import select
from msgstore.engine.snapshot import Snapshot
from msgstore.format.names import INDEX
from msgstore.format.row import ROW_BYTES
from msgstore.model.errors import OnDamage
from msgstore.model.filter import MessageFilter
from msgstore.model.message import PositionalMessage

# A glance is one system call; an idle follower takes about 1.6 % of a core. While messages
# keep coming it looks every millisecond; a message after a pause is seen within 6 ms.
_INTERVAL_S_MIN = 0.001
_INTERVAL_S_MAX = 0.006
_GROWTH = 1.02
_GLANCES_MAX = 100
"""After so many glances at the index the whole store is looked at: it may have been emptied."""


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
    interval_s = _INTERVAL_S_MIN
    known: Snapshot | None = None
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
            interval_s = _INTERVAL_S_MIN
        if timeout_s is not None and time.monotonic() - last_arrival >= timeout_s:
            return
        deadline = None if timeout_s is None else last_arrival + timeout_s
        interval_s = _wait(snapshot, interval_s, deadline)


def _wait(snapshot: Snapshot | None, interval_s: float, deadline: float | None) -> float:
    """Sleeps until the index is another, for a while, or up to the deadline; the next interval."""
    for _ in range(_GLANCES_MAX if snapshot else 1):
        time.sleep(interval_s)
        interval_s = min(interval_s * _GROWTH, _INTERVAL_S_MAX)
        if snapshot and snapshot.source.disk.size(INDEX) != (snapshot.rows + 1) * ROW_BYTES:
            break
        if deadline is not None and time.monotonic() >= deadline:
            break
    return interval_s


def _between(wanted: MessageFilter, first: int, last: int) -> MessageFilter:
    low = max(first, wanted.from_position or 1)
    high = last if wanted.to_position is None else min(last, wanted.to_position)
    return replace(wanted, from_position=low, to_position=high)
