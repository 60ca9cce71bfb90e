"""Being told when a file is written to: inotify(7), through the C library, where there is one."""

from __future__ import annotations

import os
import sys
from functools import cache
from select import POLLIN, poll
from typing import Any

from msgstore.disk.machine import network_type

# linux/inotify.h
_MODIFY = 0x0000_0002
_ATTRIB = 0x0000_0004  # what the file's last name going away looks like while it is open
_MOVE_SELF = 0x0000_0800
_DELETE_SELF = 0x0000_0400
_DONT_FOLLOW = 0x0200_0000
_EVENTS = _MODIFY | _ATTRIB | _MOVE_SELF | _DELETE_SELF | _DONT_FOLLOW
_EVENTS_BYTES = 4096


class FileWatch:
    """Tells of writes to the file at `path`, by whatever process of this machine.

    What happens from `start` on is told by the next `wait`, so who starts, looks at the file, and
    then waits misses nothing. It is a help and no promise: a file system may tell nothing, so
    callers look again after a while all the same.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._libc = _c_library() if _is_told_of(path) else None
        self._fd: int | None = None

    def start(self) -> bool:
        """Watches what stands at the path now; False where nothing will be told of it."""
        self.close()
        if self._libc is None:
            return False
        fd = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if fd < 0:  # too many of them in use
            return False
        self._fd = fd
        if self._libc.inotify_add_watch(fd, os.fsencode(self._path), _EVENTS) < 0:
            self.close()
        return self._fd is not None

    def wait(self, timeout_s: float) -> bool:
        """Whether anything happened to the file since the last call or before `timeout_s` is over."""
        assert self._fd is not None, "it was not started"
        waiting = poll()
        waiting.register(self._fd, POLLIN)
        if not waiting.poll(timeout_s * 1000):
            return False
        try:
            os.read(self._fd, _EVENTS_BYTES)
        except BlockingIOError:  # somebody else read them: a child has the same open file
            return False
        return True

    def close(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)


def _is_told_of(path: str) -> bool:
    """Not where other machines write to the file: their writes are not told."""
    try:
        return sys.platform.startswith("linux") and not network_type(os.path.dirname(path))
    except OSError:
        return False


@cache
def _c_library() -> Any:
    try:
        import ctypes

        library = ctypes.CDLL(None)
    except (ImportError, OSError):
        return None
    return library if hasattr(library, "inotify_add_watch") else None
