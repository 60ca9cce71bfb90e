"""Stores on threads, and what is left of them."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from msgstore import (
    FileMessageStore,
)
from msgstore.aio import ThreadedMessageStore

PATIENCE_S = 60


def our_threads() -> list[str]:
    names = [thread.name for thread in threading.enumerate()]
    return sorted(name for name in names if name.startswith("msgstore-"))


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


async def until(condition: Callable[[], bool]) -> None:
    """Returns when it holds; only a failing test waits for long."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.001)


@asynccontextmanager
async def file_store(
    path: Path, **options: Any
) -> AsyncIterator[ThreadedMessageStore[FileMessageStore]]:
    store = FileMessageStore(path / "store", durability="os", lock_timeout_s=PATIENCE_S)
    async with ThreadedMessageStore(store, **options) as threaded:
        yield threaded
