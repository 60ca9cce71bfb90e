"""Real servers on loopback: started on free ports, asked whether they answer, and ended."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

PATIENCE_S = 60
PAYLOAD_MAX = 32 * 1024 * 1024


def server_program() -> str | None:
    """`nats-server` of the environment that the tests run in, else of the machine."""
    beside = Path(sys.executable).parent / "nats-server"
    return str(beside) if beside.exists() else shutil.which("nats-server")


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


class Server:
    """One server with a folder of its own; what is in `extra` goes into its configuration."""

    def __init__(
        self,
        folder: Path,
        *,
        name: str = "one",
        port: int | None = None,
        extra: str = "",
        jetstream: bool = True,
    ) -> None:
        self.folder = folder
        self.name = name
        self.port = port or free_ports(1)[0]
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        store = f'jetstream {{ store_dir: "{folder / "data"}", sync_interval: always }}'
        self.config = folder / "server.conf"
        self.config.write_text(
            f"server_name: {name}\nlisten: 127.0.0.1:{self.port}\nmax_payload: {PAYLOAD_MAX}\n"
            f'log_file: "{folder / "log"}"\n{store if jetstream else ""}\n{extra}\n'
        )

    def url(self, store: str, query: str = "") -> str:
        return f"nats://127.0.0.1:{self.port}/{store}{query}"

    def start(self) -> Server:
        self.launch()
        self.wait()
        return self

    def launch(self) -> None:
        program = server_program()
        assert program is not None, "nats-server is not installed"
        self.process = subprocess.Popen(
            [program, "-c", str(self.config)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def wait(self) -> None:
        """Returns when it takes connections."""
        end_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < end_s:
            assert self.process is not None, "it was started"
            assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                    if connection.recv(4) == b"INFO":
                        return
            except OSError:
                time.sleep(0.02)
        raise AssertionError("the server does not come up")

    def kill(self) -> None:
        """As a power loss ends it, but for what the kernel still has to write."""
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)  # what is stopped ends too
            self.process.kill()
            self.process.wait()
            self.process = None

    def pause(self) -> None:
        assert self.process is not None, "it runs"
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self.process is not None, "it runs"
        self.process.send_signal(signal.SIGCONT)

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()
