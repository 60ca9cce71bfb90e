"""The filter as flags: what is typed, what is parsed from it, and the command line that says the same."""

import re
import shlex
from collections.abc import Mapping
from inspect import signature
from typing import TYPE_CHECKING, Any

from typer import Context, Typer
from typer._click.exceptions import UsageError
from typer.core import TyperCommand
from typer.main import get_command

from msgstore.cli.errors import BadUsage
from msgstore.cli.options import Select, message_filter, with_filters

if TYPE_CHECKING:
    from msgstore.backends.protocol import LocalMessageStore
    from msgstore.model.filter import MessageFilter

Flags = Mapping[str, Any]
"""The arguments of `message_filter` that are given: `{"type": ["OrderPlaced"], "since": "1h"}`."""

NAMES = tuple(signature(message_filter).parameters)[1:]
_HINT = "-t TYPE, --stream GLOB, --since 1h, --where 'total>=100': the flags of query"

_app = Typer(add_completion=False, rich_markup_mode=None)


@_app.command(cls=TyperCommand, add_help_option=False)
@with_filters
def _filter(ctx: Context, select: Select) -> None:
    """Only the flags of filters."""


def parse_flags(text: str) -> Flags:
    """What a line of flags says, as a shell would read it.

    Raises BadUsage.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BadUsage(f"{text[:40]!r}: {str(error).lower()}", "close the quotes") from None
    try:
        context = get_command(_app).make_context("filter", words)
    except UsageError as error:
        raise BadUsage(error.format_message().rstrip("."), _HINT) from None
    return given(context.params)


def given(values: Mapping[str, Any]) -> Flags:
    """Those flags that say something."""
    return {
        name: list(value) if isinstance(value, list | tuple) else value
        for name, value in values.items()
        if name in NAMES and value not in (None, [], ())
    }


def filter_of(flags: Flags, store: "LocalMessageStore") -> "MessageFilter":
    """Raises BadUsage, which names the flag."""
    return message_filter(store, **flags)


def flag_words(flags: Flags) -> list[str]:
    """The flags as words of a command line."""
    words: list[str] = []
    for name in NAMES:
        values = flags.get(name, [])
        for value in values if isinstance(values, list) else [values]:
            flag, text = f"--{name.replace('_', '-')}", str(value)
            words += [f"{flag}={text}"] if text.startswith("-") else [flag, text]
    return words


def flag_line(flags: Flags) -> str:
    return shlex.join(flag_words(flags))


def stream_flag(stream_id: str) -> str:
    """What `--stream` takes for this stream: what a pattern would read stands in brackets.

    For a character that cannot be seen stands `?`: the line is typed on, and shown.
    """
    pattern = re.sub(r"([*?[])", r"[\1]", stream_id)
    return "".join(c if c.isprintable() else "?" for c in pattern)


# ---------------------------------------------------------------- the same as a command


def query_command(store_url: str | None, flags: Flags) -> str:
    return _command(store_url, "query", *flag_words(flags))


def show_command(store_url: str | None, position: int) -> str:
    return _command(store_url, "show", str(position))


def session_command(store_url: str | None, session_id: str) -> str:
    return _command(store_url, "sessions", "show", *_operand(session_id))


def stream_command(store_url: str | None, stream_id: str) -> str:
    return _command(store_url, "read", *_operand(stream_id))


def _operand(text: str) -> list[str]:
    return ["--", text] if text.startswith("-") else [text]


def _command(store_url: str | None, *words: str) -> str:
    store = [] if store_url is None else ["--store", store_url]
    return " ".join(map(_quote, ["msgstore", *store, *words]))


def _quote(word: str) -> str:
    """As shlex does; what cannot be seen as escapes, in the quotes of bash and zsh that read them."""
    if word.isprintable():
        return shlex.quote(word)
    parts = (_ESCAPED.get(c, c) if c.isprintable() else _escape(c) for c in word)
    return f"$'{''.join(parts)}'"


_ESCAPED = {"\\": "\\\\", "'": "\\'"}


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a path that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
