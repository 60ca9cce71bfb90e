"""Open files, and how many of them a store keeps."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache

_HANDLES_MIN, _HANDLES_MAX = 96, 256
_LIMITS_WANTED = (65_536, 10_240, 4_096)


class Handle:
    """An open file, closed when the last one who uses it lets go.

    Whoever makes a call on `fd` keeps the handle in a variable of its own meanwhile: another thread
    may take it out of the cache at any time.
    """

    __slots__ = ("fd", "was_used", "writable")

    def __init__(self, fd: int, writable: bool) -> None:
        self.fd = fd
        self.writable = writable
        self.was_used = False

    def __del__(self) -> None:
        os.close(self.fd)


_own_process = False


def own_the_process() -> None:
    """Called by a program that does nothing but write to one store: it may have as many files open
    as the system lets it. Writing to 20,000 streams in turn would else open each again and again.
    """
    global _own_process
    _own_process = True
    handles_max.cache_clear()
    with suppress(ImportError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        for wanted in _LIMITS_WANTED:  # a kernel may have a limit of its own
            if hard == resource.RLIM_INFINITY or hard >= wanted:
                with suppress(OSError, ValueError):
                    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
                    return


@cache
def handles_max() -> int:
    """Open files that one store keeps, and folders besides: an eighth of what a process may have."""
    try:
        import resource
    except ImportError:
        return _HANDLES_MIN
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if _own_process and soft > _HANDLES_MAX * 2:
        return soft // 2
    if soft == resource.RLIM_INFINITY:
        return _HANDLES_MAX
    return max(_HANDLES_MIN, min(_HANDLES_MAX, soft // 8))
