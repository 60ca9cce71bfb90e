"""Durability `batch`: what is saved within a short time is synced once, for all of it."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock, Timer

BATCH_INTERVAL_S = 0.1
"""A save is on the disk after so long at the latest."""


class SyncTimer:
    """Calls `sync` once, an interval after the first `start` since the last call. For several threads."""

    def __init__(self, sync: Callable[[], None]) -> None:
        self._sync = sync
        self._lock = Lock()
        self._timer: Timer | None = None
        self._calling = 0

    def start(self) -> None:
        """No error where a thread cannot be had: `sync` is then called here and now."""
        with self._lock:
            if self._timer is not None:
                return
            timer = Timer(BATCH_INTERVAL_S, self._run)
            timer.daemon = True
            try:
                timer.start()
            except RuntimeError:
                pass
            else:
                self._timer = timer
                return
        self._sync()

    def cancel(self) -> bool:
        """Whether a call was due, or is under way: it is now the caller's to make sure of it."""
        with self._lock:
            timer, self._timer = self._timer, None
            is_calling = self._calling > 0
        if timer is not None:
            timer.cancel()
        return timer is not None or is_calling

    def _run(self) -> None:
        with self._lock:
            self._timer = None
            self._calling += 1
        try:
            self._sync()
        finally:
            with self._lock:
                self._calling -= 1
