"""A store to spoil, and the command line in a clean environment."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli.conftest import cli  # noqa: F401 - the fixture

from msgstore import FileMessageStore, Message


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Three messages in stream `a`, one in `b`, and a session that ended."""
    with FileMessageStore(tmp_path / "store") as store, store.session("run"):
        for number in range(3):
            store.save_message("a", Message("Step", {"n": number}, id=f"a-{number}"))
        store.save_message("b", Message("Step", {"n": 0}))
    return tmp_path / "store"
