"""The table of messages."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING
from zlib import crc32

from rich.text import Text

from msgstore.cli.escape import visible
from msgstore.cli.render.brief import brief
from msgstore.cli.render.layout import ESSENTIAL
from msgstore.cli.render.screen import Screen
from msgstore.cli.render.table import Column
from msgstore.model.message import NO_SESSION, MessageType

if TYPE_CHECKING:
    from msgstore.model.message import PositionalMessage
    from msgstore.model.values import Json

# Of middling lightness, so that they read on a dark ground and on a light one.
_HUES = (25, 28, 29, 31, 61, 64, 66, 67, 94, 97, 101, 125, 130, 132, 133)
_COMMAND, _EVENT = "bold color(130)", "color(29)"


def message_columns(screen: Screen) -> list[Column]:
    """Most important first in rank, payload last in place, because it is the longest."""

    def short(data: "Json") -> Text:
        pieces = brief(data, screen.width)
        return Text.assemble(*((text, "dim" if what == "key" else "") for text, what in pieces))

    def kind(m: "PositionalMessage") -> Text:
        sign, style = kind_sign(m, screen)
        return Text(f"{sign} {m.message_type:<7}", style)

    today = datetime.now().astimezone().date()
    return [
        Column("#", lambda m: Text(str(m.position), "dim"), right=True),
        Column(
            "date",
            lambda m: Text(f"{m.timestamp.astimezone():%Y-%m-%d}", "dim"),
            rank=ESSENTIAL + 3,
            needed=lambda m: m.timestamp.astimezone().date() != today,
        ),
        Column("time", _time, rank=ESSENTIAL + 2, least=8, whole=True),
        Column("stream", lambda m: Text(visible(m.stream_id), stream_style(m.stream_id))),
        Column("rev", lambda m: Text(str(m.revision)), right=True, rank=ESSENTIAL + 1),
        Column("kind", kind, least=1, whole=True),
        Column("type", lambda m: Text(visible(m.message.type), "bold"), least=24, comfortable=60),
        _id("correlation", 5, lambda m: m.message.correlation_id),
        _id("request", 4, lambda m: m.message.request_id),
        _id("causation", 3, lambda m: m.message.causation_id),
        _id("session", 6, lambda m: m.session_id if m.session_id != NO_SESSION else None),
        _extra("id", 1, lambda m: Text(visible(m.message.id or ""), "dim"), lambda m: False),
        _extra("produced", 2, _produced, lambda m: False),
        Column("data", lambda m: short(m.message.data), least=16, comfortable=40),
        _extra(
            "metadata",
            1,
            lambda m: Text() if m.message.metadata is None else short(m.message.metadata),
            lambda m: m.message.metadata is not None,
        ),
    ]


def kind_sign(m: "PositionalMessage", screen: Screen) -> tuple[str, str]:
    """The sign of a command or an event, and its style."""
    if m.message_type is MessageType.COMMAND:
        return screen.signs.command, _COMMAND
    return screen.signs.event, _EVENT


def stream_style(stream_id: str) -> str:
    """The same hue for the same stream, always."""
    return f"color({_HUES[crc32(stream_id.encode()) % len(_HUES)]})"


def _time(m: "PositionalMessage") -> Text:
    local = m.timestamp.astimezone()
    return Text(f"{local:%H:%M:%S}.{local.microsecond // 1000:03}")


def _produced(m: "PositionalMessage") -> Text:
    produced = m.message.timestamp
    return Text(f"{produced.astimezone():%Y-%m-%d %H:%M:%S}" if produced else "", "dim")


def _id(head: str, rank: int, get: "Callable[[PositionalMessage], str | None]") -> Column:
    return _extra(head, rank, lambda m: Text(visible(get(m) or "")), lambda m: get(m) is not None)


def _extra(
    head: str,
    rank: int,
    cell: "Callable[[PositionalMessage], Text]",
    needed: "Callable[[PositionalMessage], bool]",
) -> Column:
    return Column(head, cell, rank=rank, needed=needed)
