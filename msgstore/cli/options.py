"""Flags that several commands share, declared once."""

from collections.abc import Callable
from functools import partial
from inspect import Parameter, Signature, signature
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from typer import Argument, BadParameter, Option

from msgstore.cli.completion import complete_session, complete_stream

if TYPE_CHECKING:
    from msgstore.backends.protocol import LocalMessageStore
    from msgstore.model.filter import MessageFilter

T = TypeVar("T")


def whole_number(text: str | int, least: int = 0) -> int:
    """Raises BadParameter unless it is a number of `least` or more."""
    digits = str(text)
    if digits.isascii() and digits.isdecimal() and len(digits) < 19 and int(digits) >= least:
        return int(digits)
    raise BadParameter(f"{digits!r} is not a number of {least} or more.")


def number_from_1(text: str | int) -> int:
    return whole_number(text, least=1)


def seconds(text: str | float) -> float:
    """0 or more, a fraction too. Raises BadParameter."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if 0 <= value < float("inf"):
        return value
    raise BadParameter(f"{text!r} is not a number of seconds.")


_UNITS_S = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def duration(text: str | float) -> float:
    """Seconds: `90`, or with a unit `500ms`, `30s`, `5m`, `1.5h`, `2d`, `3w`. Raises BadParameter."""
    given = str(text).strip()
    unit = given.lstrip("0123456789.").strip()
    number = given.removesuffix(unit).strip()
    if number.replace(".", "", 1).isdecimal() and (unit or "s") in _UNITS_S:
        return float(number) * _UNITS_S[unit or "s"]
    raise BadParameter(f"{given!r} is not a duration: 30, 30s, 500ms, 5m, 1h, 2d.")


Stream = Annotated[
    str, Argument(metavar="STREAM", help="The stream's id.", autocompletion=complete_stream)
]
Limit = Annotated[
    int | None,
    Option("-n", "--limit", parser=whole_number, metavar="N", help="At most N messages."),
]
Last = Annotated[
    int | None,
    Option("--last", parser=whole_number, metavar="N", help="The last N messages, in order."),
]
Reverse = Annotated[bool, Option("-r", "--reverse", help="Newest first.")]
SkipDamaged = Annotated[
    bool,
    Option("--skip-damaged", help="Go on behind damage, say what is left out, and exit with 3."),
]
Session = Annotated[
    str | None,
    Option(
        "--session",
        metavar="ID",
        help="An id or its beginning, last, last~1, or no-session.",
        autocompletion=complete_session,
    ),
]
Produced = Annotated[
    bool, Option("--produced", help="By the producers' own times, not those of recording.")
]
Durability = Annotated[
    Literal["always", "batch", "os"] | None,
    Option("--durability", help="When a save is on disk [the store's own; always in a new one]."),
]
Verify = Annotated[
    Literal["copied", "all"],
    Option("--verify", help="What of the copy is read back: what is new in it, or all."),
]
LockTimeout = Annotated[
    float,
    Option(
        "--lock-timeout",
        parser=seconds,
        metavar="SECONDS",
        help="How long to wait for other writers.",
    ),
]


# ---------------------------------------------------------------- filters


def message_filter(
    store: "LocalMessageStore",
    *,
    correlation_id: Annotated[str | None, Option("--correlation-id", metavar="ID")] = None,
    request_id: Annotated[str | None, Option("--request-id", metavar="ID")] = None,
    causation_id: Annotated[str | None, Option("--causation-id", metavar="ID")] = None,
    id: Annotated[str | None, Option("--id", metavar="ID", help="The message's own id.")] = None,
    stream: Annotated[
        str | None,
        Option(
            "--stream",
            metavar="GLOB",
            help="A stream's id, or a pattern with * ? [abc].",
            autocompletion=complete_stream,
        ),
    ] = None,
    type: Annotated[
        list[str] | None,
        Option(
            "-t", "--type", metavar="TYPE", help="The message's type; repeat for any of several."
        ),
    ] = None,
    kind: Annotated[Literal["command", "event"] | None, Option("--kind")] = None,
    session: Session = None,
    since: Annotated[
        str | None,
        Option("--since", metavar="TIME", help="Recorded then or later: 1h, 14:30, yesterday."),
    ] = None,
    until: Annotated[
        str | None, Option("--until", metavar="TIME", help="Recorded then or earlier.")
    ] = None,
    from_position: Annotated[
        int | None,
        Option(
            "--from-position", parser=whole_number, metavar="N", help="At this position or later."
        ),
    ] = None,
    to_position: Annotated[
        int | None,
        Option(
            "--to-position", parser=whole_number, metavar="N", help="At this position or earlier."
        ),
    ] = None,
    json: Annotated[
        str | None,
        Option(
            "--json", metavar="OBJECT", help="Paths into data and the values that must be there."
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        Option(
            "--where",
            metavar="CONDITION",
            help="total>=100, name~^Al, note? (is there). Repeat: all must hold.",
        ),
    ] = None,
) -> "MessageFilter":
    """The filter that the flags ask for. Raises BadUsage, which names the flag."""
    from msgstore.cli.filters import build_filter

    exact = stream is not None and not set("*?[") & set(stream)
    return build_filter(
        store,
        correlation_id=correlation_id,
        request_id=request_id,
        causation_id=causation_id,
        message_id=id,
        stream_id=stream if exact else None,
        stream_pattern=None if exact else stream,
        message_names=type,
        message_type=kind,
        session_id=session,
        from_timestamp=since,
        to_timestamp=until,
        from_position=from_position,
        to_position=to_position,
        json_filter=json,
        where=where,
    )


Select = Callable[["LocalMessageStore"], "MessageFilter"]
"""What a command with the filter flags is handed: the filter, once there is a store."""


def with_filters(command: Callable[..., T]) -> Callable[..., T]:
    """Gives a command the flags of `message_filter`, and their outcome as its argument `select`."""
    flags = list(signature(message_filter).parameters.values())[1:]
    own = [p for p in signature(command).parameters.values() if p.name != "select"]

    def run(**values: Any) -> T:
        chosen = {flag.name: values.pop(flag.name) for flag in flags}
        return command(select=partial(message_filter, **chosen), **values)

    run.__name__, run.__doc__, run.__annotations__ = command.__name__, command.__doc__, {}
    merged = [p.replace(kind=Parameter.KEYWORD_ONLY) for p in [*own, *flags]]
    run.__signature__ = Signature(merged)  # type: ignore[attr-defined]
    return run
