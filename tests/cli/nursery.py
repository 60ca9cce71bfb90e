"""Where most of the tests' commands come from: a process that has loaded what every start of msgstore
loads, and forks a child for each. The child is a process of its own, with its own arguments, folder,
environment and pipes, and goes the way of the installed command from its first line on.

A start from nothing costs three times as much. What makes a difference to a start (Python's own
variables, the locale, a terminal) has one: see `Cli`.

Run as a script it is that process; its only argument is the socket on which orders arrive.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import sys
import time
from typing import Any

NUMBER = struct.Struct("!i")
"""The length of an order, before it, and how a child ended."""


def serve(channel: socket.socket) -> list[str] | None:
    """Gives each order to a child, and tells how that ended. Returns its arguments in every child."""
    while True:
        head, pipes, _, _ = socket.recv_fds(channel, NUMBER.size, 3)
        if not head:
            return None
        order = json.loads(receive(channel, *NUMBER.unpack(head)))
        child = os.fork()
        if child == 0:
            channel.close()
            become(order, pipes)
            return list(order["arguments"])
        for pipe in pipes:
            os.close(pipe)
        _, status = os.waitpid(child, 0)
        channel.sendall(NUMBER.pack(os.waitstatus_to_exitcode(status)))


def receive(channel: socket.socket, size: int) -> bytes:
    """So many bytes; fewer only where the other end is gone."""
    return channel.recv(size, socket.MSG_WAITALL)


def become(order: dict[str, Any], pipes: list[int]) -> None:
    """Takes on what a new process would have been given."""
    for descriptor, pipe in enumerate(pipes):
        os.dup2(pipe, descriptor)
        os.close(pipe)
    os.chdir(order["folder"])
    os.umask(order["umask"])
    os.environ.clear()
    os.environ.update(order["environment"])
    time.tzset()


def main() -> None:
    import typer.main  # noqa: F401 - loaded for the children

    import msgstore.cli.root
    from msgstore.cli.app import main as msgstore

    channel = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    arguments = serve(channel)
    if arguments is not None:
        sys.argv = arguments
        msgstore()


if __name__ == "__main__":
    main()
