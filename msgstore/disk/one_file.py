"""A single file that the user named, to be read from any place of it."""

from __future__ import annotations

import os
import stat
from threading import Lock

from msgstore.disk.opening import Misplaced


def is_file(path: str) -> bool:
    """Whether a plain file stands there; links on the way to it are the user's."""
    return os.path.isfile(path)


class OneFile:
    """Open for reading. May be used from several threads; what the system refuses is an OSError."""

    def __init__(self, path: str) -> None:
        # O_NONBLOCK: opening a named pipe would wait for its other end.
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        self._lock = Lock()
        if not stat.S_ISREG(os.fstat(self._fd).st_mode):
            self.close()
            raise Misplaced(22, "no plain file", path)

    def size(self) -> int:
        return os.fstat(self._fd).st_size

    def read(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes; fewer only at the end of the file."""
        parts = []
        while size > 0 and (part := os.pread(self._fd, size, offset)):
            parts.append(part)
            size -= len(part)
            offset += len(part)
        return b"".join(parts)

    def close(self) -> None:
        """Closing twice is no error."""
        with self._lock:
            fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
