"""What a store must hold: written down beside the store, never read from it."""

from __future__ import annotations

from typing import Any, NamedTuple

from msgstore import Message, PositionalMessage

OWN_ID = "m-"
"""What an id begins with that a message was given; all others are made by the store."""


class Saved(NamedTuple):
    """A message, by what was asked for. `session` is the name of its session, or None."""

    stream_id: str
    kind: str
    session: str | None
    content: str


class Run(NamedTuple):
    """A session: `status` is None while it is open."""

    name: str
    status: str | None
    messages: int
    commands: int


class State(NamedTuple):
    """All of a store between two commits."""

    messages: tuple[Saved, ...] = ()
    sessions: tuple[Run, ...] = ()

    def with_messages(self, new: tuple[Saved, ...]) -> State:
        sessions = self.sessions
        for saved in new:
            if saved.session is not None:
                sessions = tuple(
                    run._replace(
                        messages=run.messages + 1,
                        commands=run.commands + (saved.kind == "command"),
                    )
                    if run.name == saved.session
                    else run
                    for run in sessions
                )
        return State(self.messages + new, sessions)

    def with_start(self, name: str) -> State:
        return self._replace(sessions=(*self.sessions, Run(name, None, 0, 0)))

    def with_end(self, name: str, status: str) -> State:
        runs = (r._replace(status=status) if r.name == name else r for r in self.sessions)
        return self._replace(sessions=tuple(runs))


EMPTY = State()


class Expected(NamedTuple):
    """What may be found at one moment: `states` are all that were acknowledged, in order.

    `under_way` is the one that was being made. After a power loss nothing before `floor` (an index
    into `states`) may be found; with durability `always` that is the last.
    """

    states: tuple[State, ...]
    under_way: State | None
    floor: int

    def allowed(self, power: bool) -> list[State]:
        first = self.floor if power else len(self.states) - 1
        allowed = list(self.states[first:])
        return [*allowed, self.under_way] if self.under_way is not None else allowed


def content_of(message: Message) -> str:
    """Everything that a message says, apart from an id that the store made."""
    own_id = message.id if (message.id or "").startswith(OWN_ID) else None
    facts: tuple[Any, ...] = (
        message.type,
        message.data,
        own_id,
        message.request_id,
        message.correlation_id,
        message.causation_id,
        message.metadata,
    )
    return repr(facts)


def saved_of(stored: PositionalMessage, session: str | None) -> Saved:
    return Saved(stored.stream_id, stored.message_type.value, session, content_of(stored.message))
