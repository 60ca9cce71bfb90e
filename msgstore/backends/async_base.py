"""What every asynchronous backend shares: `BaseStore` and `LocalSessions`, awaited.

A backend implements the methods that raise NotImplementedError here, and inherits the rest.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, suppress
from dataclasses import replace
from datetime import UTC, tzinfo
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from msgstore.backends.async_protocol import AsyncMessages, CameTooLate
from msgstore.backends.base import check_group, group_key, in_group_order
from msgstore.model.arguments import Direction, check_count, check_filter
from msgstore.model.errors import (
    InvalidArgument,
    MsgStoreError,
    RequestError,
    SessionEnded,
    SessionNotFound,
)
from msgstore.model.expectation import ExpectedRevision
from msgstore.model.filter import MessageFilter
from msgstore.model.message import NO_SESSION, Message, MessageType, PositionalMessage
from msgstore.model.saved import SaveResult
from msgstore.model.saving import SaveRequest

if TYPE_CHECKING:
    from msgstore.backends.protocol import Group
    from msgstore.model.context import SaveContext

T = TypeVar("T")


async def carried(work: Coroutine[Any, Any, T]) -> T:
    """What a change returns, carried to its end however often the caller is cancelled.

    The cause of the CancelledError is then what came of it.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError as cancelled:
        while not task.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        if task.cancelled():
            raise
        if (error := task.exception()) is not None:
            raise cancelled from error
        raise cancelled from CameTooLate(task.result())


class AsyncBaseStore:
    """The conveniences of AsyncMessageStore over `_commit`, `_require_session` and `get_all_messages`."""

    # ------------------------------------------------------------ what a backend supplies

    async def _commit(
        self, requests: Sequence[SaveRequest], *, independent: bool
    ) -> list[SaveResult]:
        """Writes all requests or none, atomically; `independent` as in `plan_saves`.

        It is never cancelled.
        """
        raise NotImplementedError

    def get_all_messages(
        self,
        filter: MessageFilter | None = None,
        count: int | None = None,
        *,
        direction: Direction = "forwards",
    ) -> AsyncMessages:
        raise NotImplementedError

    async def _require_session(self, session_id: str) -> None:
        """Raises SessionNotFound unless there is such a session, open or ended."""
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError

    # ------------------------------------------------------------ saving

    _context: SaveContext | None = None

    def use_context(self, context: SaveContext | None) -> None:
        """From now on messages are given what they do not say themselves; None: nothing."""
        self._context = context

    async def _save(
        self, requests: Sequence[SaveRequest], *, independent: bool
    ) -> list[SaveResult]:
        if self._context is not None:
            requests = self._context.fill_requests(requests)
        return await carried(self._commit(requests, independent=independent))

    async def save_message(
        self,
        stream_id: str,
        message: Message,
        expected_revision: ExpectedRevision = None,
        message_type: MessageType | str | None = None,
    ) -> SaveResult:
        return await self.save_messages(stream_id, (message,), expected_revision, message_type)

    async def save_messages(
        self,
        stream_id: str,
        messages: Iterable[Message],
        expected_revision: ExpectedRevision = None,
        message_type: MessageType | str | None = None,
    ) -> SaveResult:
        request = SaveRequest.of(stream_id, messages, expected_revision, message_type)
        try:
            return (await self._save((request,), independent=False))[0]
        except asyncio.CancelledError as cancelled:
            if isinstance(cause := cancelled.__cause__, CameTooLate):
                raise cancelled from CameTooLate(cause.result[0])
            raise

    async def save_each(self, requests: Sequence[SaveRequest]) -> list[SaveResult]:
        return await self._save(requests, independent=True) if requests else []

    def transaction(self) -> AsyncBufferedTransaction:
        return AsyncBufferedTransaction(self)

    # ------------------------------------------------------------ reading

    def get_all_commands(
        self,
        filter: MessageFilter | None = None,
        count: int | None = None,
        *,
        direction: Direction = "forwards",
    ) -> AsyncMessages:
        return self._get_kind(MessageType.COMMAND, filter, count, direction)

    def get_all_events(
        self,
        filter: MessageFilter | None = None,
        count: int | None = None,
        *,
        direction: Direction = "forwards",
    ) -> AsyncMessages:
        return self._get_kind(MessageType.EVENT, filter, count, direction)

    def _get_kind(
        self,
        kind: MessageType,
        filter: MessageFilter | None,
        count: int | None,
        direction: Direction,
    ) -> AsyncMessages:
        wanted = check_filter(filter)
        if wanted.kind not in (None, kind):
            check_count(count)
            count = 0  # no message is of two kinds
        return self.get_all_messages(replace(wanted, message_type=kind), count, direction=direction)

    def get_session_messages(
        self,
        session_id: str,
        filter: MessageFilter | None = None,
        count: int | None = None,
        *,
        direction: Direction = "forwards",
    ) -> AsyncMessages:
        wanted = check_filter(filter)
        if wanted.session_id not in (None, session_id):
            check_count(count)
            count = 0  # no message is of two sessions
        of_session = replace(wanted, session_id=session_id)
        messages = self.get_all_messages(of_session, count, direction=direction)
        return self._of_session(session_id, messages)

    async def _of_session(self, session_id: str, messages: AsyncMessages) -> AsyncMessages:
        if session_id != NO_SESSION:
            await self._require_session(session_id)
        async with aclosing(messages):
            async for stored in messages:
                yield stored

    async def get_message(self, position: int) -> PositionalMessage | None:
        if isinstance(position, bool) or not isinstance(position, int) or position < 1:
            raise InvalidArgument("position", f"{position!r} is not a position")
        only = MessageFilter(from_position=position, to_position=position)
        async with aclosing(self.get_all_messages(only, 1)) as messages:
            return await anext(messages, None)

    async def count_messages(self, filter: MessageFilter | None = None) -> int:
        count = 0
        async for _ in self.get_all_messages(filter):
            count += 1
        return count

    async def count_by(
        self, group: Group, filter: MessageFilter | None = None, *, zone: tzinfo = UTC
    ) -> dict[str, int]:
        check_group(group)
        counts: Counter[str] = Counter()
        async for stored in self.get_all_messages(filter):
            counts[group_key(stored, group, zone)] += 1
        return in_group_order(counts, group)

    # ------------------------------------------------------------ the object

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


class AsyncBufferedTransaction:
    """Gathers saves and commits them together when the block ends; an error discards them."""

    def __init__(self, store: AsyncBaseStore) -> None:
        self.results: list[SaveResult] = []
        self._store = store
        self._requests: list[SaveRequest] | None = []

    def save_message(
        self,
        stream_id: str,
        message: Message,
        expected_revision: ExpectedRevision = None,
        message_type: MessageType | str | None = None,
    ) -> None:
        self.save_messages(stream_id, (message,), expected_revision, message_type)

    def save_messages(
        self,
        stream_id: str,
        messages: Iterable[Message],
        expected_revision: ExpectedRevision = None,
        message_type: MessageType | str | None = None,
    ) -> None:
        if self._requests is None:
            raise RequestError("the transaction is over")
        self._requests.append(SaveRequest.of(stream_id, messages, expected_revision, message_type))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        requests, self._requests = self._requests, None
        if error is None and requests:
            self.results = await self._store._save(requests, independent=False)


class AsyncLocalSessions:
    """`session()` for every local store."""

    @property
    def current_session(self) -> str | None:
        raise NotImplementedError

    async def create_session(
        self, name: str | None = None, labels: Mapping[str, str] | None = None
    ) -> str:
        """To be carried to its end, as every change."""
        raise NotImplementedError

    async def use_session(self, session_id: str | None) -> None:
        raise NotImplementedError

    async def end_session(self, session_id: str, status: str | None = None) -> None:
        raise NotImplementedError

    def session(
        self, name: str | None = None, labels: Mapping[str, str] | None = None
    ) -> AbstractAsyncContextManager[str]:
        """As the protocol has it. The session that was current before is current again after."""
        return _SessionBlock(self, name, labels)


class _SessionBlock(AbstractAsyncContextManager[str]):
    def __init__(
        self, store: AsyncLocalSessions, name: str | None, labels: Mapping[str, str] | None
    ) -> None:
        self._store = store
        self._name = name
        self._labels = labels
        self._before: str | None = None
        self._session_id = ""

    async def __aenter__(self) -> str:
        self._before = self._store.current_session
        try:
            self._session_id = await self._store.create_session(self._name, self._labels)
        except asyncio.CancelledError as error:
            if isinstance(error.__cause__, CameTooLate):  # it was started, and nobody would end it
                self._session_id = error.__cause__.result
                await carried(self._leave("failed"))
            raise
        return self._session_id

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            await carried(self._leave("ok"))
            return
        # The block's own error is the one to report, whatever else fails on the way out.
        with suppress(MsgStoreError):
            await carried(self._leave("failed"))

    async def _leave(self, status: str) -> None:
        """Ends the session unless the block, or someone else, ended it or emptied the store."""
        with suppress(SessionEnded, SessionNotFound):
            await self._store.end_session(self._session_id, status)
        if self._store.current_session in (None, self._session_id):
            try:
                await self._store.use_session(self._before)
            except (SessionEnded, SessionNotFound):
                await self._store.use_session(None)
