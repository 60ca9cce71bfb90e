"""The store on NATS for programs on asyncio: the contract, and that it is native."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from msgstore import (
    NO_STREAM,
    Message,
    PositionalMessage,
    SaveResult,
    StoreClosed,
    StoreNotFound,
    StoreUnavailable,
)
from msgstore.aio import AsyncLocalMessageStore, AsyncMessages, open_store, outcome
from msgstore.backends.nats import following
from msgstore.backends.nats.async_store import AsyncNatsMessageStore
from msgstore.backends.nats.loop import LoopThread
from msgstore.testing import AsyncStoreContract
from msgstore.testing.claims.base import event, numbers
from msgstore.testing.claims.cancelling import listed
from msgstore.testing.claims.tasks import first_of

from .proxy import Proxy
from .servers import Server, free_ports


class TestAsyncNatsMessageStore(AsyncStoreContract):
    """Every claim of the contract, on one node."""

    rounds = 12

    @pytest.fixture(autouse=True)
    def _server(self, server: Server) -> None:
        self.server = server

    async def make_async_store(self, tmp_path: Path) -> AsyncLocalMessageStore:
        self.url = self.server.url(f"a{os.urandom(8).hex()}")
        return await open_store(self.url)

    async def reopen_async(self, store: AsyncLocalMessageStore) -> AsyncLocalMessageStore:
        await store.close()
        return await open_store(self.url)


@pytest.fixture
def url(server: Server) -> str:
    return server.url(f"n{os.urandom(8).hex()}")


def test_no_threads(url: str) -> None:
    """It is asyncio all the way down: neither saves nor reads nor followers have a thread."""
    before = threading.active_count()

    async def main() -> None:
        async with open_store(url) as store:
            assert isinstance(store, AsyncNatsMessageStore)
            await asyncio.gather(*[store.save_message(f"s-{n}", event(n)) for n in range(20)])
            followers = [first_of(store.follow(), 20) for _ in range(5)]
            assert [len(seen) for seen in await asyncio.gather(*followers)] == [20] * 5
            assert (await store.verify()).findings == ()
            # The loop's own thread for names of hosts is not ours.
            names = {thread.name for thread in threading.enumerate()}
            assert not any(name.startswith("msgstore") for name in names)

    asyncio.run(main())
    assert threading.active_count() == before


def test_opening(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Options, errors and the environment are those of the synchronous store."""
    monkeypatch.setenv("MSGSTORE_CORRELATION_ID", "c-1")

    async def main() -> None:
        with pytest.raises(StoreNotFound):
            await open_store(url, create=False)
        (port,) = free_ports(1)
        with pytest.raises(StoreUnavailable, match="no server of NATS answers"):
            await open_store(f"nats://127.0.0.1:{port}/journal")
        async with open_store(url) as store:
            await store.save_message("orders", Message("X"), NO_STREAM)
            [stored] = await listed(store.get_all_messages())
            assert stored.message.correlation_id == "c-1"

    asyncio.run(main())


def test_opening_that_is_cancelled(url: str) -> None:
    """Whenever it is cancelled, no thread and no connection is left."""

    async def main(moment_s: float) -> None:
        opening = asyncio.ensure_future(_opened(url))
        await asyncio.wait([opening], timeout=moment_s)
        opening.cancel()
        with suppress(asyncio.CancelledError):
            await (await opening).close()

    asyncio.run(main(10))
    before = len(os.listdir("/proc/self/fd")), threading.active_count()
    for number in range(16):
        asyncio.run(main(number / 1000))
        assert (len(os.listdir("/proc/self/fd")), threading.active_count()) == before


def test_opening_that_is_cancelled_late(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancelled when the asynchronous store is there and the synchronous one is being closed, it
    closes both."""
    submit = LoopThread.submit

    def cancelling(thread: LoopThread, coroutine: Coroutine[Any, Any, Any]) -> Any:
        if threading.current_thread() is threading.main_thread():
            opening = asyncio.current_task()
            assert opening is not None, "it is called by a task"
            opening.cancel()
        return submit(thread, coroutine)

    async def main() -> None:
        with pytest.raises(asyncio.CancelledError):
            await asyncio.ensure_future(_opened(url))

    before = len(os.listdir("/proc/self/fd")), threading.active_count()
    monkeypatch.setattr(LoopThread, "submit", cancelling)
    asyncio.run(main())
    assert (len(os.listdir("/proc/self/fd")), threading.active_count()) == before


async def _opened(url: str) -> AsyncLocalMessageStore:
    return await open_store(url)


def test_closing_wakes_followers(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who follows a store that is closed is told so at once, and not when it looks the next time."""
    monkeypatch.setattr(following, "_GLANCE_S", 3600)

    async def main() -> None:
        store = await open_store(url)
        await store.save_message("orders", event(1))
        messages = store.follow()
        assert (await anext(messages)).position == 1
        waiting = asyncio.ensure_future(_next(messages))
        await asyncio.sleep(0)
        await store.close()
        with pytest.raises(StoreClosed):
            await waiting

    asyncio.run(main())


async def _next(messages: AsyncMessages) -> PositionalMessage:
    return await anext(messages)


def test_a_save_that_waits_is_withdrawn(url: str) -> None:
    """A save that is cancelled while another is under way is not sent, and says so."""

    async def main() -> None:
        async with open_store(url) as store:
            first = asyncio.ensure_future(store.save_message("orders", event(1)))
            await asyncio.sleep(0)
            second = asyncio.ensure_future(_told(store.save_message("orders", event(2))))
            await asyncio.sleep(0)
            second.cancel()
            assert await second is None
            assert (await first).last_position == 1
            await store.flush()
            assert numbers(await listed(store.get_all_messages())) == [1]

    asyncio.run(main())


def test_a_cancelled_save_whose_answer_is_lost(server: Server) -> None:
    """A save that was sent is carried to its end over a lost connection, and its outcome is told."""
    proxy = Proxy(server.port)

    async def main() -> None:
        async with open_store(f"nats://127.0.0.1:{proxy.port}/n{os.urandom(8).hex()}") as store:
            await store.save_message("orders", event(1))
            lost = proxy.lose_answer_to(b"Msgstore-Revision")
            saving = asyncio.ensure_future(_told(store.save_message("orders", event(2))))
            while not lost.is_set():
                await asyncio.sleep(0)
            saving.cancel()
            assert (await saving).last_position == 2
            assert numbers(await listed(store.get_all_messages())) == [1, 2]

    try:
        asyncio.run(main())
    finally:
        proxy.close()


async def _told(saving: Coroutine[Any, Any, SaveResult]) -> Any:
    try:
        return await saving
    except asyncio.CancelledError as error:
        return outcome(error)


def test_a_program_that_does_not_close_its_store(url: str) -> None:
    """A program that ends with the store open, and a follower, ends and says nothing of it."""
    code = (
        "import asyncio, msgstore\nfrom msgstore.aio import open_store\n"
        "async def main():\n"
        f"    store = await open_store({url!r})\n"
        "    await store.save_message('orders', msgstore.Message('X'))\n"
        "    async for _ in store.follow(): break\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
