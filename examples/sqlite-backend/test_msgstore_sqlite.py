"""Every claim of the contract, over the example."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgstore_sqlite import SqliteMessageStore

from msgstore.testing import StoreContract


class TestSqliteMessageStore(StoreContract):
    def make_store(self, tmp_path: Path) -> Any:
        return SqliteMessageStore(str(tmp_path / "journal.db"))

    def reopen(self, store: Any) -> Any:
        return SqliteMessageStore(store.path)
