"""The real command in real processes: in pipes, and on terminals."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

MSGSTORE = str(Path(sys.executable).parent / "msgstore")
_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        """Its output as JSON Lines."""
        return [json.loads(line) for line in self.out.split("\n") if line]


@dataclass(frozen=True, slots=True)
class Cli:
    """Runs msgstore in `folder`, on the store `folder/.msgstore` unless it is told otherwise."""

    folder: Path
    environment: Mapping[str, str]

    @property
    def store(self) -> Path:
        return self.folder / ".msgstore"

    def with_environment(self, **changes: str) -> Cli:
        return Cli(self.folder, {**self.environment, **changes})

    def __call__(self, *arguments: str, stdin: str | bytes = b"") -> Done:
        """Runs it in pipes."""
        done = subprocess.run(
            [MSGSTORE, *arguments],
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            cwd=self.folder,
            env=dict(self.environment),
            check=False,
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def start(self, *arguments: str, **streams: Any) -> subprocess.Popen[bytes]:
        """Starts it, with unbuffered pipes on all sides unless told otherwise."""
        streams = {
            "stdin": subprocess.PIPE,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
        } | streams
        return subprocess.Popen(
            [MSGSTORE, *arguments],
            bufsize=0,
            cwd=self.folder,
            env=dict(self.environment),
            **streams,
        )

    def shell(self, script: str) -> Done:
        """Runs a pipeline, in which `msgstore` is the command."""
        path = f"{Path(MSGSTORE).parent}:{self.environment['PATH']}"
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {script}"],
            capture_output=True,
            cwd=self.folder,
            env={**self.environment, "PATH": path},
            text=True,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def terminal(self, *arguments: str, columns: int = 100) -> Done:
        """Runs it with stdout and stderr on terminals of their own; colours are left in."""
        out, out_side = open_terminal(columns)
        err, err_side = open_terminal(columns)
        process = self.start(*arguments, stdin=subprocess.DEVNULL, stdout=out_side, stderr=err_side)
        os.close(out_side)
        os.close(err_side)
        shown, said = read_terminal(out), read_terminal(err)
        return Done(process.wait(), shown, said)

    def save(self, *messages: Mapping[str, Any]) -> None:
        """Saves messages given as lines of `save -`."""
        done = self("save", "-", stdin=json_lines(*messages))
        assert done.code == 0, done.err


def json_lines(*values: Any) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


def open_terminal(columns: int) -> tuple[int, int]:
    """The two ends of a new terminal: ours and the program's."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    return ours, theirs


def read_terminal(descriptor: int) -> str:
    """All that is shown until the last program has left the terminal."""
    parts = []
    while part := _read(descriptor):
        parts.append(part)
    os.close(descriptor)
    return b"".join(parts).decode().replace("\r\n", "\n")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:  # EIO: nobody is left at the other end
        return b""


def plain(text: str) -> str:
    """Without colours."""
    return _SEQUENCE.sub("", text)


def next_line(stream: IO[bytes] | None) -> Any:
    """The next line of a running command as JSON; waits for it."""
    assert stream is not None
    return json.loads(stream.readline())
