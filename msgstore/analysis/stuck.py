"""Commands that no event answers.

An event answers a command if it was recorded after it, and either both have the same request id, or
the event's causation id is the command's own id. One event may answer several commands.

Two ways lead to the same answer. Where few commands are asked about, each is looked up, by ids, which
are indexed; else everything from the first command on is read once. Neither holds more than what is
open: of each open command its position and its ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

from msgstore.model.filter import MessageFilter
from msgstore.model.message import MessageType, PositionalMessage

if TYPE_CHECKING:
    from msgstore.model.arguments import Direction

READ_TO_LOOK_UP = 100
"""Looking one command up takes about as long as reading so many messages."""


class Read(Protocol):
    """Reads messages of a store: `get_all_messages`, or that with some arguments given."""

    def __call__(
        self,
        filter: MessageFilter | None = None,
        count: int | None = None,
        *,
        direction: Direction = "forwards",
    ) -> Iterator[PositionalMessage]: ...


class Command(NamedTuple):
    """What is held of a command while it is open."""

    position: int
    id: str | None
    request_id: str | None

    @classmethod
    def of(cls, stored: PositionalMessage) -> Command:
        return cls(stored.position, stored.message.id, stored.message.request_id)


def unanswered(
    read: Read, wanted: MessageFilter, until: datetime | None = None
) -> Iterator[PositionalMessage]:
    """The commands that match, were recorded at `until` or before, and that no event answers.

    In order of position. What answers them may stand anywhere behind them, whatever the filter says.
    """
    last = min((moment for moment in (wanted.until, until) if moment), default=None)
    commands = replace(wanted, message_type=MessageType.COMMAND, to_timestamp=last)
    first = next(read(commands, 1), None)
    if first is None:
        return
    newest = next(read(None, 1, direction="backwards"), first)
    commands = replace(commands, from_position=first.position)
    worth = (newest.position - first.position + 1) // READ_TO_LOOK_UP
    if sum(1 for _ in read(commands, worth + 1)) <= worth:
        yield from looked_up(read, commands)
    else:
        yield from read_through(read, commands, worth)


def looked_up(read: Read, commands: MessageFilter) -> Iterator[PositionalMessage]:
    """By asking for the answers to each."""
    for stored in read(commands):
        asked = _answers_to(Command.of(stored))
        if not any(next(read(answers, 1), None) for answers in asked):
            yield stored


def _answers_to(command: Command) -> Iterator[MessageFilter]:
    after = command.position + 1
    if command.request_id is not None:
        yield MessageFilter(MessageType.EVENT, request_id=command.request_id, from_position=after)
    if command.id is not None:
        yield MessageFilter(MessageType.EVENT, causation_id=command.id, from_position=after)


def read_through(
    read: Read, commands: MessageFilter, fetched_max: int
) -> Iterator[PositionalMessage]:
    """By reading everything from the first command on; more than `fetched_max` are read once more."""
    everything = MessageFilter(from_position=commands.from_position)
    positions = still_open(read(everything), commands.matches)
    if len(positions) > fetched_max:
        left = set(positions)
        yield from (stored for stored in read(commands) if stored.position in left)
        return
    for position in positions:
        yield from read(MessageFilter(from_position=position, to_position=position), 1)


def still_open(
    messages: Iterable[PositionalMessage], is_asked_about: Callable[[PositionalMessage], bool]
) -> list[int]:
    """Where the commands asked about stand, among messages in order, that no later event answers."""
    open_ = _Open()
    for stored in messages:
        if stored.message_type is MessageType.EVENT:
            open_.answer(stored)
        elif is_asked_about(stored):
            open_.add(Command.of(stored))
    return open_.positions()


class _Open:
    """Open commands, by what an answer names."""

    def __init__(self) -> None:
        self._commands: dict[int, Command] = {}
        self._by_request: dict[str, set[int]] = {}
        self._by_id: dict[str, int] = {}

    def add(self, command: Command) -> None:
        self._commands[command.position] = command
        if command.id is not None:
            self._by_id[command.id] = command.position
        if command.request_id is not None:
            self._by_request.setdefault(command.request_id, set()).add(command.position)

    def answer(self, event: PositionalMessage) -> None:
        message = event.message
        same_request = self._by_request.get(message.request_id) if message.request_id else None
        cause = self._by_id.get(message.causation_id) if message.causation_id else None
        if same_request is None and cause is None:
            return
        for position in {*(same_request or ()), *(() if cause is None else (cause,))}:
            self._remove(self._commands.pop(position))

    def _remove(self, command: Command) -> None:
        if command.id is not None:
            del self._by_id[command.id]
        if command.request_id is not None:
            positions = self._by_request[command.request_id]
            positions.discard(command.position)
            if not positions:
                del self._by_request[command.request_id]

    def positions(self) -> list[int]:
        return list(self._commands)
