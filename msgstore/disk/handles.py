"""Open files, and how many of them a store keeps."""

from __future__ import annotations

import os
from functools import cache

_HANDLES_MIN, _HANDLES_MAX = 96, 256


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


@cache
def handles_max() -> int:
    """Open files that one store keeps, and folders besides: an eighth of what a process may have."""
    try:
        import resource
    except ImportError:
        return _HANDLES_MIN
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return _HANDLES_MAX
    return max(_HANDLES_MIN, min(_HANDLES_MAX, soft // 8))
