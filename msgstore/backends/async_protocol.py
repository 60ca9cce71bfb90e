"""What a message store promises to programs on asyncio: `MessageStore` and `LocalMessageStore`, awaited.

`msgstore.aio` has it for every backend, on threads. A backend that is asynchronous itself implements
this, and offers it by a method `as_async()` of its synchronous face. `AsyncStoreContract` in
`msgstore.testing` shows whether it keeps it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, tzinfo
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeAlias, runtime_checkable

from msgstore.model.arguments import Direction
from msgstore.model.expectation import ExpectedRevision
from msgstore.model.message import Message, MessageType, PositionalMessage
from msgstore.model.saved import SaveResult

if TYPE_CHECKING:
    from msgstore.backends.protocol import Group
    from msgstore.model.filter import MessageFilter
    from msgstore.model.results import SessionInfo, StoreStats, StreamInfo
    from msgstore.model.saving import SaveRequest

AsyncMessages: TypeAlias = AsyncGenerator[PositionalMessage, None]
"""What a read gives, for `async for`. It holds nothing that another task waits for; left in the
middle it is closed by `aclose()`, or by the loop."""


class NotBegun(Exception):
    """A change was cancelled before it had begun, and is not made: the cause of its CancelledError."""


class CameTooLate(Exception):
    """A change was cancelled when it could no longer be stopped, and stands: `result`.

    The cause of its CancelledError.
    """

    def __init__(self, result: Any) -> None:
        super().__init__(f"it was done before it could be cancelled: {result}")
        self.result = result


def outcome(error: BaseException) -> Any:
    """What a change came to that ended with `error`, a CancelledError or the TimeoutError made of it.

    Its result where it stands all the same, None where nothing was changed. Raises the error of a
    change that was refused meanwhile; and OutcomeUnknown where the error does not say, as the one
    that `asyncio.gather` puts in its place: ask in the task that was cancelled.
    """
    from msgstore.model.errors import MsgStoreError, OutcomeUnknown

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, CameTooLate):
            return cause.result
        if isinstance(cause, NotBegun):
            return None
        if isinstance(cause, MsgStoreError):
            raise cause
        cause = cause.__cause__
    raise OutcomeUnknown("store", f"{type(error).__name__} does not say what came of the change")


class AsyncTransaction(Protocol):
    """Saves to any streams that are committed together when the `async with` block ends.

    It only gathers, so the saves are not awaited. An error in the block, and a cancellation, discard
    them. `results` holds one SaveResult per save, in order, once it is committed.
    """

    @property
    def results(self) -> list[SaveResult]: ...

    def save_message(
        self,
        stream_id: str,
        message: Message,
        expected_revision: ExpectedRevision = None,
        message_type: MessageType | str | None = None,
    ) -> None: ...

    def save_messages(
        self,
        stream_id: str,
        messages: Iterable[Message],
        expected_revision: ExpectedRevision = None,
        message_type: MessageType | str | None = None,
    ) -> None: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


@runtime_checkable
class AsyncMessageStore(Protocol):
    """Streams of messages with revisions, and one order over all of them. For any number of tasks.

    A save is on record, as durably as the store was opened for, when it has been awaited. Reads take
    no lock, never see half a batch, and fetch as the caller iterates: what they look at is settled
    when the first message is asked for. Wrong arguments are refused at the call.

    **Cancellation.** A change (a save, a transaction, a session, `flush`, `reset`) that is cancelled
    before it has begun is not made. One that has begun is carried to its end first, and is never
    half done: `outcome` of the error says which. A read that is cancelled changes nothing.
    """

    async def save_message(
        self,
        stream_id: str,
        message: Message,
        expected_revision: ExpectedRevision = None,
        message_type: MessageType | str | None = None,
    ) -> SaveResult:
        """Appends one message. Raises WrongExpectedRevision, DuplicateMessageId, InvalidMessage."""
        ...

    async def save_messages(
        self,
        stream_id: str,
        messages: Iterable[Message],
        expected_revision: ExpectedRevision = None,
        message_type: MessageType | str | None = None,
    ) -> SaveResult:
        """Appends all or none, with contiguous revisions and positions and one timestamp."""
        ...

    async def save_each(self, requests: Sequence[SaveRequest]) -> list[SaveResult]:
        """Commits independent saves together, each judged on its own, in order.

        If one is refused, nothing is written and the error's `request_index` names it.
        """
        ...

    def transaction(self) -> AsyncTransaction:
        """Groups saves to several streams into one atomic commit."""
        ...

    def get_messages(
        self,
        stream_id: str,
        from_revision: int | None = None,
        count: int | None = None,
        *,
        to_revision: int | None = None,
        direction: Direction = "forwards",
    ) -> AsyncMessages:
        """The messages of one stream between two revisions, inclusive; none if it is unknown."""
        ...

    def get_all_messages(
        self,
        filter: MessageFilter | None = None,
        count: int | None = None,
        *,
        direction: Direction = "forwards",
    ) -> AsyncMessages:
        """Messages of the whole store in order of position; `count` is the most that come back."""
        ...

    def get_all_commands(
        self,
        filter: MessageFilter | None = None,
        count: int | None = None,
        *,
        direction: Direction = "forwards",
    ) -> AsyncMessages: ...

    def get_all_events(
        self,
        filter: MessageFilter | None = None,
        count: int | None = None,
        *,
        direction: Direction = "forwards",
    ) -> AsyncMessages: ...

    def get_session_messages(
        self,
        session_id: str,
        filter: MessageFilter | None = None,
        count: int | None = None,
        *,
        direction: Direction = "forwards",
    ) -> AsyncMessages:
        """The messages stamped with one session; the first one asked for raises SessionNotFound."""
        ...

    async def get_message(self, position: int) -> PositionalMessage | None:
        """The message at one position, or None."""
        ...

    async def count_messages(self, filter: MessageFilter | None = None) -> int:
        """How many messages match."""
        ...

    async def count_by(
        self, group: Group, filter: MessageFilter | None = None, *, zone: tzinfo = UTC
    ) -> dict[str, int]:
        """As in MessageStore."""
        ...

    async def get_stream_info(self, stream_id: str) -> StreamInfo | None: ...

    def get_streams(self) -> AsyncGenerator[StreamInfo, None]:
        """Every stream, in the order in which they were created."""
        ...

    async def get_stats(self) -> StoreStats: ...

    async def get_sessions(self) -> list[SessionInfo]:
        """Every session, in the order in which they were started."""
        ...

    async def get_session_info(self, session_id: str) -> SessionInfo:
        """Raises SessionNotFound."""
        ...

    def follow(
        self,
        filter: MessageFilter | None = None,
        from_position: int | None = None,
        timeout: float | None = None,
    ) -> AsyncMessages:
        """What is there from `from_position` on (inclusive; None: all), then what arrives.

        In order of position, none missed, none twice. Ends when nothing matching has arrived for
        `timeout` seconds; None waits for ever. Cancelled, it ends at once.
        """
        ...

    async def flush(self) -> None:
        """On return everything saved through this object is on disk, whatever the durability."""
        ...

    async def close(self) -> None:
        """Ends what is under way, flushes, and gives back what the object holds. Twice is no error."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


@runtime_checkable
class AsyncLocalMessageStore(AsyncMessageStore, Protocol):
    """A store that also keeps sessions and can be emptied.

    The current session is the object's, as in LocalMessageStore: all tasks that use it share it.
    """

    @property
    def current_session(self) -> str | None:
        """The session whose id this object stamps on what it saves."""
        ...

    async def create_session(
        self, name: str | None = None, labels: Mapping[str, str] | None = None
    ) -> str:
        """Starts a session, makes it this object's current one, and returns its id."""
        ...

    async def use_session(self, session_id: str | None) -> None:
        """Makes an open session the current one; None: no session. SessionNotFound, SessionEnded."""
        ...

    async def end_session(self, session_id: str, status: str | None = None) -> None:
        """Ends a session for every user of the store. Raises SessionNotFound, SessionEnded."""
        ...

    def session(
        self, name: str | None = None, labels: Mapping[str, str] | None = None
    ) -> AbstractAsyncContextManager[str]:
        """Starts a session for an `async with` block; ends it with status `ok`, or `failed` on an
        error and when it is cancelled."""
        ...

    async def active_session(self) -> str | None:
        """The store's active session: what `msgstore sessions start` left for the commands after it."""
        ...

    async def activate_session(self, session_id: str) -> None:
        """Makes an open session the store's active one, until it ends."""
        ...

    async def reset(self) -> None:
        """Empties the store: no messages, streams or sessions; positions begin at 1 again."""
        ...
