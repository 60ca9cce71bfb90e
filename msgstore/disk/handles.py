"""Open files, and how many of them a store keeps."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from functools import cache

_HANDLES_MIN, _HANDLES_MAX = 96, 256
TOO_MANY_OPEN = (errno.EMFILE, errno.ENFILE)
_LIMITS_WANTED = (65_536, 10_240)
_FOR_OTHERS = 1_024
"""Of the files of a process of its own: for folders, and for what is not the store's."""


class Handle:
    """An open file, closed when the last one who uses it lets go.

    Whoever makes a call on `fd` keeps the handle in a variable of its own meanwhile: another thread
    may take it out of the cache at any time.
    """

    __slots__ = ("fd", "writable")

    def __init__(self, fd: int, writable: bool) -> None:
        self.fd = fd
        self.writable = writable

    def __del__(self) -> None:
        os.close(self.fd)


class Handles(dict[str, Handle]):
    """Open files by their paths.

    Which of them go is left to chance. Whoever goes round in a few more files than may stay open then
    opens few of them anew; by age, each would be let go of just before it is wanted again.
    """

    def __init__(self) -> None:
        super().__init__()
        self._paths: list[str] = []
        """In any order, some perhaps of files that are let go of."""
        self._chance = 1

    def add(self, path: str, handle: Handle, count: int) -> None:
        """One more, or another one in its place; at most `count` stay, this among them."""
        if path not in self:
            self._paths.append(path)
        self[path] = handle
        self.keep(count, path)

    def keep(self, count: int, besides: str | None = None) -> None:
        """Lets go of all but so many."""
        if len(self._paths) > 2 * len(self) + _HANDLES_MIN:
            self._paths = list(self)
        paths = self._paths
        while len(self) > count:
            # A linear congruential generator: `random` would be imported for it alone.
            self._chance = (self._chance * 1_103_515_245 + 12_345) & 0x7FFF_FFFF
            at = (self._chance >> 8) % len(paths)
            if paths[at] != besides:
                paths[at], paths[-1] = paths[-1], paths[at]
                self.pop(paths.pop(), None)

    def clear(self) -> None:
        super().clear()
        self._paths = []


_own_process = False


def own_the_process() -> None:
    """Called by a program that does nothing but write to one store: it may have as many files open
    as the system lets it. Writing to 20,000 streams in turn would else open each again and again.
    """
    global _own_process
    _own_process = True
    allowed.cache_clear()
    with suppress(ImportError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        for wanted in _LIMITS_WANTED:  # a kernel may have a limit of its own
            limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            with suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
                return


def handles_max(count: int) -> int:
    """How many of `count` open files a store may keep: few are no question of limits."""
    return count if count <= _HANDLES_MIN else allowed()


@cache
def allowed() -> int:
    """Open files that one store keeps, and folders besides: an eighth of what a process may have."""
    try:
        import resource
    except ImportError:
        return _HANDLES_MIN
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if _own_process and soft >= 2 * _FOR_OTHERS:
        return soft - _FOR_OTHERS
    if soft == resource.RLIM_INFINITY:
        return _HANDLES_MAX
    return max(_HANDLES_MIN, min(_HANDLES_MAX, soft // 8))


def keeps_folders() -> bool:
    """Whether the folders that segments are in stay open too."""
    return _own_process
