"""What `save` does with its flags."""

import gc
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from msgstore.cli.errors import BadUsage
from msgstore.cli.escape import visible
from msgstore.cli.naming import resolve_session
from msgstore.cli.settings import Settings
from msgstore.model.errors import RequestError
from msgstore.model.message import NO_SESSION, Message
from msgstore.model.saving import parse_expected_revision

if TYPE_CHECKING:
    from msgstore.backends.protocol import LocalMessageStore
    from msgstore.model.context import SaveContext
    from msgstore.model.expectation import ExpectedRevision
    from msgstore.model.saved import SaveResult
    from msgstore.model.values import Json

_OBJECTS_BETWEEN_COLLECTIONS = 200_000
_FLAGS_OF_ONE = (
    "type",
    "data",
    "kind",
    "id",
    "request_id",
    "correlation_id",
    "causation_id",
    "timestamp",
    "meta",
    "expected_revision",
)


def open_store(
    settings: Settings, session: str | None, writing: Mapping[str, Any]
) -> "LocalMessageStore":
    """The store, made where there is none, with the session that saves are stamped with.

    Said by flag, by MSGSTORE_SESSION, or the store's active one. A session that is named must exist,
    and so must its store; but one that MSGSTORE_SESSION names need not be known to a store that is
    another than that of MSGSTORE_STORE.
    """
    named = settings.environment.get("MSGSTORE_SESSION") or None if session is None else session
    elsewhere = session is None and named is not None and _is_elsewhere(settings)
    store = settings.open_store(create=named in (None, NO_SESSION) or elsewhere, **writing)
    try:
        if elsewhere and named != NO_SESSION:
            named = _known_session(store, str(named))
        if named is None:
            store.use_session(store.active_session())
        elif named != NO_SESSION:
            store.use_session(resolve_session(store, named))
    except BaseException:
        store.close()
        raise
    return store


def _is_elsewhere(settings: Settings) -> bool:
    """Whether the store is named by a flag, and MSGSTORE_STORE names another one."""
    from msgstore.backends.registry import is_same_store

    return settings.store is not None and not is_same_store(settings.store, settings.environment)


def _known_session(store: "LocalMessageStore", named: str) -> str | None:
    """The session's id if this store has it, and it is open."""
    try:
        session = store.get_session_info(resolve_session(store, named))
    except RequestError:
        return None
    return session.session_id if session.ended_at is None else None


def save_context(settings: Settings) -> "SaveContext | None":
    """What the environment says of messages that do not say it themselves."""
    environment = settings.environment
    if not (environment.get("MSGSTORE_CORRELATION_ID") or environment.get("TRACEPARENT")):
        return None
    from msgstore.model.context import SaveContext

    return SaveContext.of(environment)


# ---------------------------------------------------------------- one message


def build_message(
    settings: Settings, flags: Mapping[str, Any]
) -> tuple[Message, "ExpectedRevision"]:
    """The message that the flags and the environment describe, and where its stream should stand."""
    if flags["type"] is None:
        raise BadUsage(
            "the type is missing", "-t TYPE for one message, or - for JSON Lines from stdin"
        )
    if flags["atomic"]:
        raise BadUsage("--atomic is for many messages", "msgstore save - --atomic")
    expected = flags["expected_revision"]
    message = Message(
        flags["type"],
        _build_data(flags["data"], flags["pairs"]),
        id=flags["id"],
        request_id=flags["request_id"],
        correlation_id=flags["correlation_id"],
        causation_id=flags["causation_id"],
        timestamp=_parse_time(flags["timestamp"]),
        metadata=_build_metadata(flags["meta"]),
    )
    if context := save_context(settings):
        message = context.fill(message)
    return message, None if expected is None else parse_expected_revision(expected)


def _build_data(data: str | None, pairs: list[str] | None) -> "Json":
    if data is None and not pairs:
        return {}
    from msgstore.cli.json_input import read_data, read_pairs

    base = {} if data is None else read_data(data)
    if not pairs:
        return base
    if not isinstance(base, dict):
        raise BadUsage("--data is no object, so pairs cannot be added", "give one or the other")
    return base | read_pairs(pairs, "data")


def _build_metadata(meta: list[str] | None) -> "Json":
    if not meta:
        return None
    from msgstore.cli.json_input import read_pairs

    return read_pairs(meta, "--meta")


def _parse_time(text: str | None) -> Any:
    if text is None:
        return None
    from msgstore.cli.times import parse_time

    return parse_time(text, "--timestamp")


def result_printer(settings: Settings, message: Message) -> "Callable[[SaveResult], None]":
    """What prints the outcome: a sentence for people, else JSON. Wrong flags fail here, before a save."""
    from msgstore.cli.output import record_output
    from msgstore.cli.shapes import SAVED

    if settings.output_format("table") not in ("table", "wide") or settings.fields:
        output = record_output(settings, SAVED)
        return lambda result: output.put_all([result])
    return lambda result: None if settings.quiet else print(visible(_sentence(message, result)))


def _sentence(message: Message, result: "SaveResult") -> str:
    place = f"revision {result.first_revision}, position {result.first_position}"
    if result.duplicate:
        return f"{message.type} was saved before, to {result.stream_id}: {place}"
    return f"saved {message.type} to {result.stream_id}: {place}"


# ---------------------------------------------------------------- many


def refuse_flags_of_one(flags: Mapping[str, Any]) -> None:
    """Flags that describe one message say nothing about lines, and must not be passed over."""
    given = [name for name in _FLAGS_OF_ONE if flags[name] not in (None, [], ())]
    if flags["stream"] == "-" and flags["pairs"]:
        given.append("key=value")
    if given:
        flag = given[0].replace("_", "-")
        raise BadUsage(f"--{flag} is for one message", "say it in each line of the input")


def save_lines(
    settings: Settings,
    store: "LocalMessageStore",
    stream_id: str | None,
    batch_size: int,
    atomic: bool,
) -> None:
    """Saves the lines of stdin, and says on stderr what was saved."""
    from msgstore.cli.interrupts import Interrupts
    from msgstore.cli.render.progress import Progress
    from msgstore.cli.sending import LineSaver, read_batches, save_batches
    from msgstore.disk.handles import own_the_process

    # A batch is thousands of values without a cycle among them, gone with its commit: looking for
    # cycles in it takes time.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    own_the_process()
    interrupts = Interrupts()
    saver = LineSaver(store, stream_id, save_context(settings), interrupts.held)
    try:
        with interrupts, Progress(settings) as progress:
            if atomic:
                saver.save_together(
                    [line for lines in read_batches(0, batch_size) for line in lines]
                )
            else:
                for _ in save_batches(saver, read_batches(0, batch_size), batch_size):
                    progress.show(saver.tally)
    except KeyboardInterrupt:
        settings.say(interrupts.sentence(f"saved {saver.tally}"))
        raise
    settings.say(f"saved {saver.tally}")
