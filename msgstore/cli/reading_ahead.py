"""`save -` of much input: a child process reads and encodes lines while this one commits them.

The child is a fork, so it goes on reading where this process stopped. It holds no lock and changes no
file. What it sends comes back in order: plain lines encoded, others as they are, and at the end why
it stopped. It ends with this process, however that ends.
"""

import fcntl
import os
import pickle
import signal
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from queue import SimpleQueue
from threading import Semaphore, Thread
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, Self

from msgstore.format.encoded_block import pack_block, unpack_block
from msgstore.model.errors import MsgStoreError

if TYPE_CHECKING:
    from msgstore.cli.sending import Lines, LineSaver

_HEAD = struct.Struct("<cIQ")
"""What follows, of how many lines it was made, and how long it is."""
_ENCODED, _LINES, _FAILED, _END = b"e", b"l", b"f", b"."
_PIPE_BYTES = 1 << 20
_BATCHES_AHEAD = 8

Send = Callable[[bytes, int, bytes], None]


class ReaderEnded(MsgStoreError):
    """The child has gone, and with it what it had read; somebody ended it."""

    advice = "see what is saved, and save the lines behind it again"

    def __init__(self, saver: "LineSaver") -> None:
        super().__init__("the process that read the input has ended before its end")
        self.add_note(f"saved before it: {saver.tally}")


class ReadingAhead:
    """Saves what a child reads. The batches are the child's from the moment that this is made.

    Raises OSError where the system has no room for another process; nothing has happened then.
    """

    def __init__(self, saver: "LineSaver", batches: "Iterator[Lines]") -> None:
        self._saver = saver
        self._batches = batches
        self._from_child, to_parent = os.pipe()
        try:
            no_longer_there, self._life_line = os.pipe()
        except OSError:
            os.close(self._from_child)
            os.close(to_parent)
            raise
        _widen(to_parent)
        # A Ctrl-C that comes just now is the parent's, as every later one.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            self._child = os.fork()
            if self._child == 0:
                os.close(self._from_child)
                os.close(self._life_line)
                _be_child(no_longer_there, to_parent, lambda send: self._feed(send))
        except OSError:
            os.close(self._life_line)
            os.close(self._from_child)
            raise
        finally:
            os.close(to_parent)
            os.close(no_longer_there)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._life_line)
        os.close(self._from_child)
        os.waitpid(self._child, 0)

    def _feed(self, send: Send) -> None:
        for lines in self._batches:
            encoded = self._saver.encode(lines)
            if encoded is None:
                send(_LINES, len(lines), b"\n".join(lines))
            else:
                send(_ENCODED, len(lines), pack_block(encoded))

    def save(self) -> Iterator[None]:
        """Saves batch by batch. Raises what reading and saving raise."""
        while True:
            kind, lines, length = _HEAD.unpack(self._receive(_HEAD.size))
            payload = self._receive(length)
            if kind == _END:
                return
            if kind == _FAILED:
                raise pickle.loads(payload)
            if kind == _LINES:
                self._saver.save(payload.split(b"\n"))
            else:
                self._saver.save_encoded(unpack_block(payload), lines)
            yield

    def _receive(self, size: int) -> bytes:
        parts = []
        while size:
            part = os.read(self._from_child, size)
            if not part:
                raise ReaderEnded(self._saver)
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def _be_child(life_line: int, to_parent: int, feed: Callable[[Send], None]) -> NoReturn:
    """Feeds the parent until there is no more to read, or no parent."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        Thread(target=_end_with_parent, args=(life_line,), daemon=True).start()
        # The parent waits for the disk now and then: meanwhile some batches may be made.
        made: SimpleQueue[bytes] = SimpleQueue()
        room = Semaphore(_BATCHES_AHEAD)
        writer = Thread(target=_write, args=(to_parent, made, room), daemon=True)
        writer.start()

        def send(kind: bytes, lines: int, payload: bytes) -> None:
            room.acquire()
            made.put(_HEAD.pack(kind, lines, len(payload)) + payload)

        try:
            feed(send)
        except MsgStoreError as error:
            send(_FAILED, 0, pickle.dumps(error))
        else:
            send(_END, 0, b"")
        made.put(b"")
        writer.join()
        os._exit(0)
    except BaseException:  # what was opened, begun or printed belongs to the parent
        os._exit(1)


def _end_with_parent(life_line: int) -> None:
    """Nothing is ever written there: that reading it ends says that nobody could any more."""
    os.read(life_line, 1)
    os._exit(1)


def _write(descriptor: int, made: "SimpleQueue[bytes]", room: Semaphore) -> None:
    """Writes what is made, up to an empty one."""
    try:
        while rest := memoryview(made.get()):
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            room.release()
    except OSError:  # there is no parent any more
        os._exit(1)


def _widen(pipe: int) -> None:
    """Room for some batches, where the system lets us have it."""
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
