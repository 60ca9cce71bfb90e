"""The output of a command, passed on byte for byte; those of its lines that are messages are saved first."""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import termios
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from select import POLLHUP, POLLIN, poll
from typing import TYPE_CHECKING, Protocol

from msgstore.model.errors import InvalidMessage, MsgStoreError, RequestError
from msgstore.model.message import Message
from msgstore.model.saving import SaveRequest
from msgstore.model.values import Json

if TYPE_CHECKING:
    from msgstore.backends.protocol import MessageStore
    from msgstore.model.context import SaveContext

OUTPUT_TYPE = "msgstore.Output"
"""The type of a line that is a JSON object, and says no type that msgstore can store it under."""

# Lines that are read together share a commit: the more of them wait, the fewer syncs they cost.
_PIPE_BYTES = 1 << 20
_TOLD_MAX = 20


class LineSink(Protocol):
    def save(self, lines: Sequence[bytes | None]) -> None:
        """On return the messages among the lines are stored; None is a line too long to be held."""
        ...


class MessageLines:
    """Saves the lines that are JSON objects, and counts all.

    A line is taken as `save -` takes it, and goes to `stream_id` where it names no stream. Any other
    object is the data of a message of type `msgstore.Output`. What is no object is no message.
    """

    def __init__(
        self,
        store: MessageStore,
        stream_id: str,
        context: SaveContext,
        read_json: Callable[[bytes], Json],
        tell: Callable[[str], None],
    ) -> None:
        self._store = store
        self._stream_id = stream_id
        self._context = context
        self._read_json = read_json
        self._tell = tell
        self._lines = 0
        self.messages = 0
        self.refused = 0
        self.others = 0

    def save(self, lines: Sequence[bytes | None]) -> None:
        """Commits the messages among the lines together; one that is refused is told and left out."""
        requests: list[SaveRequest] = []
        numbers: list[int] = []
        for line in lines:
            self._lines += 1
            if line is None:
                self._refuse(self._lines, "it is too long")
            elif request := self._request_of(line):
                requests.append(request)
                numbers.append(self._lines)
        while requests:
            done, refusal = self._commit(requests)
            self.messages += done
            if refusal:
                self._refuse(numbers[done], refusal)
                done += 1
            requests, numbers = requests[done:], numbers[done:]

    def _commit(self, requests: list[SaveRequest]) -> tuple[int, MsgStoreError | None]:
        """How many were saved, and why the one behind them was refused."""
        refusal = None
        while requests:
            try:
                self._store.save_each(requests)
                break
            except MsgStoreError as error:
                if error.request_index is None:  # it is not about one of them
                    raise
                refusal = error
                requests = requests[: error.request_index]
        return len(requests), refusal

    def _request_of(self, line: bytes) -> SaveRequest | None:
        value = self._object_in(line)
        if value is None:
            self.others += bool(line.strip())
            return None
        try:
            return self._context.fill_line({"streamId": self._stream_id, **value})
        except InvalidMessage:
            return self._plain_request(value)

    def _plain_request(self, value: dict[str, Json]) -> SaveRequest | None:
        try:
            message = self._context.fill(Message(OUTPUT_TYPE, value))
            return SaveRequest.of(self._stream_id, [message])
        except InvalidMessage as error:
            self._refuse(self._lines, error)
            return None

    def _object_in(self, line: bytes) -> dict[str, Json] | None:
        if not line.lstrip().startswith(b"{"):
            return None
        try:
            value = self._read_json(line)
        except RequestError:
            return None
        return value if isinstance(value, dict) else None

    def _refuse(self, line_number: int, reason: MsgStoreError | str) -> None:
        self.refused += 1
        if self.refused <= _TOLD_MAX:
            self._tell(f"line {line_number:,} of the output was not saved: {reason}")

    def to_json(self) -> dict[str, Json]:
        return {"messages": self.messages, "refused": self.refused, "otherLines": self.others}


class Capture:
    """Copies from `source` to `target` in a thread of its own, and hands lines to the sink.

    What is passed on of a line may be passed on before it is complete; its end is passed on when the
    sink has saved it. Nothing is read while the target or the store takes nothing: the command waits.
    The thread ends when all have closed the source, when the target is closed, or when the command has
    ended (`end`) and nothing is left in the source. A line without end counts then.
    """

    def __init__(
        self,
        source: int,
        target: int,
        sink: LineSink,
        line_bytes_max: int,
        on_failure: Callable[[Exception], None],
    ) -> None:
        self._source = source
        self._target = target
        self._sink: LineSink | None = sink
        self._line_bytes_max = line_bytes_max
        self._on_failure = on_failure
        self._begun: list[bytes] = []
        self._begun_bytes = 0
        self._ended, self._end = os.pipe()
        self._over = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, name="capture", daemon=True).start()

    def end(self) -> None:
        """The command has ended: only what is there already is still taken."""
        os.close(self._end)

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to come. SIGCHLD tells of it."""
        return self._over.is_set()

    def _run(self) -> None:
        try:
            self._copy()
        except OSError:
            pass  # whoever read our output has left; the command's next write is told so
        finally:
            os.close(self._source)
            self._save_rest()
            self._over.set()
            os.kill(os.getpid(), signal.SIGCHLD)

    def _copy(self) -> None:
        waiting = poll()
        waiting.register(self._source, POLLIN | POLLHUP)
        waiting.register(self._ended, POLLIN | POLLHUP)
        left = None
        while left != 0 and self._source in (ready := dict(waiting.poll())):
            if left is None and self._ended in ready:
                left = _bytes_in(self._source)
                continue
            chunk = os.read(self._source, _PIPE_BYTES if left is None else min(left, _PIPE_BYTES))
            if not chunk:
                return
            left = None if left is None else left - len(chunk)
            self._take(chunk)
            rest = memoryview(chunk)
            while rest:
                rest = rest[os.write(self._target, rest) :]

    def _take(self, chunk: bytes) -> None:
        """Saves the lines that the chunk completes."""
        *complete, rest = chunk.split(b"\n")
        if complete:
            self._begin(complete[0])
            self._save([self._finish(), *map(self._fitting, complete[1:])])
        self._begin(rest)

    def _begin(self, part: bytes) -> None:
        """Keeps the beginning of a line; of one that is too long only how long it is."""
        self._begun_bytes += len(part)
        if self._begun_bytes > self._line_bytes_max:
            self._begun = []
        elif part:
            self._begun.append(part)

    def _finish(self) -> bytes | None:
        """The line that was begun, None if it is too long."""
        line = None if self._begun_bytes > self._line_bytes_max else b"".join(self._begun)
        self._begun, self._begun_bytes = [], 0
        return line

    def _fitting(self, line: bytes) -> bytes | None:
        return None if len(line) > self._line_bytes_max else line

    def _save_rest(self) -> None:
        if self._begun_bytes:
            self._save([self._finish()])

    def _save(self, lines: list[bytes | None]) -> None:
        """After a failure nothing more is saved; it is passed on all the same."""
        if self._sink is None:
            return
        try:
            self._sink.save(lines)
        except Exception as error:  # a bug too: the command must not suffer from it
            self._sink = None
            self._on_failure(error)


def make_pipe() -> tuple[int, int]:
    """A pipe that holds much, where the system lets it: what is read from it, what is written to."""
    source, written_to = os.pipe()
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):  # a user may have only so much of it
            fcntl.fcntl(written_to, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return source, written_to


def _bytes_in(pipe: int) -> int:
    """How much can be read from a pipe at this moment."""
    count = fcntl.ioctl(pipe, termios.FIONREAD, struct.pack("i", 0))
    return int(struct.unpack("i", count)[0])
