"""Reads in chunks: a thread fetches some messages, the task hands them out one by one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from threading import Lock
from typing import Generic, TypeVar

from msgstore.model.errors import CorruptRecord

T = TypeVar("T")

_ITEMS_MIN, _ITEMS_MAX = 32, 1024
"""Of one chunk: few at first, for many who read want one message; then twice as many each time."""
_FETCH_S = 0.02
"""A chunk ends after so long, however few it has: what is slow to read is large."""


class Chunks(Generic[T]):
    """What an iterator gives, a list at a time. `begin` makes it when the first is asked for.

    One thread at a time asks; any may close it.
    """

    def __init__(self, begin: Callable[[], Iterator[T]]) -> None:
        self._begin = begin
        self._items: Iterator[T] | None = None
        self._error: Exception | None = None
        self._size = _ITEMS_MIN
        self._is_left = False
        self._fetching = Lock()
        self._chunk: list[T | CorruptRecord] = []

    def fetch(self) -> list[T | CorruptRecord]:
        """Some more of them, [] at the end. An error is raised behind what came before it."""
        with self._fetching:
            chunk = self._fill()
        if self._is_left:
            self.close()
        return chunk

    def note_damage(self, error: CorruptRecord) -> None:
        """Puts what a read had to leave out into the chunk, at its place."""
        self._chunk.append(error)

    def _fill(self) -> list[T | CorruptRecord]:
        if self._error is not None:
            raise self._error
        self._chunk = []
        try:
            self._fetch()
        except Exception as error:
            if not self._chunk:
                raise
            self._error = error  # what came before it is good
        return self._chunk

    def _fetch(self) -> None:
        until_s = time.monotonic() + _FETCH_S
        if self._items is None:
            self._items = self._begin()
        for item in self._items:
            self._chunk.append(item)
            if len(self._chunk) >= self._size or self._is_left or time.monotonic() >= until_s:
                break
        self._size = min(self._size * 2, _ITEMS_MAX)

    def close(self) -> None:
        """Ends it; if a thread is fetching, when that thread has found its next message."""
        self._is_left = True
        if self._fetching.acquire(blocking=False):
            try:
                if self._items is not None:
                    close_iterator(self._items)
                self._items = iter(())
            finally:
                self._fetching.release()


def close_iterator(items: Iterator[T]) -> None:
    """Gives back what an iterator holds, where it is one that can be told."""
    if (close := getattr(items, "close", None)) is not None:
        close()
