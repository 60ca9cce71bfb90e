"""The contract, and that of asynchronous stores, over every backend on threads."""

from __future__ import annotations

from pathlib import Path

from msgstore import FileMessageStore, MemoryMessageStore
from msgstore.aio import AsyncLocalMessageStore, ThreadedMessageStore
from msgstore.testing import AsyncStoreContract
from msgstore.testing.async_contract import AsyncClaims
from msgstore.testing.claims.follow import FollowClaims
from msgstore.testing.claims.sessions import SessionBlockClaims
from msgstore.testing.claims.threads import ThreadClaims
from msgstore.testing.claims.transactions import TransactionClaims


class TestMemoryOnThreads(AsyncStoreContract):
    """Every claim, of a store in memory."""

    async def make_async_store(self, tmp_path: Path) -> AsyncLocalMessageStore:
        return ThreadedMessageStore(MemoryMessageStore())


class TestFilesOnThreads(AsyncStoreContract):
    """Every claim, of a store on disk."""

    path: Path

    async def make_async_store(self, tmp_path: Path) -> AsyncLocalMessageStore:
        self.path = tmp_path / "store"
        return ThreadedMessageStore(FileMessageStore(self.path, durability="os"))

    async def reopen_async(self, store: AsyncLocalMessageStore) -> AsyncLocalMessageStore:
        await store.close()
        return ThreadedMessageStore(FileMessageStore(self.path, durability="os"))


class TestOneThread(AsyncClaims, TransactionClaims, SessionBlockClaims, FollowClaims, ThreadClaims):
    """What several do at once, with one thread for changes and one for reads."""

    async def make_async_store(self, tmp_path: Path) -> AsyncLocalMessageStore:
        return ThreadedMessageStore(MemoryMessageStore(), threads=1)
