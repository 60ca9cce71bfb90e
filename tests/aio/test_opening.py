"""Opening stores for asyncio: by URL, cancelled, refused, and what they have besides."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from msgstore import (
    FileMessageStore,
    InvalidArgument,
    MemoryMessageStore,
    StoreClosed,
    StoreNotFound,
)
from msgstore.aio import AsyncLocalMessageStore, ThreadedMessageStore, open_store
from msgstore.testing.claims.base import event, events, numbers
from msgstore.testing.claims.cancelling import listed

from .harness import PATIENCE_S, file_store, open_files, our_threads, until

# ---------------------------------------------------------------- opening


def test_opening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is awaited, or heads a block that closes it; options and the environment are those of
    the synchronous one."""
    monkeypatch.setenv("MSGSTORE_CORRELATION_ID", "c-1")

    async def main() -> None:
        store = await open_store(str(tmp_path / "store"), durability="os", threads=2)
        await store.save_message("a", event(1))
        await store.close()
        async with open_store(str(tmp_path / "store"), create=False) as store:
            [stored] = await listed(store.get_all_messages())
            assert stored.message.correlation_id == "c-1"
        with pytest.raises(StoreClosed):
            await store.get_stats()
        with pytest.raises(StoreNotFound):
            await open_store(str(tmp_path / "nowhere"), create=False)
        with pytest.raises(InvalidArgument):
            await open_store("memory:", threads=0)
        assert our_threads() == []

    asyncio.run(main())


def test_opening_that_is_cancelled(tmp_path: Path) -> None:
    """Whenever it is cancelled, no thread and no file is left."""

    async def main(turns: int) -> None:
        task = asyncio.ensure_future(_opened(tmp_path))
        for _ in range(turns):
            await asyncio.sleep(0.0005)
        task.cancel()
        try:
            await (await task).close()
        except asyncio.CancelledError:
            return

    asyncio.run(main(100))
    before = open_files()
    for turns in range(12):
        asyncio.run(main(turns))
        assert (our_threads(), open_files()) == ([], before)


class Noting(MemoryMessageStore):
    """Notes that it was closed, and can be no asynchronous store."""

    is_closed = False

    def close(self) -> None:
        self.is_closed = True
        super().close()

    def as_async(self) -> Any:
        raise OSError("no loop for it")


def test_opening_that_is_cancelled_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that was opened after all is closed."""
    opened, has_begun, may_go_on = Noting(), threading.Event(), threading.Event()

    def open_slowly(url: str, **options: Any) -> MemoryMessageStore:
        has_begun.set()
        assert may_go_on.wait(PATIENCE_S)
        return opened

    monkeypatch.setattr("msgstore.aio.opening.open_sync", open_slowly)

    async def main() -> None:
        task = asyncio.ensure_future(_opened(Path("anywhere")))
        await until(has_begun.is_set)
        task.cancel()
        await asyncio.sleep(0)
        may_go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert opened.is_closed
    assert our_threads() == []


def test_opening_that_fails_in_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that cannot be made asynchronous is closed, and the error told."""
    opened = Noting()
    monkeypatch.setattr("msgstore.aio.opening.open_sync", lambda url, **options: opened)
    with pytest.raises(OSError, match="no loop for it"):
        asyncio.run(_opened(Path("anywhere")))
    assert opened.is_closed
    assert our_threads() == []


async def _opened(path: Path) -> AsyncLocalMessageStore:
    return await open_store(str(path / "store"), durability="os")


@pytest.mark.parametrize("is_awaited", [True, False])
def test_a_backend_that_is_asynchronous_itself(
    monkeypatch: pytest.MonkeyPatch, is_awaited: bool
) -> None:
    """What a backend offers by `as_async` is used as it is, on no thread of ours."""
    own = ThreadedMessageStore(MemoryMessageStore())

    class Native(MemoryMessageStore):
        def as_async(self) -> Any:
            return self._own() if is_awaited else own

        async def _own(self) -> Any:
            return own

    monkeypatch.setattr("msgstore.aio.opening.open_sync", lambda url, **options: Native())

    async def main() -> None:
        async with open_store("native:") as store:
            assert store is own

    asyncio.run(main())


def test_a_pack_on_threads(tmp_path: Path) -> None:
    """Every backend is served: a pack is read, and refuses to be followed."""
    import msgstore
    from msgstore.exchange import encoders

    with FileMessageStore(tmp_path / "store", durability="os") as source:
        source.save_messages("a", events(1, 2))
        encoder = encoders.Pack(list)
        data = b"".join([*map(encoder.add, source.get_all_messages()), encoder.end()])
    tmp_path.joinpath("a.msgpack").write_bytes(data)

    async def main() -> None:
        async with open_store(str(tmp_path / "a.msgpack")) as store:
            assert numbers(await listed(store.get_all_messages())) == [1, 2]
            with pytest.raises(msgstore.ReadOnlyStore):
                await anext(store.follow())

    asyncio.run(main())


def test_what_a_store_has_besides(tmp_path: Path) -> None:
    """`run` calls anything of the synchronous store on a thread."""

    async def main() -> None:
        async with file_store(tmp_path) as store:
            await store.save_messages("a", events(1, 2))
            assert (await store.run(lambda inner: inner.verify())).messages == 2
            assert await store.run(lambda inner: inner.path) == store.store.path

    asyncio.run(main())
