"""An asynchronous store as a synchronous one, so that every claim of the contract can be put to it."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import (
    AsyncGenerator,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager
from datetime import UTC, tzinfo
from functools import cache
from types import TracebackType
from typing import Any, Generic, ParamSpec, Self, TypeVar

from msgstore.backends.async_protocol import AsyncLocalMessageStore, AsyncTransaction
from msgstore.backends.protocol import Group, Transaction
from msgstore.model.arguments import Direction
from msgstore.model.expectation import ExpectedRevision
from msgstore.model.filter import MessageFilter
from msgstore.model.message import Message, MessageType, PositionalMessage
from msgstore.model.results import SessionInfo, StoreStats, StreamInfo
from msgstore.model.saved import SaveResult
from msgstore.model.saving import SaveRequest

T = TypeVar("T")
P = ParamSpec("P")

PATIENCE_S = 120
"""How long a call may take: only a failing test takes so long."""
_AT_ONCE = 256


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """An event loop that runs on a thread of its own while the tests do."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="tests-loop", daemon=True).start()
    return loop


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """What the coroutine returns, run by the loop of the tests. For any thread but the loop's."""
    return asyncio.run_coroutine_threadsafe(coroutine, _loop()).result(PATIENCE_S)


def in_loop(claim: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Makes a test of a coroutine."""

    def test(*args: P.args, **named: P.kwargs) -> None:
        run(claim(*args, **named))

    test.__wrapped__ = claim  # type: ignore[attr-defined]  # pytest asks it for its fixtures
    test.__name__, test.__doc__ = claim.__name__, claim.__doc__
    return test


class SyncFace:
    """A LocalMessageStore that asks `inner`, in the loop of the tests."""

    def __init__(self, inner: AsyncLocalMessageStore) -> None:
        self.inner = inner

    # ------------------------------------------------------------ saving

    def save_message(
        self,
        stream_id: str,
        message: Message,
        expected_revision: ExpectedRevision = None,
        message_type: MessageType | str | None = None,
    ) -> SaveResult:
        return run(self.inner.save_message(stream_id, message, expected_revision, message_type))

    def save_messages(
        self,
        stream_id: str,
        messages: Iterable[Message],
        expected_revision: ExpectedRevision = None,
        message_type: MessageType | str | None = None,
    ) -> SaveResult:
        return run(self.inner.save_messages(stream_id, messages, expected_revision, message_type))

    def save_each(self, requests: Sequence[SaveRequest]) -> list[SaveResult]:
        return run(self.inner.save_each(requests))

    def transaction(self) -> Transaction:
        return _SyncTransaction(self.inner.transaction())

    # ------------------------------------------------------------ reading

    def get_messages(
        self,
        stream_id: str,
        from_revision: int | None = None,
        count: int | None = None,
        *,
        to_revision: int | None = None,
        direction: Direction = "forwards",
    ) -> Iterator[PositionalMessage]:
        return _Read(
            self.inner.get_messages(
                stream_id, from_revision, count, to_revision=to_revision, direction=direction
            )
        )

    def get_all_messages(
        self,
        filter: MessageFilter | None = None,
        count: int | None = None,
        *,
        direction: Direction = "forwards",
    ) -> Iterator[PositionalMessage]:
        return _Read(self.inner.get_all_messages(filter, count, direction=direction))

    def get_all_commands(
        self,
        filter: MessageFilter | None = None,
        count: int | None = None,
        *,
        direction: Direction = "forwards",
    ) -> Iterator[PositionalMessage]:
        return _Read(self.inner.get_all_commands(filter, count, direction=direction))

    def get_all_events(
        self,
        filter: MessageFilter | None = None,
        count: int | None = None,
        *,
        direction: Direction = "forwards",
    ) -> Iterator[PositionalMessage]:
        return _Read(self.inner.get_all_events(filter, count, direction=direction))

    def get_session_messages(
        self,
        session_id: str,
        filter: MessageFilter | None = None,
        count: int | None = None,
        *,
        direction: Direction = "forwards",
    ) -> Iterator[PositionalMessage]:
        """Asks for the first at once: only then can an asynchronous store look for the session."""
        read = self.inner.get_session_messages(session_id, filter, count, direction=direction)
        return _Read(read).begin()

    def get_message(self, position: int) -> PositionalMessage | None:
        return run(self.inner.get_message(position))

    def count_messages(self, filter: MessageFilter | None = None) -> int:
        return run(self.inner.count_messages(filter))

    def count_by(
        self, group: Group, filter: MessageFilter | None = None, *, zone: tzinfo = UTC
    ) -> dict[str, int]:
        return run(self.inner.count_by(group, filter, zone=zone))

    def get_stream_info(self, stream_id: str) -> StreamInfo | None:
        return run(self.inner.get_stream_info(stream_id))

    def get_streams(self) -> Iterator[StreamInfo]:
        return _Read(self.inner.get_streams())

    def get_stats(self) -> StoreStats:
        return run(self.inner.get_stats())

    def follow(
        self,
        filter: MessageFilter | None = None,
        from_position: int | None = None,
        timeout: float | None = None,
    ) -> Iterator[PositionalMessage]:
        return _Read(self.inner.follow(filter, from_position, timeout), at_once=1)

    # ------------------------------------------------------------ sessions

    @property
    def current_session(self) -> str | None:
        return self.inner.current_session

    def create_session(
        self, name: str | None = None, labels: Mapping[str, str] | None = None
    ) -> str:
        return run(self.inner.create_session(name, labels))

    def use_session(self, session_id: str | None) -> None:
        run(self.inner.use_session(session_id))

    def end_session(self, session_id: str, status: str | None = None) -> None:
        run(self.inner.end_session(session_id, status))

    def session(
        self, name: str | None = None, labels: Mapping[str, str] | None = None
    ) -> AbstractContextManager[str]:
        return _block(self.inner.session(name, labels))

    def active_session(self) -> str | None:
        return run(self.inner.active_session())

    def activate_session(self, session_id: str) -> None:
        run(self.inner.activate_session(session_id))

    def get_sessions(self) -> list[SessionInfo]:
        return run(self.inner.get_sessions())

    def get_session_info(self, session_id: str) -> SessionInfo:
        return run(self.inner.get_session_info(session_id))

    # ------------------------------------------------------------ the object

    def reset(self) -> None:
        run(self.inner.reset())

    def flush(self) -> None:
        run(self.inner.flush())

    def close(self) -> None:
        run(self.inner.close())

    def __enter__(self) -> Self:
        run(self.inner.__aenter__())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        run(self.inner.__aexit__(kind, error, trace))


class _Read(Generic[T]):
    """Iterates over what the loop gives, some at once: a hand-over for each would take long."""

    def __init__(self, items: AsyncGenerator[T, None], at_once: int = _AT_ONCE) -> None:
        self._items = items
        self._at_once = at_once
        self._taken: deque[T] = deque()
        self._error: Exception | None = None

    def begin(self) -> Self:
        self._taken.extend(run(self._take()))
        if self._error is not None and not self._taken:
            raise self._error
        return self

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        if not self._taken:
            self.begin()
        if not self._taken:
            raise StopIteration
        return self._taken.popleft()

    async def _take(self) -> list[T]:
        taken: list[T] = []
        try:
            while self._error is None and len(taken) < self._at_once:
                taken.append(await anext(self._items))
        except StopAsyncIteration:
            pass
        except Exception as error:
            self._error = error  # behind what came before it
        return taken


class _SyncTransaction:
    def __init__(self, inner: AsyncTransaction) -> None:
        self.results: list[SaveResult] = []
        self._inner = inner

    def save_message(
        self,
        stream_id: str,
        message: Message,
        expected_revision: ExpectedRevision = None,
        message_type: MessageType | str | None = None,
    ) -> None:
        self._inner.save_message(stream_id, message, expected_revision, message_type)

    def save_messages(
        self,
        stream_id: str,
        messages: Iterable[Message],
        expected_revision: ExpectedRevision = None,
        message_type: MessageType | str | None = None,
    ) -> None:
        self._inner.save_messages(stream_id, messages, expected_revision, message_type)

    def __enter__(self) -> Self:
        run(self._inner.__aenter__())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        run(self._inner.__aexit__(kind, error, trace))
        self.results = list(self._inner.results)


@contextmanager
def _block(inner: AbstractAsyncContextManager[T]) -> Iterator[T]:
    entered = run(inner.__aenter__())
    try:
        yield entered
    except BaseException as error:
        run(inner.__aexit__(type(error), error, error.__traceback__))
        raise
    run(inner.__aexit__(None, None, None))
