"""A wire that can be cut: passes bytes on between a client and a server, until it is told otherwise."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress


class Swallowed(Exception):
    """What was received is not passed on."""


class Proxy:
    """Listens on a port of its own. `on_request` sees what a client sends, before it is passed on."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._refuses = False
        self._is_deaf = False
        self.on_request: Callable[[bytes], None] = lambda _: None
        threading.Thread(target=self._accept, daemon=True).start()

    def lose_answer_to(self, mark: bytes, *, for_good: bool = False) -> threading.Event:
        """The next request with `mark` arrives, and its connection is lost before its answer.

        With `for_good` there are no connections any more after it.
        """
        done = threading.Event()

        def look(data: bytes) -> None:
            if mark in data and not done.is_set():
                done.set()
                self._is_deaf, self._refuses = True, for_good

        self.on_request = look
        return done

    def lose(self, mark: bytes) -> threading.Event:
        """The connection of the next request with `mark` is lost before it arrives."""
        done = threading.Event()

        def look(data: bytes) -> None:
            if mark in data and not done.is_set():
                done.set()
                self.cut()
                raise ConnectionResetError

        self.on_request = look
        return done

    def swallow(self, mark: bytes) -> threading.Event:
        """The next request with `mark` does not arrive, and its connection stays."""
        done = threading.Event()

        def look(data: bytes) -> None:
            if mark in data and not done.is_set():
                done.set()
                raise Swallowed

        self.on_request = look
        return done

    def cut(self) -> None:
        """All connections are lost; new ones may come."""
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for one in pair:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()

    def refuse(self) -> None:
        self._refuses = True
        self.cut()

    def accept_again(self) -> None:
        self._refuses = False

    def close(self) -> None:
        self._refuses = True
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._refuses:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                client.close()
                continue
            self._is_deaf = False
            self._pairs.append((client, server))
            for ends in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, is_request: bool) -> None:
        try:
            while data := source.recv(1 << 16):
                if is_request:
                    try:
                        self.on_request(data)
                    except Swallowed:
                        continue
                elif self._is_deaf:
                    break
                sink.sendall(data)
        except OSError:
            pass
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
