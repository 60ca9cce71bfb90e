"""Every claim of the contract put to an asynchronous store, and those that only such a one can keep."""

from __future__ import annotations

from pathlib import Path

import pytest

from msgstore.backends.async_protocol import AsyncLocalMessageStore
from msgstore.backends.protocol import LocalMessageStore
from msgstore.testing.claims.cancelling import CancellingClaims
from msgstore.testing.claims.tasks import TaskClaims
from msgstore.testing.contract import StoreContract
from msgstore.testing.sync_face import SyncFace, run


class AsyncClaims(CancellingClaims, TaskClaims):
    """What only an asynchronous store can keep, and how the claims of every store are put to one."""

    async def make_async_store(self, tmp_path: Path) -> AsyncLocalMessageStore:
        """A new, empty store. `tmp_path` is a folder of the test's own."""
        raise NotImplementedError("say how to make a store: override make_async_store")

    async def reopen_async(self, store: AsyncLocalMessageStore) -> AsyncLocalMessageStore:
        """The same store as someone finds it who opens it later; in memory that is the store."""
        return store

    def make_store(self, tmp_path: Path) -> LocalMessageStore:
        return SyncFace(run(self.make_async_store(tmp_path)))

    def reopen(self, store: LocalMessageStore) -> LocalMessageStore:
        assert isinstance(store, SyncFace), "made by make_store"
        again = run(self.reopen_async(store.inner))
        return store if again is store.inner else SyncFace(again)

    @pytest.fixture
    def async_store(self, store: LocalMessageStore) -> AsyncLocalMessageStore:
        """The store itself, for claims that run in its loop."""
        assert isinstance(store, SyncFace), "made by make_store"
        return store.inner


class AsyncStoreContract(AsyncClaims, StoreContract):
    """What every asynchronous store promises. Inherit it, and say in `make_async_store` how to make
    an empty one. A store that outlives its object also overrides `reopen_async`.

    All tests of a process share one event loop, which runs on a thread of its own.
    """
