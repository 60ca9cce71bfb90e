"""What every backend shares: the many ways of calling, said once over a few verbs.

A backend implements the methods that raise NotImplementedError here, and inherits the rest.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, tzinfo
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Self, get_args

from msgstore.model.arguments import Direction, check_count, check_filter
from msgstore.model.errors import (
    InvalidArgument,
    InvalidMessage,
    MessageTooLarge,
    MsgStoreError,
    RequestError,
    SessionEnded,
    SessionNotFound,
)
from msgstore.model.expectation import ExpectedRevision
from msgstore.model.message import NO_SESSION, Message, MessageType, PositionalMessage
from msgstore.model.saved import SaveResult
from msgstore.model.saving import SaveRequest
from msgstore.model.values import check_text, join_key

if TYPE_CHECKING:
    from msgstore.backends.protocol import Group
    from msgstore.model.context import SaveContext
    from msgstore.model.filter import MessageFilter

LABELS_BYTES_MAX = 65_536
"""Of one session, keys and values together: an event of the session log is read in one piece."""


class BaseStore:
    """The conveniences of MessageStore over `_commit`, `_require_session` and `get_all_messages`."""

    # ------------------------------------------------------------ what a backend supplies

    def _commit(self, requests: Sequence[SaveRequest], *, independent: bool) -> list[SaveResult]:
        """Writes all requests or none, atomically; `independent` as in `plan_saves`."""
        raise NotImplementedError

    def get_all_messages(
        self,
        filter: MessageFilter | None = None,
        count: int | None = None,
        *,
        direction: Direction = "forwards",
    ) -> Iterator[PositionalMessage]:
        raise NotImplementedError

    def _require_session(self, session_id: str) -> None:
        """Raises SessionNotFound unless there is such a session, open or ended."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    # ------------------------------------------------------------ saving

    _context: SaveContext | None = None

    def use_context(self, context: SaveContext | None) -> None:
        """From now on messages are given what they do not say themselves; None: nothing."""
        self._context = context

    def _save(self, requests: Sequence[SaveRequest], *, independent: bool) -> list[SaveResult]:
        """Commits requests as `_commit` does, filled in from the context."""
        if self._context is not None:
            requests = self._context.fill_requests(requests)
        return self._commit(requests, independent=independent)

    def save_message(
        self,
        stream_id: str,
        message: Message,
        expected_revision: ExpectedRevision = None,
        message_type: MessageType | str | None = None,
    ) -> SaveResult:
        return self.save_messages(stream_id, (message,), expected_revision, message_type)

    def save_messages(
        self,
        stream_id: str,
        messages: Iterable[Message],
        expected_revision: ExpectedRevision = None,
        message_type: MessageType | str | None = None,
    ) -> SaveResult:
        request = SaveRequest.of(stream_id, messages, expected_revision, message_type)
        return self._save((request,), independent=False)[0]

    def save_each(self, requests: Sequence[SaveRequest]) -> list[SaveResult]:
        return self._save(requests, independent=True) if requests else []

    def transaction(self) -> BufferedTransaction:
        return BufferedTransaction(self)

    # ------------------------------------------------------------ reading

    def get_all_commands(
        self,
        filter: MessageFilter | None = None,
        count: int | None = None,
        *,
        direction: Direction = "forwards",
    ) -> Iterator[PositionalMessage]:
        return self._get_kind(MessageType.COMMAND, filter, count, direction)

    def get_all_events(
        self,
        filter: MessageFilter | None = None,
        count: int | None = None,
        *,
        direction: Direction = "forwards",
    ) -> Iterator[PositionalMessage]:
        return self._get_kind(MessageType.EVENT, filter, count, direction)

    def get_session_messages(
        self,
        session_id: str,
        filter: MessageFilter | None = None,
        count: int | None = None,
        *,
        direction: Direction = "forwards",
    ) -> Iterator[PositionalMessage]:
        if session_id != NO_SESSION:
            self._require_session(session_id)
        wanted = check_filter(filter)
        if wanted.session_id not in (None, session_id):
            check_count(count)
            count = 0  # no message is of two sessions
        of_session = replace(wanted, session_id=session_id)
        return self.get_all_messages(of_session, count, direction=direction)

    def _get_kind(
        self,
        kind: MessageType,
        filter: MessageFilter | None,
        count: int | None,
        direction: Direction,
    ) -> Iterator[PositionalMessage]:
        wanted = check_filter(filter)
        if wanted.kind not in (None, kind):
            check_count(count)
            count = 0  # no message is of two kinds
        return self.get_all_messages(replace(wanted, message_type=kind), count, direction=direction)

    def get_message(self, position: int) -> PositionalMessage | None:
        if isinstance(position, bool) or not isinstance(position, int) or position < 1:
            raise InvalidArgument("position", f"{position!r} is not a position")
        from msgstore.model.filter import MessageFilter

        only = MessageFilter(from_position=position, to_position=position)
        return next(self.get_all_messages(only, 1), None)

    def count_messages(self, filter: MessageFilter | None = None) -> int:
        return sum(1 for _ in self.get_all_messages(filter))

    def count_by(
        self, group: Group, filter: MessageFilter | None = None, *, zone: tzinfo = UTC
    ) -> dict[str, int]:
        check_group(group)
        counts = Counter(group_key(stored, group, zone) for stored in self.get_all_messages(filter))
        return in_group_order(counts, group)

    # ------------------------------------------------------------ the object

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class LocalSessions:
    """`session()` for every local store."""

    @property
    def current_session(self) -> str | None:
        raise NotImplementedError

    def create_session(
        self, name: str | None = None, labels: Mapping[str, str] | None = None
    ) -> str:
        raise NotImplementedError

    def use_session(self, session_id: str | None) -> None:
        raise NotImplementedError

    def end_session(self, session_id: str, status: str | None = None) -> None:
        raise NotImplementedError

    @contextmanager
    def session(
        self, name: str | None = None, labels: Mapping[str, str] | None = None
    ) -> Iterator[str]:
        """As the protocol has it. The session that was current before is current again after."""
        before = self.current_session
        session_id = self.create_session(name, labels)
        try:
            yield session_id
        except BaseException:
            # The block's own error is the one to report, whatever else fails on the way out.
            with suppress(MsgStoreError):
                self._leave_session(session_id, "failed", before)
            raise
        self._leave_session(session_id, "ok", before)

    def _leave_session(self, session_id: str, status: str, before: str | None) -> None:
        """Ends the session unless the block, or someone else, ended it or emptied the store."""
        with suppress(SessionEnded, SessionNotFound):
            self.end_session(session_id, status)
        if self.current_session in (None, session_id):
            try:
                self.use_session(before)
            except (SessionEnded, SessionNotFound):
                self.use_session(None)


def check_session_details(
    name: str | None, labels: Mapping[str, str] | None
) -> tuple[str | None, dict[str, str]]:
    """The name and a copy of the labels of a new session; raises InvalidMessage, MessageTooLarge."""
    if name is not None:
        check_text(name, "name")
    if labels is not None and not isinstance(labels, Mapping):
        raise InvalidMessage("labels", "must map text to text")
    copied = dict(labels or {})
    for key, value in copied.items():
        check_text(value, join_key("labels", check_text(key, "labels")))
    size_bytes = sum(len(key.encode()) + len(value.encode()) for key, value in copied.items())
    if size_bytes > LABELS_BYTES_MAX:
        raise MessageTooLarge("the labels", size_bytes, LABELS_BYTES_MAX)
    return name, copied


class BufferedTransaction:
    """Gathers saves and commits them together when the block ends; an error discards them."""

    def __init__(self, store: BaseStore) -> None:
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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        requests, self._requests = self._requests, None
        if error is None and requests:
            self.results = self._store._save(requests, independent=False)


def check_group(group: str) -> None:
    """Raises InvalidArgument unless `group` is one that `count_by` knows."""
    from msgstore.backends.protocol import Group

    if group not in get_args(Group):
        raise InvalidArgument("group", f"{group!r} is not one of {', '.join(get_args(Group))}")


def group_key(stored: PositionalMessage, group: Group, zone: tzinfo) -> str:
    """What `stored` counts as when messages are counted by `group`."""
    if group == "type":
        return stored.message.type
    if group == "stream":
        return stored.stream_id
    if group == "session":
        return stored.session_id
    if group == "kind":
        return stored.message_type.value
    local = stored.timestamp.astimezone(zone)
    return f"{local:%Y-%m-%dT%H:00}" if group == "hour" else f"{local:%Y-%m-%d}"


def in_group_order(counts: Mapping[str, int], group: Group) -> dict[str, int]:
    """Times in their order, all else with the most first."""
    if group in ("hour", "day"):
        return dict(sorted(counts.items()))
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def at_most(
    count: int | None, messages: Iterator[PositionalMessage]
) -> Iterator[PositionalMessage]:
    """The first `count` of `messages`; all of them for None."""
    return islice(messages, None if count is None else min(count, sys.maxsize))
