"""What every message store promises, and what a store on this machine promises besides.

A third party that implements these passes `msgstore.testing.StoreContract` to show it.
`BaseStore` in `msgstore.backends.base` gives most of it for a handful of methods.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, tzinfo
from types import TracebackType
from typing import Literal, Protocol, Self, runtime_checkable

from msgstore.model.arguments import Direction
from msgstore.model.expectation import ExpectedRevision
from msgstore.model.filter import MessageFilter
from msgstore.model.message import Message, MessageType, PositionalMessage
from msgstore.model.results import SessionInfo, StoreStats, StreamInfo
from msgstore.model.saved import SaveResult
from msgstore.model.saving import SaveRequest

Group = Literal["type", "stream", "session", "kind", "hour", "day"]
"""What `count_by` can count messages by."""


class Transaction(Protocol):
    """Saves to any streams that are committed together when the `with` block ends without error.

    `results` holds one SaveResult per save, in order, once it is committed.
    """

    results: list[SaveResult]

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

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


@runtime_checkable
class MessageStore(Protocol):
    """Streams of messages with revisions, and one order over all of them.

    A save is on record, as durably as the store was opened for, when the call returns. Reads take
    no lock, never see half a batch, and are lazy: they fetch as the caller iterates. One object may
    be used from several threads.
    """

    def save_message(
        self,
        stream_id: str,
        message: Message,
        expected_revision: ExpectedRevision = None,
        message_type: MessageType | str | None = None,
    ) -> SaveResult:
        """Appends one message. Raises WrongExpectedRevision, DuplicateMessageId, InvalidMessage."""
        ...

    def save_messages(
        self,
        stream_id: str,
        messages: Iterable[Message],
        expected_revision: ExpectedRevision = None,
        message_type: MessageType | str | None = None,
    ) -> SaveResult:
        """Appends all or none, with contiguous revisions and positions and one timestamp."""
        ...

    def save_each(self, requests: Sequence[SaveRequest]) -> list[SaveResult]:
        """Commits independent saves together, each judged on its own, in order.

        If one is refused, nothing is written and the error's `request_index` names it.
        """
        ...

    def transaction(self) -> Transaction:
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
    ) -> Iterator[PositionalMessage]:
        """The messages of one stream between two revisions, inclusive; none if it is unknown."""
        ...

    def get_all_messages(
        self,
        filter: MessageFilter | None = None,
        count: int | None = None,
        *,
        direction: Direction = "forwards",
    ) -> Iterator[PositionalMessage]:
        """Messages of the whole store in order of position; `count` is the most that come back."""
        ...

    def get_all_commands(
        self,
        filter: MessageFilter | None = None,
        count: int | None = None,
        *,
        direction: Direction = "forwards",
    ) -> Iterator[PositionalMessage]: ...

    def get_all_events(
        self,
        filter: MessageFilter | None = None,
        count: int | None = None,
        *,
        direction: Direction = "forwards",
    ) -> Iterator[PositionalMessage]: ...

    def get_session_messages(
        self,
        session_id: str,
        filter: MessageFilter | None = None,
        count: int | None = None,
        *,
        direction: Direction = "forwards",
    ) -> Iterator[PositionalMessage]:
        """The messages stamped with one session; raises SessionNotFound."""
        ...

    def get_message(self, position: int) -> PositionalMessage | None:
        """The message at one position, or None."""
        ...

    def count_messages(self, filter: MessageFilter | None = None) -> int:
        """How many messages match."""
        ...

    def count_by(
        self, group: Group, filter: MessageFilter | None = None, *, zone: tzinfo = UTC
    ) -> dict[str, int]:
        """Counts per type, stream, session or kind, most first; per hour or day of `zone`, in order.

        Hours are named `2026-11-23T14:00`, days `2026-11-23`.
        """
        ...

    def get_stream_info(self, stream_id: str) -> StreamInfo | None: ...

    def get_streams(self) -> Iterator[StreamInfo]:
        """Every stream, in the order in which they were created."""
        ...

    def get_stats(self) -> StoreStats: ...

    def get_sessions(self) -> list[SessionInfo]:
        """Every session, in the order in which they were started."""
        ...

    def get_session_info(self, session_id: str) -> SessionInfo:
        """Raises SessionNotFound."""
        ...

    def follow(
        self,
        filter: MessageFilter | None = None,
        from_position: int | None = None,
        timeout: float | None = None,
    ) -> Iterator[PositionalMessage]:
        """What is there from `from_position` on (inclusive; None: all), then what arrives.

        In order of position, none missed, none twice. Ends when nothing matching has arrived for
        `timeout` seconds; None waits for ever.
        """
        ...

    def flush(self) -> None:
        """On return everything saved through this object is on disk, whatever the durability."""
        ...

    def close(self) -> None:
        """Flushes and gives back what the object holds. Closing twice is no error."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


@runtime_checkable
class LocalMessageStore(MessageStore, Protocol):
    """A store that this machine holds: it also keeps sessions and can be emptied."""

    @property
    def current_session(self) -> str | None:
        """The session whose id this object stamps on what it saves."""
        ...

    def create_session(
        self, name: str | None = None, labels: Mapping[str, str] | None = None
    ) -> str:
        """Starts a session, makes it this object's current one, and returns its id."""
        ...

    def use_session(self, session_id: str | None) -> None:
        """Makes an open session the current one; None: no session. SessionNotFound, SessionEnded."""
        ...

    def end_session(self, session_id: str, status: str | None = None) -> None:
        """Ends a session for every user of the store. Raises SessionNotFound, SessionEnded."""
        ...

    def session(
        self, name: str | None = None, labels: Mapping[str, str] | None = None
    ) -> AbstractContextManager[str]:
        """Starts a session for a `with` block; ends it with status `ok`, or `failed` on an error."""
        ...

    def active_session(self) -> str | None:
        """The store's active session: what `msgstore sessions start` left for the commands after it."""
        ...

    def activate_session(self, session_id: str) -> None:
        """Makes an open session the store's active one, until it ends."""
        ...

    def reset(self) -> None:
        """Empties the store: no messages, streams or sessions; positions begin at 1 again."""
        ...
