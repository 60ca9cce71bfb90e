"""Following without a thread for each follower: one waits for all, and tells them to look."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import islice
from threading import Lock, Thread
from typing import TYPE_CHECKING

from msgstore.aio.reading import Chunks, close_iterator
from msgstore.model.errors import CorruptRecord, CorruptStore, StoreUnavailable
from msgstore.model.filter import MessageFilter
from msgstore.model.message import PositionalMessage

if TYPE_CHECKING:
    from msgstore.backends.protocol import MessageStore

_WAIT_S_MIN, _WAIT_S_MAX = 0.1, 0.5
"""How long the thread waits in one go: longer while nothing comes, for each begins with a look at the
whole store. When it is no longer needed it ends within twice that, and at `close` within once."""
_ARRIVALS_MAX = 64
"""So many messages are waited for one by one; where more keep coming their end is looked up."""
_REST_S = 0.001
"""While messages keep coming, the store is looked at no more often than this."""

Read = Callable[[MessageFilter, Callable[[CorruptRecord], None]], Iterator[PositionalMessage]]
"""Begins to read what matches, and is told where to note damage."""


class Follower:
    """Where one follower stands. One thread at a time looks for it."""

    def __init__(
        self, store: MessageStore, read: Read, wanted: MessageFilter, from_position: int
    ) -> None:
        self._store = store
        self._read = read
        self._wanted = wanted
        self._next_position = from_position
        self._last_position = 0
        self._identity: str | None = None
        self._chunks: Chunks[PositionalMessage] | None = None

    def look(self) -> list[PositionalMessage | CorruptRecord]:
        """Some of what has arrived and matches; [] when all that was there at the call was given out.

        It goes no further: what does not match may keep coming for ever.
        """
        while True:
            try:
                chunk = self._next_chunk()
            except (CorruptStore, StoreUnavailable):
                if self._identity is None or _identity(self._store) == self._identity:
                    raise
                self._chunks = None  # it was emptied under the read
                continue
            if chunk is not None:
                return chunk

    def _next_chunk(self) -> list[PositionalMessage | CorruptRecord] | None:
        """None where there is more to look at."""
        is_begun = self._chunks is not None
        if self._chunks is None:
            self._chunks = self._begin()
        if self._chunks is None:
            return []
        chunk = self._chunks.fetch()
        if not is_begun and _identity(self._store) != self._identity:
            self._chunks = None  # emptied between the looks: begin anew
            return None
        if chunk:
            return chunk
        self._next_position = self._last_position + 1
        self._chunks = None
        return None if is_begun else []

    def _begin(self) -> Chunks[PositionalMessage] | None:
        """A read of what is new, None where nothing is. A store that was emptied is new as a whole."""
        identity, last_position = _identity(self._store), last_position_of(self._store)
        is_other = self._identity is not None and identity != self._identity
        if is_other or last_position < self._last_position:
            self._next_position = 1
        self._identity, self._last_position = identity, last_position
        stretch = _between(self._wanted, self._next_position, last_position)
        if last_position < self._next_position:
            return None
        chunks: Chunks[PositionalMessage] = Chunks(lambda: self._read(stretch, chunks.note_damage))
        return chunks

    def close(self) -> None:
        if self._chunks is not None:
            self._chunks.close()


def _between(wanted: MessageFilter, first: int, last: int) -> MessageFilter:
    low = max(first, wanted.from_position or 1)
    high = last if wanted.to_position is None else min(last, wanted.to_position)
    return replace(wanted, from_position=low, to_position=high)


def last_position_of(store: MessageStore) -> int:
    """The last position there is, 0 in an empty store."""
    try:
        last = next(store.get_all_messages(None, 1, direction="backwards"), None)
    except CorruptRecord as error:
        if error.position is None:
            raise
        return error.position
    return 0 if last is None else last.position


def _identity(store: MessageStore) -> str | None:
    """What a `reset` changes, where the backend has such a thing."""
    identity: str | None = getattr(store, "store_id", None)
    return identity


class Waiter:
    """A task that waits to be told."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._told = asyncio.Event()
        self._is_told = False

    def tell(self) -> None:
        """From one thread at a time, of any."""
        if self._is_told:
            return
        self._is_told = True
        try:
            self._loop.call_soon_threadsafe(self._told.set)
        except RuntimeError:  # the loop is closed, and the task gone
            return

    async def wait(self, timeout_s: float | None) -> None:
        """Returns when something may have arrived, or after `timeout_s`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._told.wait()


class Watcher:
    """Tells waiting tasks when the store has changed. Its thread runs only while some wait."""

    def __init__(self, store: MessageStore) -> None:
        self._store = store
        self._lock = Lock()
        self._waiters: set[Waiter] = set()
        self._thread: Thread | None = None
        self._needed_s = 0.0
        self._is_closed = False

    @contextmanager
    def waiting(self) -> Iterator[Waiter]:
        """Who looks within the block, and then waits, misses nothing that comes after the look."""
        waiter = Waiter()
        with self._lock:
            self._waiters.add(waiter)
            if self._thread is None and not self._is_closed:
                # A daemon, so that a store nobody closed does not keep the program from ending.
                self._thread = Thread(target=self._run, name="msgstore-follow", daemon=True)
                self._thread.start()
        try:
            yield waiter
        finally:
            with self._lock:
                self._waiters.discard(waiter)
                self._needed_s = time.monotonic()

    def close(self) -> None:
        """Tells all, and returns when the thread has ended."""
        with self._lock:
            self._is_closed = True
            thread = self._thread
        self._tell()
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        """The first look is told too: something may have arrived while the thread began."""
        known: tuple[str | None, int] | None = None
        wait_s = _WAIT_S_MIN
        while self._is_needed():
            try:
                present = _identity(self._store), last_position_of(self._store)
                if present != known:
                    known = present
                    self._tell()
                    time.sleep(_REST_S)
                last_position = self._tell_arrivals(present[1], wait_s)
                has_arrived = last_position != present[1]
                wait_s = _WAIT_S_MIN if has_arrived else min(wait_s * 2, _WAIT_S_MAX)
                known = present[0], last_position
            except Exception:  # whatever it is, those who look find out, or find what is there
                self._tell()
                time.sleep(_WAIT_S_MIN)  # not over and over, while it lasts

    def _is_needed(self) -> bool:
        """False, and the thread is nobody's any more, when none has waited for a while."""
        with self._lock:
            if self._is_done():
                self._thread = None
                return False
            return True

    def _is_done(self) -> bool:
        """Under the lock."""
        is_idle = not self._waiters and time.monotonic() - self._needed_s >= _WAIT_S_MIN
        return is_idle or self._is_closed

    def _tell_arrivals(self, last_position: int, wait_s: float) -> int:
        """Tells of messages behind the last position, until none comes for a while. Where they end."""
        arriving = self._store.follow(None, last_position + 1, wait_s)
        try:
            for stored in islice(arriving, _ARRIVALS_MAX):
                last_position = stored.position
                self._tell()  # before the iterator is closed: that may take the system 10 ms
                with self._lock:
                    if self._is_done():
                        break
        finally:
            close_iterator(arriving)
        return last_position

    def _tell(self) -> None:
        with self._lock:
            waiters = list(self._waiters)
        for waiter in waiters:
            waiter.tell()
