"""The store on NATS for programs on asyncio: an AsyncLocalMessageStore over `NatsCore`, without threads."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING

from msgstore.backends.async_base import AsyncBaseStore, AsyncLocalSessions, carried
from msgstore.backends.async_protocol import AsyncMessages
from msgstore.backends.base import in_group_order
from msgstore.backends.nats.core import NatsCore
from msgstore.backends.nats.following import Following
from msgstore.backends.nats.iterating import Reading
from msgstore.backends.nats.records import Limits
from msgstore.model.arguments import Direction, check_filter
from msgstore.model.filter import MessageFilter
from msgstore.model.results import SessionInfo, StoreStats, StreamInfo, VerifyReport
from msgstore.model.saved import SaveResult
from msgstore.model.saving import SaveRequest

if TYPE_CHECKING:
    from msgstore.backends.protocol import Group


class AsyncNatsMessageStore(AsyncLocalSessions, AsyncBaseStore):
    """For any number of tasks of the loop in which `core` was opened; closing it closes that.

    Tasks that save at the same time share a commit. A save that is cancelled while it waits for the
    commit before is withdrawn; one that was sent is carried to its end.
    """

    def __init__(self, core: NatsCore, session_id: str | None = None) -> None:
        """`session_id` is the current session, unseen: if it is not open, a save says so."""
        self._core = core
        self._current = session_id

    @property
    def url(self) -> str:
        """Where it is, without what says who asks."""
        return self._core.address.shown

    @property
    def limits(self) -> Limits:
        """What one commit and one message may be at most."""
        return self._core.limits

    async def store_id(self) -> str | None:
        """The store's uuid, or None while there is none yet. `reset` gives it a new one."""
        return await self._core.store_id()

    # ------------------------------------------------------------ saving

    async def _save(
        self, requests: Sequence[SaveRequest], *, independent: bool
    ) -> list[SaveResult]:
        """Not under `carried`: the core knows which saves can still be withdrawn."""
        if self._context is not None:
            requests = self._context.fill_requests(requests)
        return await self._commit(requests, independent=independent)

    async def _commit(
        self, requests: Sequence[SaveRequest], *, independent: bool
    ) -> list[SaveResult]:
        session_id = self._current
        return await self._core.save(requests, independent=independent, session_id=session_id)

    # ------------------------------------------------------------ reading

    def get_messages(
        self,
        stream_id: str,
        from_revision: int | None = None,
        count: int | None = None,
        *,
        to_revision: int | None = None,
        direction: Direction = "forwards",
    ) -> AsyncMessages:
        return _hand_out(
            self._core.get_messages(
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
        return _hand_out(self._core.get_all_messages(filter, count, direction=direction))

    def follow(
        self,
        filter: MessageFilter | None = None,
        from_position: int | None = None,
        timeout: float | None = None,
    ) -> AsyncMessages:
        """As the protocol has it. After a `reset` it goes on with the new first message."""
        return _follow(self._core.follow(filter, from_position, timeout))

    async def count_messages(self, filter: MessageFilter | None = None) -> int:
        return await self._core.count_messages(filter)

    async def count_by(
        self, group: Group, filter: MessageFilter | None = None, *, zone: tzinfo = UTC
    ) -> dict[str, int]:
        if group == "stream" and check_filter(filter) == MessageFilter():
            infos = await self._core.get_streams()
            return in_group_order({info.stream_id: info.message_count for info in infos}, group)
        return await super().count_by(group, filter, zone=zone)

    async def _require_session(self, session_id: str) -> None:
        await self._core.require_session(session_id)

    # ------------------------------------------------------------ streams and totals

    async def get_stream_info(self, stream_id: str) -> StreamInfo | None:
        return await self._core.get_stream_info(stream_id)

    def get_streams(self) -> AsyncGenerator[StreamInfo, None]:
        self._core.check_open()
        return self._hand_out_streams()

    async def _hand_out_streams(self) -> AsyncGenerator[StreamInfo, None]:
        for info in await self._core.get_streams():
            yield info

    async def get_stats(self) -> StoreStats:
        """As the protocol has it. `disk_bytes` is what one replica takes, as its server says."""
        return await self._core.get_stats()

    async def verify(self, stream_id: str | None = None, quick: bool = False) -> VerifyReport:
        """Reads everything, or one stream, and says what is not as it must be. Changes nothing."""
        return await self._core.verify(stream_id, quick)

    # ------------------------------------------------------------ sessions

    @property
    def current_session(self) -> str | None:
        return self._current

    async def create_session(
        self, name: str | None = None, labels: Mapping[str, str] | None = None
    ) -> str:
        async def create() -> str:
            self._current = await self._core.create_session(name, labels)
            return self._current

        return await carried(create())

    async def use_session(self, session_id: str | None) -> None:
        if session_id is not None:
            await self._core.require_session(session_id, is_open=True)
        self._current = session_id

    async def end_session(self, session_id: str, status: str | None = None) -> None:
        async def end() -> None:
            await self._core.end_session(session_id, status)
            if self._current == session_id:
                self._current = None

        await carried(end())

    async def active_session(self) -> str | None:
        return await self._core.active_session()

    async def activate_session(self, session_id: str) -> None:
        await carried(self._core.activate_session(session_id))

    async def get_sessions(self) -> list[SessionInfo]:
        return await self._core.get_sessions()

    async def get_session_info(self, session_id: str) -> SessionInfo:
        return await self._core.get_session_info(session_id)

    # ------------------------------------------------------------ the object

    async def reset(self) -> None:
        async def reset() -> None:
            await self._core.reset()
            self._current = None

        await carried(reset())

    async def flush(self) -> None:
        await carried(self._core.flush())

    async def close(self) -> None:
        await carried(self._core.close())


async def _hand_out(reading: Reading) -> AsyncMessages:
    while page := await reading.next():
        for stored in page:
            yield stored


async def _follow(following: Following) -> AsyncMessages:
    try:
        while (page := await following.next()) is not None:
            for stored in page:
                yield stored
    finally:
        await following.close()
