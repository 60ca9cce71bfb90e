"""`open_store` for programs on asyncio."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Awaitable, Generator
from inspect import isawaitable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from msgstore.aio.threaded import THREADS, ThreadedMessageStore
from msgstore.aio.threads import Threads
from msgstore.backends.async_protocol import AsyncLocalMessageStore, CameTooLate
from msgstore.backends.registry import open_store as open_sync

if TYPE_CHECKING:
    from msgstore.backends.protocol import LocalMessageStore


class Opening(Awaitable[AsyncLocalMessageStore]):
    """A store about to be opened: `await` it, or use it as the head of an `async with`."""

    def __init__(self, url: str | None, threads: int, options: dict[str, Any]) -> None:
        self._url = url
        self._thread_count = threads
        self._options = options
        self._store: AsyncLocalMessageStore | None = None

    def __await__(self) -> Generator[Any, None, AsyncLocalMessageStore]:
        return self._open().__await__()

    async def __aenter__(self) -> AsyncLocalMessageStore:
        self._store = await self._open()
        return self._store

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._store is not None, "it was entered"
        await self._store.close()

    async def _open(self) -> AsyncLocalMessageStore:
        """Whatever ends it, a store that was opened is handed on or closed."""
        opener = Threads(self._thread_count, "store")
        try:
            opened = await self._open_sync(opener)
            try:
                store = await self._to_async(opened)
            except BaseException:  # cancelled too: what was opened is closed
                await opener.change(opened.close, may_be_withdrawn=False)
                raise
        except BaseException:  # cancelled too: no thread is left
            await opener.close(lambda: None)
            raise
        try:
            await opener.close(lambda: None)
        except CancelledError:  # at the last moment: nobody would close the store
            await store.close()
            raise
        return store

    async def _open_sync(self, opener: Threads) -> LocalMessageStore:
        try:
            return await opener.change(lambda: open_sync(self._url, **self._options))
        except CancelledError as error:
            if isinstance(error.__cause__, CameTooLate):
                opened = error.__cause__.result
                await opener.change(opened.close, may_be_withdrawn=False)
            raise

    async def _to_async(self, opened: LocalMessageStore) -> AsyncLocalMessageStore:
        """What the backend offers as its asynchronous self, else the store on threads."""
        if (offer := getattr(opened, "as_async", None)) is None:
            return ThreadedMessageStore(opened, threads=self._thread_count)
        offered = offer()
        store: AsyncLocalMessageStore = await offered if isawaitable(offered) else offered
        return store


def open_store(url: str | None = None, *, threads: int = THREADS, **options: Any) -> Opening:
    """The store that `url` names, as `msgstore.open_store` has it, with the same options.

    `store = await open_store(…)`, or `async with open_store(…) as store:`. A backend that is
    asynchronous itself is used directly; for all others at most `threads` threads make changes, and
    as many read.
    """
    return Opening(url, threads, options)
