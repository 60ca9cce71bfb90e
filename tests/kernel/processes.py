"""Forked processes that do one thing and end, and what they tell their parent."""

from __future__ import annotations

import logging
import os
import signal
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


def spawn(report: Report, work: Callable[[], None]) -> int:
    """Forks a process that does `work`, and returns its id; what it raises is told as a `bug`."""
    pid = os.fork()
    if pid:
        return pid
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

    def wait(self) -> bool:
        """For the process that never opens it. False if all who could open it have ended."""
        self._writer.close()
        return bool(self._reader.read(1))

    def close(self) -> None:
        self._reader.close()
        self._writer.close()
