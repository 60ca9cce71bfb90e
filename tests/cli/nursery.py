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
import sys
import time
from typing import Any

ORDER_BYTES_MAX = 65_536


def serve(channel: socket.socket) -> list[str] | None:
    """Gives each order to a child, and tells how that ended. Returns its arguments in every child."""
    while True:
        raw, pipes, _, _ = socket.recv_fds(channel, ORDER_BYTES_MAX, 3)
        if not raw:
            return None
        order = json.loads(raw)
        child = os.fork()
        if child == 0:
            channel.close()
            become(order, pipes)
            return list(order["arguments"])
        for pipe in pipes:
            os.close(pipe)
        _, status = os.waitpid(child, 0)
        channel.send(str(os.waitstatus_to_exitcode(status)).encode())


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
