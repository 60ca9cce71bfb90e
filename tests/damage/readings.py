"""All that can be asked of a store, each with the answer that is right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from msgstore import FileMessageStore, Message, MessageFilter, PositionalMessage
from msgstore.model.message import NO_SESSION

Ask = Callable[[FileMessageStore], Iterable[Any]]


@dataclass(frozen=True)
class Reading:
    """`ask` gives items one after the other; they are right if they are `right`, in that order."""

    name: str
    ask: Ask
    right: list[Any]


def readings(content: dict[str, Any]) -> list[Reading]:
    """Of a store that holds `content`, in the shape of the golden JSON."""
    messages = [PositionalMessage.from_json(one) for one in content["messages"]]
    return [
        Reading("all", lambda store: store.get_all_messages(), messages),
        Reading(
            "all backwards",
            lambda store: store.get_all_messages(direction="backwards"),
            messages[::-1],
        ),
        *_totals(content, messages),
        *_sessions(content, messages),
        *_of_streams(content, messages),
        *_by_position_and_id(messages),
        *_filtered(messages),
        Reading("verify", _verify, ["sound"]),
    ]


def _verify(store: FileMessageStore) -> Iterator[Any]:
    findings = store.verify().findings
    yield findings if findings else "sound"


def _totals(content: dict[str, Any], messages: list[PositionalMessage]) -> Iterator[Reading]:
    def stats(store: FileMessageStore) -> Iterator[Any]:
        found = store.get_stats().to_json()
        del found["diskBytes"]
        yield found

    yield Reading("stats", stats, [content["stats"]])
    yield Reading("count", lambda store: [store.count_messages()], [len(messages)])
    keys: dict[str, Callable[[PositionalMessage], str]] = {
        "type": lambda one: one.message.type,
        "kind": lambda one: one.message_type.value,
        "session": lambda one: one.session_id,
        "stream": lambda one: one.stream_id,
        "day": lambda one: f"{one.timestamp:%Y-%m-%d}",
    }
    for group, key in keys.items():
        counts = dict(Counter(map(key, messages)))
        yield Reading(f"count by {group}", _count_by(group), [counts])


def _count_by(group: Any) -> Ask:
    return lambda store: [store.count_by(group)]


def _sessions(content: dict[str, Any], messages: list[PositionalMessage]) -> Iterator[Reading]:
    sessions = content["sessions"]
    yield Reading("sessions", lambda store: (s.to_json() for s in store.get_sessions()), sessions)
    yield Reading(
        "active session", lambda store: [store.active_session()], [content["activeSession"]]
    )
    for session in sessions:
        session_id = session["sessionId"]
        own = [one for one in messages if one.session_id == session_id]
        yield Reading(f"session {session_id}", _session_info(session_id), [session])
        yield Reading(f"messages of session {session_id}", _session_messages(session_id), own)
    none = [one for one in messages if one.session_id == NO_SESSION]
    yield Reading("messages of no session", _session_messages(NO_SESSION), none)


def _session_info(session_id: str) -> Ask:
    return lambda store: [store.get_session_info(session_id).to_json()]


def _session_messages(session_id: str) -> Ask:
    return lambda store: store.get_session_messages(session_id)


def _of_streams(content: dict[str, Any], messages: list[PositionalMessage]) -> Iterator[Reading]:
    streams = content["streams"]
    infos = lambda store: (stream.to_json() for stream in store.get_streams())  # noqa: E731
    yield Reading("streams", infos, streams)
    for stream in streams:
        stream_id = stream["streamId"]
        own = [one for one in messages if one.stream_id == stream_id]
        middle = len(own) // 2
        for name, how, right in (
            ("", {}, own),
            (" backwards", {"direction": "backwards"}, own[::-1]),
            (" from its middle", {"from_revision": middle}, own[middle:]),
            (
                " back from its middle",
                {"to_revision": middle, "direction": "backwards"},
                own[middle::-1],
            ),
        ):
            ask = _stream(stream_id, how)
            yield Reading(f"stream {stream_id[:40]}{name}", ask, right)
        yield Reading(f"info of {stream_id[:40]}", _stream_info(stream_id), [stream])
        ask = _select(stream_id=stream_id)
        yield Reading(f"positions of {stream_id[:40]}", ask, own)
    unknown = "a stream that is not there"
    yield Reading("unknown stream", _stream(unknown, {}), [])


def _stream(stream_id: str, how: dict[str, Any]) -> Ask:
    return lambda store: store.get_messages(stream_id, **how)


def _stream_info(stream_id: str) -> Ask:
    def ask(store: FileMessageStore) -> Iterator[Any]:
        info = store.get_stream_info(stream_id)
        yield info.to_json() if info else None

    return ask


def _select(**wanted: Any) -> Ask:
    return lambda store: store.get_all_messages(MessageFilter(**wanted))


def _by_position_and_id(messages: list[PositionalMessage]) -> Iterator[Reading]:
    for at in sorted({0, len(messages) // 2, len(messages) - 1} if messages else ()):
        one = messages[at]
        yield Reading(f"position {one.position}", _at(one.position), [one])
        yield Reading(f"id {one.message.id}", _select(message_id=one.message.id), [one])


def _at(position: int) -> Ask:
    return lambda store: [store.get_message(position)]


def _filtered(messages: list[PositionalMessage]) -> Iterator[Reading]:
    if not messages:
        return
    middle = messages[len(messages) // 2]
    later = [one for one in messages if one.timestamp >= middle.timestamp]
    yield Reading("since the middle", _select(from_timestamp=middle.timestamp), later)
    name = middle.message.type
    of_type = [one for one in messages if one.message.type == name]
    yield Reading(f"type {name}", _select(message_names=name), of_type)
    commands = [one for one in messages if one.message_type.value == "command"]
    yield Reading("commands", lambda store: store.get_all_commands(), commands)
    with_n = [
        one for one in messages if isinstance(one.message.data, dict) and "n" in one.message.data
    ]
    yield Reading("by data", _select(where="n?"), with_n)
    corr = [one for one in messages if one.message.correlation_id == "corr-1"]
    yield Reading("correlation", _select(correlation_id="corr-1"), corr)
    like_o = [one for one in messages if one.stream_id.startswith("o")]
    yield Reading("pattern", _select(stream_pattern="o*"), like_o)


# ---------------------------------------------------------------- saving


NEW = Message("Added", {"n": 1}, id="added-new")
MORE = Message("Added", {"n": 2}, id="added-more")


def saves(content: dict[str, Any], stream_id: str | None) -> list[Reading]:
    """Saves to a stream that is there, to a new one, and again what is there; then reads them back.

    The items of each: the result, what is read back from the stream, the number of messages.
    """
    rows = len(content["messages"])
    found = []
    if stream_id is not None:
        own = [one for one in content["messages"] if one["streamId"] == stream_id]
        revision = len(own)
        right = [(revision, rows + 1, False), [MORE.to_json()], rows + 1]
        found.append(Reading("save", _save(stream_id, MORE), right))
        last = PositionalMessage.from_json(own[-1])
        again = [(last.revision, last.position, True), [last.message.to_json()], rows]
        found.append(Reading("save again", _save(stream_id, last.message), again))
    new = [(0, rows + 1, False), [NEW.to_json()], rows + 1]
    found.append(Reading("save to a new stream", _save("damage/new", NEW), new))
    return found


def _save(stream_id: str, message: Message) -> Ask:
    def ask(store: FileMessageStore) -> Iterator[Any]:
        done = store.save_message(stream_id, message)
        yield done.first_revision, done.first_position, done.duplicate
        last = store.get_messages(stream_id, direction="backwards", count=1)
        yield [one.message.to_json() for one in last]
        yield store.count_messages()

    return ask
