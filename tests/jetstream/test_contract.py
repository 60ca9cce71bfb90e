"""The contract over the store on NATS, on a real server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from msgstore import LocalMessageStore
from msgstore.testing import StoreContract

from .servers import Server

if TYPE_CHECKING:
    from msgstore.backends.nats.store import NatsMessageStore


class TestNatsMessageStore(StoreContract):
    """Every claim of the contract, on one node."""

    rounds = 12

    @pytest.fixture(autouse=True)
    def _server(self, server: Server) -> None:
        self.server = server

    def make_store(self, tmp_path: Path) -> NatsMessageStore:
        from msgstore.backends.nats.store import NatsMessageStore

        self.url = self.server.url(f"c{os.urandom(8).hex()}")
        return NatsMessageStore(self.url)

    def reopen(self, store: LocalMessageStore) -> LocalMessageStore:
        from msgstore.backends.nats.store import NatsMessageStore

        return NatsMessageStore(self.url)
