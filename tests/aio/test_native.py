"""A backend that is asynchronous itself keeps the contract by inheriting what they all share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from msgstore import (
    MemoryMessageStore,
    MessageFilter,
    SaveRequest,
    SaveResult,
    SessionInfo,
    StoreStats,
    StreamInfo,
)
from msgstore.aio import AsyncLocalMessageStore, AsyncMessages
from msgstore.aio.following import Follower
from msgstore.backends.async_base import AsyncBaseStore, AsyncLocalSessions, carried
from msgstore.model.arguments import Direction, check_count, check_filter, check_timeout
from msgstore.testing import AsyncStoreContract

T = TypeVar("T")


class NativeMessageStore(AsyncLocalSessions, AsyncBaseStore):
    """A store in memory whose every call is made in the loop, after others had their turn."""

    def __init__(self) -> None:
        self._inner = MemoryMessageStore()
        self._arrived = asyncio.Event()

    async def _commit(
        self, requests: Sequence[SaveRequest], *, independent: bool
    ) -> list[SaveResult]:
        await asyncio.sleep(0)
        results = self._inner._commit(requests, independent=independent)
        self._tell()
        return results

    def _tell(self) -> None:
        self._arrived.set()
        self._arrived = asyncio.Event()

    def get_messages(
        self,
        stream_id: str,
        from_revision: int | None = None,
        count: int | None = None,
        *,
        to_revision: int | None = None,
        direction: Direction = "forwards",
    ) -> AsyncMessages:
        return self._hand_out(
            self._inner.get_messages(
                stream_id, from_revision, count, to_revision=to_revision, direction=direction
            )
        )

    def get_all_messages(
        self,
        filter: MessageFilter | None = None,
        count: int | None = None,
        *,
        direction: Direction = "forwards",
    ) -> AsyncMessages:
        return self._hand_out(self._inner.get_all_messages(filter, count, direction=direction))

    async def _hand_out(self, items: Iterator[T]) -> AsyncGenerator[T, None]:
        await asyncio.sleep(
            0
        )  # where there are no items too: else who reads again and again is alone
        for number, item in enumerate(items, start=1):
            if number % 64 == 0:
                await asyncio.sleep(0)
            yield item

    def follow(
        self,
        filter: MessageFilter | None = None,
        from_position: int | None = None,
        timeout: float | None = None,
    ) -> AsyncMessages:
        self._inner.flush()  # refuses if it is closed
        first = check_count(from_position, "from_position") or 1
        follower = Follower(
            self._inner,
            lambda wanted, note: self._inner.get_all_messages(wanted),
            check_filter(filter),
            first,
        )
        return self._follow(follower, check_timeout(timeout))

    async def _follow(self, follower: Follower, timeout_s: float | None) -> AsyncMessages:
        now_s = asyncio.get_running_loop().time
        until_s = None if timeout_s is None else now_s() + timeout_s
        while True:
            is_last = until_s is not None and now_s() >= until_s
            arrived = self._arrived
            found = follower.look()
            for item in found:
                assert not isinstance(item, Exception)
                yield item
                until_s = None if timeout_s is None else now_s() + timeout_s
            if not found and is_last:
                return
            if not found:
                left_s = None if until_s is None else until_s - now_s()
                try:
                    async with asyncio.timeout(left_s):
                        await arrived.wait()
                except TimeoutError:
                    continue

    async def get_stream_info(self, stream_id: str) -> StreamInfo | None:
        return self._inner.get_stream_info(stream_id)

    def get_streams(self) -> AsyncGenerator[StreamInfo, None]:
        return self._hand_out(self._inner.get_streams())

    async def get_stats(self) -> StoreStats:
        return self._inner.get_stats()

    # ------------------------------------------------------------ sessions

    async def _require_session(self, session_id: str) -> None:
        self._inner.get_session_info(session_id)

    @property
    def current_session(self) -> str | None:
        return self._inner.current_session

    async def create_session(
        self, name: str | None = None, labels: Mapping[str, str] | None = None
    ) -> str:
        async def create() -> str:
            await asyncio.sleep(0)
            return self._inner.create_session(name, labels)

        return await carried(create())

    async def use_session(self, session_id: str | None) -> None:
        self._inner.use_session(session_id)

    async def end_session(self, session_id: str, status: str | None = None) -> None:
        self._inner.end_session(session_id, status)

    async def active_session(self) -> str | None:
        return self._inner.active_session()

    async def activate_session(self, session_id: str) -> None:
        self._inner.activate_session(session_id)

    async def get_sessions(self) -> list[SessionInfo]:
        return self._inner.get_sessions()

    async def get_session_info(self, session_id: str) -> SessionInfo:
        return self._inner.get_session_info(session_id)

    # ------------------------------------------------------------ the object

    async def reset(self) -> None:
        self._inner.reset()
        self._tell()

    async def flush(self) -> None:
        self._inner.flush()

    async def close(self) -> None:
        self._inner.close()
        self._tell()


class TestNativeMessageStore(AsyncStoreContract):
    """Every claim."""

    async def make_async_store(self, tmp_path: Path) -> AsyncLocalMessageStore:
        return NativeMessageStore()
