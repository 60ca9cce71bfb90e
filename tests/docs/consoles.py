"""Console blocks of a page: `$ command` and what a terminal shows of it.

    python tests/docs/consoles.py README.md     writes the real output into the page

All blocks of a page are run in one new folder, one after the other, each command in a terminal of
100 columns. What differs from run to run (times, ids, sizes) is masked before two outputs are
compared.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

COLUMNS = 100
_TIMEOUT_S = 60
_BLOCK = re.compile(r"(^```console\n)(.*?)(^```$)", re.MULTILINE | re.DOTALL)
_VOLATILE = (
    (re.compile(r"session-\d{13}-[0-9a-z]{8}"), "<session>"),
    (re.compile(r"run-\d{13}-[0-9a-z]{8}"), "<run>"),
    (re.compile(r"session-\d{10,13}[-0-9a-z]*"), "<session>"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"), "<id>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?Z?"), "<time>"),
    (re.compile(r"\b\d\d:\d\d:\d\d(\.\d+)?"), "<time>"),
    (re.compile(r"\b[\d.,]+ ([KMG]i)?B\b"), "<size>"),
    (re.compile(r"\b[\d.,]+ (µs|ms|s)\b"), "<duration>"),
    (re.compile(r"─+|━+"), "<rule>"),
    (re.compile(r" {2,}"), "  "),  # a column is as wide as what is masked in it
)


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a page, and what the page says it prints. `line` is 1-based."""

    line: int
    command: str
    output: str


def steps_of(page: Path) -> Iterator[Step]:
    text = page.read_text()
    for block in _BLOCK.finditer(text):
        yield from _steps(block[2], text.count("\n", 0, block.start(2)) + 1)


def _steps(block: str, line: int) -> Iterator[Step]:
    commands = re.split(r"^\$ ", block, flags=re.MULTILINE)
    assert not commands[0].strip(), f"line {line}: a console block begins with a command"
    for part in commands[1:]:
        taken = 1
        lines = part.split("\n")
        while lines[taken - 1].endswith("\\"):
            taken += 1
        yield Step(line, "\n".join(lines[:taken]), "\n".join(lines[taken:]).rstrip())
        line += part.count("\n")


def run(command: str, folder: Path) -> str:
    """What a terminal shows when `command` is run in `folder`."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    try:
        process = subprocess.Popen(
            ["bash", "-c", command],
            cwd=folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
    finally:
        os.close(theirs)
    try:
        shown = _read_to_end(ours)
        process.wait(_TIMEOUT_S)
    finally:
        os.close(ours)
    return "\n".join(line.rstrip() for line in shown.decode().replace("\r\n", "\n").split("\n"))


def _environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MSGSTORE_")}
    here = os.path.dirname(sys.executable)
    path = f"{here}{os.pathsep}{kept.get('PATH', '')}"
    return kept | {"PATH": path, "NO_COLOR": "1", "TERM": "xterm", "LC_ALL": "C.UTF-8"}


def _read_to_end(fd: int) -> bytes:
    parts = []
    while True:
        try:
            part = os.read(fd, 65536)
        except OSError:  # Linux: the other side was closed
            part = b""
        if not part:
            return b"".join(parts)
        parts.append(part)


def mask(output: str) -> str:
    """`output` without what differs from run to run."""
    for pattern, name in _VOLATILE:
        output = pattern.sub(name, output)
    return "\n".join(line.rstrip() for line in output.strip("\n").split("\n"))


def rewrite(page: Path) -> None:
    """Puts the real output under every command of a page."""
    with tempfile.TemporaryDirectory() as folder:

        def fresh(block: re.Match[str]) -> str:
            shown = []
            for step in _steps(block[2], 0):
                output = run(step.command, Path(folder)).rstrip()
                shown.append(f"$ {step.command}\n" + (f"{output}\n" if output else ""))
            return block[1] + "".join(shown) + block[3]

        page.write_text(_BLOCK.sub(fresh, page.read_text()))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        rewrite(Path(name))
