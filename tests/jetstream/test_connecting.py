"""Servers that cannot be used, and what is said of them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from msgstore import (
    InvalidArgument,
    Message,
    StoreNotFound,
    StoreUnavailable,
    UnsupportedFormat,
    open_store,
)
from msgstore.backends.nats.store import NatsMessageStore

from .servers import Server, free_ports


@pytest.fixture
def folder(tmp_path: Path, server: Server) -> Path:
    """`server`, because all of these need the program."""
    return tmp_path


def test_no_server(folder: Path) -> None:
    """Where nobody listens, that is said, and the URL is named."""
    (port,) = free_ports(1)
    with pytest.raises(StoreUnavailable, match="no server of NATS answers") as caught:
        open_store(f"nats://127.0.0.1:{port}/journal")
    assert caught.value.path == f"nats://127.0.0.1:{port}/journal"
    assert "server" in caught.value.advice
    assert "path" not in caught.value.advice


def test_no_store(server: Server) -> None:
    """Without leave to make it a store that is not there is not found."""
    with pytest.raises(StoreNotFound):
        open_store(server.url("nowhere"), create=False)


def test_nothing_is_made_by_looking(server: Server) -> None:
    """Reading a store that is not there finds nothing, and makes nothing."""
    url = server.url(f"e{os.urandom(6).hex()}")
    with open_store(url) as store:
        assert list(store.get_all_messages()) == []
        assert store.get_stats().total_messages == 0
    with pytest.raises(StoreNotFound):
        open_store(url, create=False)


def test_durability_is_the_servers(server: Server) -> None:
    """How durable a save is cannot be chosen by the client."""
    with pytest.raises(InvalidArgument, match="sync_interval"):
        open_store(server.url("journal"), durability="os")


USERS = 'authorization { users: [{ user: "ada", password: "s3cret" }] }'
NO_RIGHTS = """
authorization { users: [{ user: "ada", password: "s3cret",
  permissions: { publish: { deny: ["$JS.API.>"] } } }] }
"""


def test_users(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user and a password from the URL or the environment are taken; wrong ones are not."""
    with Server(folder, extra=USERS) as server:
        for wrong in ("", "ada:wrong@", "token@"):
            with pytest.raises(StoreUnavailable, match="does not take this user") as caught:
                NatsMessageStore(f"nats://{wrong}127.0.0.1:{server.port}/journal")
            assert "wrong" not in str(caught.value)
        with NatsMessageStore(f"nats://ada:s3cret@127.0.0.1:{server.port}/journal") as store:
            store.save_message("orders", Message("X"))
            assert store.url == f"nats://127.0.0.1:{server.port}/journal"
        monkeypatch.setenv("MSGSTORE_NATS_USER", "ada")
        monkeypatch.setenv("MSGSTORE_NATS_PASSWORD", "s3cret")
        with NatsMessageStore(server.url("journal")) as store:
            assert store.get_stats().total_messages == 1


def test_a_token(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token is taken from the URL and from the environment."""
    with Server(folder, extra='authorization { token: "s3cret" }') as server:
        NatsMessageStore(f"nats://s3cret@127.0.0.1:{server.port}/journal").close()
        monkeypatch.setenv("MSGSTORE_NATS_TOKEN", "s3cret")
        NatsMessageStore(server.url("journal")).close()


def test_a_credentials_file_that_is_not_there(server: Server) -> None:
    """A credentials file that cannot be read is said to be."""
    # A server asks for a signature only where it wants one; the file is looked at when it does.
    with NatsMessageStore(server.url("journal", "?creds=/nowhere.creds")) as store:
        assert store.url == server.url("journal")


def test_no_rights(folder: Path) -> None:
    """Who may not use JetStream is told so, and at once."""
    with (
        Server(folder, extra=NO_RIGHTS) as server,
        pytest.raises(StoreUnavailable, match=r"(?i)permissions violation"),
    ):
        NatsMessageStore(f"nats://ada:s3cret@127.0.0.1:{server.port}/journal")


def test_jetstream_off(folder: Path) -> None:
    """A server without JetStream is said to have none."""
    with (
        Server(folder, jetstream=False) as server,
        pytest.raises(StoreUnavailable, match="JetStream does not answer"),
    ):
        NatsMessageStore(server.url("journal"))


NO_ACCOUNT = """
accounts { A: { users: [{ user: "ada", password: "s3cret" }] } }
"""


def test_an_account_without_jetstream(folder: Path) -> None:
    """An account that may not use JetStream is told so in the server's words."""
    with (
        Server(folder, extra=NO_ACCOUNT) as server,
        pytest.raises(StoreUnavailable, match="not enabled for account"),
    ):
        NatsMessageStore(f"nats://ada:s3cret@127.0.0.1:{server.port}/journal")


@pytest.fixture
def old_server() -> Iterator[int]:
    """The port of something that says that it is NATS 2.11.9."""
    listener = socket.create_server(("127.0.0.1", 0))
    info = {"server_id": "x", "version": "2.11.9", "max_payload": 1 << 20, "headers": True}

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.sendall(f"INFO {json.dumps(info)}\r\n".encode())
                while data := connection.recv(4096):
                    if b"PING" in data:
                        connection.sendall(b"PONG\r\n")

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()


def test_an_old_server(old_server: int) -> None:
    """A server that is too old is refused, with its version and the one that is needed."""
    with pytest.raises(UnsupportedFormat, match=r"NATS 2\.11\.9; a store needs 2\.12\.1 or newer"):
        NatsMessageStore(f"nats://127.0.0.1:{old_server}/journal")


def certificate(folder: Path, names: str) -> Path:
    """One that signs itself, its key beside it."""
    path = folder / "cert.pem"
    openssl = ["openssl", "req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"]
    openssl += ["-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=journal"]
    openssl += ["-addext", f"subjectAltName={names}", "-out", str(path)]
    try:
        subprocess.run(
            [*openssl, "-keyout", str(path.with_name("key.pem"))], check=True, capture_output=True
        )
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    return path


def test_tls(folder: Path) -> None:
    """The connection is encrypted, with a server whose certificate is of a known authority and of
    the name that is asked for; any other is refused."""
    known = certificate(folder, "DNS:journal.example")
    tls = f'tls {{ cert_file: "{known}", key_file: "{folder / "key.pem"}" }}'
    with Server(folder, extra=tls) as server:
        url = f"tls://127.0.0.1:{server.port}/journal"
        with NatsMessageStore(f"{url}?ca={known}&tls_name=journal.example") as store:
            assert store.save_message("orders", Message("X")).last_position == 1
        with pytest.raises(StoreUnavailable, match=r"(?i)ip address mismatch"):
            NatsMessageStore(f"{url}?ca={known}")
        with pytest.raises(StoreUnavailable, match=r"(?i)self.signed"):
            NatsMessageStore(f"{url}?tls_name=journal.example")


def test_tls_that_is_not_offered(folder: Path) -> None:
    """A server in plain text is refused by a `tls://` URL, before the password is sent."""
    with Server(folder, extra=USERS) as server:
        url = f"tls://ada:s3cret@127.0.0.1:{server.port}/journal"
        with pytest.raises(StoreUnavailable, match="offers no TLS"):
            NatsMessageStore(url)


def test_a_stream_of_somebody_else(server: Server) -> None:
    """A stream that has the store's name and was not made by msgstore is left alone."""
    import asyncio

    import nats

    name = f"f{os.urandom(6).hex()}"

    async def make() -> None:
        client = await nats.connect(f"nats://127.0.0.1:{server.port}")
        await client.jetstream().add_stream(name=f"msgstore_{name}", subjects=[f"{name}.*"])
        await client.close()

    asyncio.run(make())
    with pytest.raises(UnsupportedFormat, match="was not made by msgstore"):
        NatsMessageStore(server.url(name))


def test_a_client_that_is_not_installed(tmp_path: Path) -> None:
    """Without the client a nats: URL says what to install, and nothing else needs it."""
    import sys

    code = (
        "import sys; sys.modules['nats'] = None; import msgstore\n"
        "msgstore.open_store('memory:').close()\n"
        "try: msgstore.open_store('nats://localhost/journal')\n"
        "except msgstore.BackendMissing as error: print(error.exit_code, error.advice)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "5 pip install 'msgstore[nats]' for nats: and tls: URLs\n"
