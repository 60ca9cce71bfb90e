"""One commit, decided: which saves are new, which are known, where each message will stand.

Every backend decides by `plan_saves`; it only supplies what it knows (`Known`) and writes what
comes back. Nothing here writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from msgstore.model.errors import (
    DuplicateMessageId,
    InvalidArgument,
    InvalidMessage,
    MsgStoreError,
    WrongExpectedRevision,
)
from msgstore.model.expectation import (
    ANY,
    NO_STREAM,
    STREAM_EXISTS,
    Exactly,
    Expectation,
    ExpectedRevision,
    to_expectation,
)
from msgstore.model.message import Message, MessageType, to_message_type
from msgstore.model.saved import SaveResult
from msgstore.model.values import Json, check_text, json_equal


@dataclass(frozen=True, slots=True)
class SaveRequest:
    """One save: the messages go to one stream, all or none, if it is where it is expected.

    Raises InvalidMessage for a stream id that is no text to go by, and for what is no message.
    """

    stream_id: str
    messages: tuple[Message, ...]
    expectation: Expectation = ANY
    message_type: MessageType | None = None

    def __post_init__(self) -> None:
        check_text(self.stream_id, "stream_id")
        for message in self.messages:
            if not isinstance(message, Message):
                raise InvalidMessage("message", f"{type(message).__name__} is not a Message")

    @classmethod
    def of(
        cls,
        stream_id: str,
        messages: Iterable[Message],
        expected_revision: ExpectedRevision = None,
        message_type: MessageType | str | None = None,
    ) -> SaveRequest:
        """Checks every argument; raises InvalidMessage or InvalidArgument."""
        if isinstance(messages, Message):
            raise InvalidMessage("messages", "is one Message; save_message takes it")
        expectation, kind = to_expectation(expected_revision), to_message_type(message_type)
        return cls(stream_id, tuple(messages), expectation, kind)

    @classmethod
    def from_json(cls, value: Json, stream_id: str | None = None) -> SaveRequest:
        """The save that a line of `save -` asks for.

        Two shapes: a message (`{"type", "data", …}`) with optional `streamId`, `messageType` and
        `expectedRevision`; or a stored message as `query` prints it, of which the places that the
        store assigns (revision, position, timestamp, session) are left behind. `stream_id` wins
        over the line's own. Raises InvalidMessage.
        """
        if not isinstance(value, dict):
            raise InvalidMessage("message", "must be a JSON object")
        fields = dict(value)
        own_stream = fields.pop("streamId", None)
        target = stream_id if stream_id is not None else own_stream
        if target is None:
            raise InvalidMessage("streamId", "is missing")
        kind = to_message_type(fields.pop("messageType", None), "messageType")
        expected = _parse_expectation(fields.pop("expectedRevision", None))
        if isinstance(fields.get("message"), dict):
            unknown = set(fields) - {"message", "revision", "position", "timestamp", "sessionId"}
            if unknown:
                raise InvalidMessage(f"{min(unknown):.40}", "unknown field")
            fields = fields["message"]
        message = Message.from_json(fields)
        return cls(check_text(target, "streamId"), (message,), expected, kind)


_EXPECTATIONS: dict[str, ExpectedRevision] = {
    "none": NO_STREAM,
    "exists": STREAM_EXISTS,
    "any": ANY,
}


def parse_expected_revision(text: str) -> ExpectedRevision:
    """`N`, `none`, `exists` or `any`, as the command line has them. Raises InvalidMessage."""
    if text in _EXPECTATIONS:
        return _EXPECTATIONS[text]
    digits = text.removeprefix("-")
    if digits.isascii() and digits.isdecimal() and len(digits) <= 19:
        return int(text)
    raise InvalidMessage(
        "expectedRevision", f"{text[:40]!r} is not a number, 'none', 'exists' or 'any'"
    )


def _parse_expectation(value: Json) -> Expectation:
    try:
        return to_expectation(parse_expected_revision(value) if isinstance(value, str) else value)
    except InvalidArgument as error:
        raise InvalidMessage("expectedRevision", error.problem) from None


class NewSave(NamedTuple):
    """A save that goes through, with the places its messages take."""

    request_index: int
    """Which of the requests it is, 0-based."""
    request: SaveRequest
    first_revision: int
    first_position: int


class Placed(Protocol):
    """A message and its place; every PositionalMessage is one."""

    @property
    def stream_id(self) -> str: ...
    @property
    def message(self) -> Message: ...
    @property
    def revision(self) -> int: ...
    @property
    def position(self) -> int: ...


class Known(NamedTuple):
    """What a store knows while it decides a commit."""

    revision_of: Callable[[str], int]
    """The stream's last revision, -1 where there is none."""
    find: Callable[[str], Placed | None]
    """The stored message with this id."""
    next_position: int


class Plan(NamedTuple):
    """The answer to each request, and the saves still to be written."""

    results: list[SaveResult]
    new: list[NewSave]


def plan_saves(requests: Sequence[SaveRequest], known: Known, *, independent: bool) -> Plan:
    """Decides all requests in order, each seeing those before it.

    `independent` requests only share a commit; otherwise they are one transaction, wholly new or
    wholly known. Raises WrongExpectedRevision or DuplicateMessageId with `request_index` set; then
    nothing may be written.
    """
    return _Planner(known).decide(requests, independent)


class JointPlan:
    """Decides saves of several callers that share a commit, one caller after the other.

    Each sees those before it, as if they were stored; one that is refused leaves no trace.
    """

    def __init__(self, known: Known) -> None:
        self._known = known
        self._next_position = known.next_position
        self._heads: dict[str, int] = {}
        self._taken: dict[str, _Taken] = {}

    def decide(self, requests: Sequence[SaveRequest], *, independent: bool) -> Plan:
        """The answer to one caller; raises as `plan_saves` does."""
        planner = _Planner(Known(self._revision_of, self._find, self._next_position))
        plan = planner.decide(requests, independent)
        self._next_position = planner.next_position
        self._heads |= planner.heads
        self._taken |= planner.taken
        return plan

    def _revision_of(self, stream_id: str) -> int:
        head = self._heads.get(stream_id)
        return self._known.revision_of(stream_id) if head is None else head

    def _find(self, message_id: str) -> Placed | None:
        return self._taken.get(message_id) or self._known.find(message_id)


class _Taken(NamedTuple):
    """A message of this commit, where it will stand."""

    stream_id: str
    message: Message
    revision: int
    position: int


class _Planner:
    def __init__(self, known: Known) -> None:
        self.next_position = known.next_position
        self.heads: dict[str, int] = {}
        self.taken: dict[str, _Taken] = {}
        self._results: list[SaveResult] = []
        self._new: list[NewSave] = []
        self._known = known
        self._repeats: bool | None = None
        self._repeated_id = ""

    def decide(self, requests: Sequence[SaveRequest], independent: bool) -> Plan:
        for index, request in enumerate(requests):
            try:
                self._add(index, request, independent)
            except MsgStoreError as error:
                error.request_index = index
                raise
        return Plan(self._results, self._new)

    def _add(self, index: int, request: SaveRequest, independent: bool) -> None:
        stream_id, messages = request.stream_id, request.messages
        head = self._head(stream_id)
        if not messages:
            self._results.append(SaveResult(stream_id, head, head, 0, 0, 0))
            return
        places = self._find_all(request, independent)
        if not independent:
            self._insist_on_one_kind(bool(places), messages)
        if places:
            (first_revision, first_position), (last_revision, last_position) = (
                min(places),
                max(places),
            )
        else:
            if not request.expectation.allows(head):
                raise WrongExpectedRevision(stream_id, _plain(request.expectation), head)
            first_revision, first_position = head + 1, self.next_position
            last_revision, last_position = head + len(messages), first_position + len(messages) - 1
            self._take(NewSave(index, request, first_revision, first_position))
        self._results.append(
            SaveResult(
                stream_id,
                first_revision,
                last_revision,
                first_position,
                last_position,
                len(messages),
                bool(places),
            )
        )

    def _head(self, stream_id: str) -> int:
        head = self.heads.get(stream_id)
        if head is None:
            head = self.heads[stream_id] = self._known.revision_of(stream_id)
        return head

    def _take(self, save: NewSave) -> None:
        stream_id = save.request.stream_id
        for ordinal, message in enumerate(save.request.messages):
            if message.id is not None:
                place = (save.first_revision + ordinal, save.first_position + ordinal)
                self.taken[message.id] = _Taken(stream_id, message, *place)
        self.heads[stream_id] += len(save.request.messages)
        self.next_position += len(save.request.messages)
        self._new.append(save)

    def _find_all(self, request: SaveRequest, independent: bool) -> list[tuple[int, int]]:
        """Revision and position of every message if all are known; nothing if all are new."""
        places = []
        seen: set[str] = set()
        for message in request.messages:
            if message.id is None:
                continue
            if message.id in seen or (not independent and message.id in self.taken):
                raise DuplicateMessageId(message.id, "stands twice in one batch")
            seen.add(message.id)
            if place := self._find(request.stream_id, message, message.id):
                places.append(place)
        if places and len(places) < len(request.messages):
            known = next(
                m.id for m in request.messages if m.id and self._find(request.stream_id, m, m.id)
            )
            raise DuplicateMessageId(
                known or "", "is stored already, but others of its batch are not"
            )
        return places

    def _find(self, stream_id: str, message: Message, message_id: str) -> tuple[int, int] | None:
        placed = self.taken.get(message_id) or self._known.find(message_id)
        if placed is None:
            return None
        if placed.stream_id != stream_id:
            raise DuplicateMessageId(message_id, f"is taken in stream {placed.stream_id!r}")
        original = placed.message
        if original.type != message.type or not json_equal(original.data, message.data):
            raise DuplicateMessageId(message_id, "is taken by a message with other content")
        return placed.revision, placed.position

    def _insist_on_one_kind(self, repeats: bool, messages: Sequence[Message]) -> None:
        if repeats:
            self._repeated_id = messages[0].id or ""
        if self._repeats is None:
            self._repeats = repeats
        elif self._repeats is not repeats:
            raise DuplicateMessageId(
                self._repeated_id, "is in a transaction of which only a part is stored already"
            )


def _plain(expectation: Expectation) -> Any:
    return expectation.revision if isinstance(expectation, Exactly) else expectation
