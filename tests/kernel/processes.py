"""Forked processes that do one thing and end, and what they tell their parent."""

from __future__ import annotations

import logging
import os
import select
import signal
import time
import traceback
from collections.abc import Callable
from pathlib import Path


class Report:
    """A file that processes add lines to; a line is there as soon as it was told."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def tell(self, *words: object) -> None:
        os.write(self._fd, (" ".join(map(str, words)) + "\n").encode())

    def read(self) -> list[list[str]]:
        """The words of every whole line."""
        lines = self.path.read_text().split("\n")[:-1]
        return [line.split(" ") for line in lines]

    def about(self, word: str) -> list[str]:
        """What was told after `word`, line by line."""
        return [" ".join(words[1:]) for words in self.read() if words[0] == word]


class Child:
    """A forked process."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.status: int | None = None
        """How it ended, as of wait(2); None while it runs."""

    @property
    def is_running(self) -> bool:
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = status if pid else None
        return self.status is None

    @property
    def was_killed(self) -> bool:
        return self.status is not None and os.WIFSIGNALED(self.status)

    def wait(self, patience_s: float = 120) -> Child:
        """Returns when it has ended; one that hangs is killed, which is an AssertionError."""
        end = time.monotonic() + patience_s
        while self.is_running:
            if time.monotonic() > end:
                self.kill()
                raise AssertionError("a process did not end by itself")
            time.sleep(0.0005)
        return self

    def wait_until_stopped(self) -> None:
        """Returns when a signal has stopped it."""
        _, status = os.waitpid(self.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), status

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """Ends it wherever it is, if it has not ended by itself."""
        if self.is_running:
            self.signal(signal.SIGKILL)
            _, self.status = os.waitpid(self.pid, 0)


def spawn(report: Report, work: Callable[[], object]) -> Child:
    """Forks a process that does `work`; what that raises is told as a `bug`."""
    pid = os.fork()
    if pid:
        return Child(pid)
    code = 0
    try:
        logging.disable()  # recovery tells what it cut: here that is no news
        signal.signal(signal.SIGINT, signal.default_int_handler)
        work()
    except BaseException:
        report.tell("bug", traceback.format_exc().replace("\n", " | "))
        code = 1
    os._exit(code)


class Gate:
    """Lets one process through when another opens it. Made before they part."""

    def __init__(self) -> None:
        reader, writer = os.pipe()
        self._reader, self._writer = os.fdopen(reader, "rb", 0), os.fdopen(writer, "wb", 0)

    def open(self) -> None:
        self._writer.write(b"!")

    def wait(self, opener: Child | None = None) -> bool:
        """False if `opener` ended without opening it."""
        while not select.select([self._reader], [], [], 0.1)[0]:
            if opener and not opener.is_running:
                return False
        return bool(self._reader.read(1))

    def close(self) -> None:
        self._reader.close()
        self._writer.close()
