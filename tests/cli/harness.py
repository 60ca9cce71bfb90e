"""The real command in real processes: in pipes, and on terminals."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import socket
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import IO, Any

from . import nursery

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
        """Runs it in pipes; where that can make no difference, forked from what is loaded already."""
        given = stdin.encode() if isinstance(stdin, str) else stdin
        if _BASE.items() <= self.environment.items() and not _of_a_start(self.environment):
            done = the_nursery().run(self, arguments, given)
            if done is not None:
                return done
        return self.from_nothing(*arguments, stdin=given)

    def from_nothing(self, *arguments: str, stdin: bytes = b"") -> Done:
        """Runs the installed command in pipes."""
        done = subprocess.run(
            [MSGSTORE, *arguments],
            input=stdin,
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


_BASE = {"LANG": "C.UTF-8"}


def _of_a_start(environment: Mapping[str, str]) -> bool:
    """Whether it holds what Python looks at when it starts."""
    return any(
        name.startswith(("PYTHON", "LC_", "LD_", "_")) and name != "PYTHONPYCACHEPREFIX"
        for name in environment
    )


class _Nursery:
    """Its process, and the socket to it. It has one child at a time."""

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair()
        self._process = subprocess.Popen(
            [sys.executable, "-P", nursery.__file__, str(theirs.fileno())],
            stdin=subprocess.PIPE,  # that its streams are such as its children have
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[theirs.fileno()],
            cwd="/",
            env={**os.environ, **_BASE},
        )
        theirs.close()
        self._turn = Lock()

    def run(self, cli: Cli, arguments: tuple[str, ...], stdin: bytes) -> Done | None:
        """None where it is busy."""
        environment = dict(cli.environment)
        order = {
            "arguments": [MSGSTORE, *arguments],
            "folder": str(cli.folder),
            "environment": environment,
            "umask": _umask(),
        }
        if not self._turn.acquire(blocking=False):
            return None
        try:
            return self._run(json.dumps(order).encode(), stdin)
        finally:
            self._turn.release()

    def _run(self, order: bytes, stdin: bytes) -> Done:
        pipes = [os.pipe() for _ in range(3)]
        (theirs_in, ours_in), (ours_out, theirs_out), (ours_err, theirs_err) = pipes
        theirs = [theirs_in, theirs_out, theirs_err]
        socket.send_fds(self._channel, [nursery.NUMBER.pack(len(order))], theirs)
        self._channel.sendall(order)
        for descriptor in theirs:
            os.close(descriptor)
        with ThreadPoolExecutor(2) as pool:
            said = [pool.submit(_read_all, descriptor) for descriptor in (ours_out, ours_err)]
            _write_all(ours_in, stdin)
            out, err = (one.result().decode() for one in said)
        (code,) = nursery.NUMBER.unpack(nursery.receive(self._channel, nursery.NUMBER.size))
        return Done(code, out, err)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@cache
def the_nursery() -> _Nursery:
    return _Nursery()


def _read_all(descriptor: int) -> bytes:
    with open(descriptor, "rb") as pipe:
        return pipe.read()


def _write_all(descriptor: int, data: bytes) -> None:
    """Like the shell, it does not mind if nobody reads it."""
    with suppress(BrokenPipeError), open(descriptor, "wb", buffering=0) as pipe:
        view = memoryview(data)
        while view:
            view = view[pipe.write(view) :]


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
