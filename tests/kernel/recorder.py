"""A disk that remembers every write and every flush, in order: for a kernel's file system to use.

It is a file served through FUSE (the root of the mount is the file itself), to be mounted by a loop
device: what ext4 and its kind ask of the block device arrives here one request after the other, a
flush of the disk's cache as FSYNC. Before a request is answered it stands in the log. So whoever
saw a save return, and looks at the size of the log then, knows that all the save waited for is in
the log up to there.

The protocol is that of linux/fuse.h, 7.31, of which one file takes ten requests.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_GETATTR, _SETATTR, _OPEN, _READ, _WRITE, _STATFS = 3, 4, 14, 15, 16, 17
_RELEASE, _FSYNC, _FLUSH, _INIT, _DESTROY = 18, 20, 25, 26, 38
_FORGET, _INTERRUPT, _BATCH_FORGET = 2, 36, 42
_NOT_ANSWERED = (_FORGET, _INTERRUPT, _BATCH_FORGET)
_ROOT = 1
_WRITE_BYTES_MAX = 1 << 20
_BIG_WRITES, _MAX_PAGES = 1 << 5, 1 << 22
_DIRECT_IO = 1
_FOREVER_S = 1 << 30

_REQUEST = struct.Struct("<IIQQIIII")  # length, opcode, unique, node, uid, gid, pid, padding
_ANSWER = struct.Struct("<IiQ")
_INIT_ANSWER = struct.Struct("<IIIIHHIIHHI28x")
_ATTRIBUTES = struct.Struct("<QII QQQQQQ III IIIIIII".replace(" ", ""))
_TRANSFER = struct.Struct("<QQIIQII")  # handle, offset, size, …: of READ and of WRITE
_OPENED = struct.Struct("<QII")
_STATISTICS = struct.Struct("<QQQQQIIII24x")

# The log: kind, 3 bytes of padding, length of the data, offset; then the data.
_RECORD = struct.Struct("<B3xIQ")
_WRITTEN, _FLUSHED = 1, 2


class Record(NamedTuple):
    """A write at `offset`, or with `is_flush` the word of the disk that all before it is safe."""

    end: int
    """Where it ends in the log."""
    is_flush: bool
    offset: int
    data: bytes


def read_log(path: Path) -> Iterator[Record]:
    with path.open("rb") as file:
        while len(head := file.read(_RECORD.size)) == _RECORD.size:
            kind, length, offset = _RECORD.unpack(head)
            data = file.read(length)
            yield Record(file.tell(), kind == _FLUSHED, offset, data)


def mount_fuse(place: Path) -> int:
    """Puts a served file in the place of a file, and returns the descriptor to serve it from."""
    place.touch()
    fd = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={fd},rootmode={stat.S_IFREG | 0o600:o},user_id=0,group_id=0"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"recorded", os.fsencode(place), b"fuse", 0, options.encode()) != 0:
        code = ctypes.get_errno()
        os.close(fd)
        raise OSError(code, os.strerror(code), str(place))
    return fd


class RecordedFile:
    """Serves `image` and writes the log; `serve` returns when the file was unmounted."""

    def __init__(self, fd: int, image: Path, log: Path) -> None:
        self._fd = fd
        self._image = os.open(image, os.O_RDWR)
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._size = image.stat().st_size

    def serve(self) -> None:
        while True:
            try:
                request = os.read(self._fd, _WRITE_BYTES_MAX + 4096)
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.EINTR):  # withdrawn before it was read
                    continue
                if error.errno == errno.ENODEV:
                    return
                raise
            _, opcode, unique, *_ = _REQUEST.unpack_from(request)
            if opcode not in _NOT_ANSWERED:
                code, answer = self._answer(opcode, memoryview(request)[_REQUEST.size :])
                head = _ANSWER.pack(_ANSWER.size + len(answer), -code, unique)
                os.write(self._fd, head + answer)

    def _answer(self, opcode: int, body: memoryview) -> tuple[int, bytes]:
        """The error number or 0, and what is answered."""
        if opcode == _WRITE:
            _, offset, size, *_ = _TRANSFER.unpack_from(body)
            return 0, self._write(offset, body[_TRANSFER.size :][:size])
        if opcode == _READ:
            _, offset, size, *_ = _TRANSFER.unpack_from(body)
            return 0, os.pread(self._image, size, offset)
        if opcode == _FSYNC:
            os.write(self._log, _RECORD.pack(_FLUSHED, 0, 0))
            return 0, b""
        if opcode in (_GETATTR, _SETATTR):
            return 0, self._attributes()
        if opcode == _OPEN:
            return 0, _OPENED.pack(0, _DIRECT_IO, 0)
        if opcode == _INIT:
            flags = _BIG_WRITES | _MAX_PAGES
            pages = _WRITE_BYTES_MAX // 4096
            return 0, _INIT_ANSWER.pack(7, 31, 0, flags, 16, 12, _WRITE_BYTES_MAX, 1, pages, 0, 0)
        if opcode == _STATFS:
            return 0, _STATISTICS.pack(0, 0, 0, 0, 0, 4096, 255, 4096, 0)
        if opcode in (_RELEASE, _FLUSH, _DESTROY):
            return 0, b""
        return errno.ENOSYS, b""

    def _write(self, offset: int, data: memoryview) -> bytes:
        os.pwrite(self._image, data, offset)
        os.writev(self._log, [_RECORD.pack(_WRITTEN, len(data), offset), data])
        return struct.pack("<II", len(data), 0)

    def _attributes(self) -> bytes:
        """Valid for ever; inode, size, blocks, three times, mode, one link, owner, block size."""
        mode = stat.S_IFREG | 0o600
        blocks = self._size // 512
        return _ATTRIBUTES.pack(
            *(_FOREVER_S, 0, 0),
            *(_ROOT, self._size, blocks, 0, 0, 0),
            *(0, 0, 0),
            *(mode, 1, 0, 0, 0, 4096, 0),
        )
