"""The tables of streams, sessions and counts."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from rich.text import Text

from msgstore.cli.escape import visible
from msgstore.cli.render.bars import bar
from msgstore.cli.render.dumps import dump_columns
from msgstore.cli.render.layout import ESSENTIAL
from msgstore.cli.render.messages import stream_style
from msgstore.cli.render.screen import Screen
from msgstore.cli.render.stuck import stuck_columns
from msgstore.cli.render.table import Column
from msgstore.cli.render.traces import trace_columns
from msgstore.cli.shapes import Shape

if TYPE_CHECKING:
    from msgstore.cli.records import Session
    from msgstore.model.results import StreamInfo


def moment(time: datetime | None) -> str:
    """Local, to the second."""
    return f"{time.astimezone():%Y-%m-%d %H:%M:%S}" if time else ""


def _stream_columns(screen: Screen, shape: Shape) -> list[Column]:
    def number(head: str, get: "Callable[[StreamInfo], int]", rank: int = 0) -> Column:
        return Column(head, lambda s: Text(f"{get(s):,}"), right=True, rank=rank)

    return [
        Column("stream", lambda s: Text(visible(s.stream_id), stream_style(s.stream_id))),
        number("messages", lambda s: s.message_count),
        number("first", lambda s: s.first_position, rank=1),
        number("last", lambda s: s.last_position, rank=2),
        Column("begun", lambda s: Text(moment(s.created_at), "dim"), rank=3),
        Column("last activity", lambda s: Text(moment(s.last_updated)), rank=ESSENTIAL),
    ]


def _session_columns(screen: Screen, shape: Shape) -> list[Column]:
    def state(s: "Session") -> Text:
        if s.is_active:
            return Text(f"{screen.signs.active} active", "bold color(29)")
        if s.info.ended_at is None:
            return Text("open")
        return Text(visible(s.info.status or "ended"), "dim")

    def number(head: str, get: "Callable[[Session], int]", rank: int) -> Column:
        return Column(head, lambda s: Text(f"{get(s):,}"), right=True, rank=rank)

    return [
        Column("session", lambda s: Text(visible(s.info.session_id))),
        Column(
            "name",
            lambda s: Text(visible(s.info.name or ""), "bold"),
            rank=ESSENTIAL + 1,
            least=12,
            needed=lambda s: bool(s.info.name),
        ),
        Column("state", state, least=8),
        number("messages", lambda s: s.info.message_count, ESSENTIAL + 2),
        number("commands", lambda s: s.info.command_count, 3),
        number("events", lambda s: s.info.event_count, 4),
        Column("started", lambda s: Text(moment(s.info.started_at)), rank=ESSENTIAL),
        Column("ended", lambda s: Text(moment(s.info.ended_at)), rank=2),
        Column("last activity", lambda s: Text(moment(s.info.last_activity), "dim"), rank=1),
        Column(
            "labels",
            lambda s: Text(visible(" ".join(f"{k}={v}" for k, v in s.info.labels.items()))),
            rank=5,
            least=12,
            needed=lambda s: bool(s.info.labels),
        ),
    ]


def _count_columns(screen: Screen, shape: Shape) -> list[Column]:
    return [
        Column(shape.paths[0], lambda c: Text(visible(c.name)), least=20),
        Column("messages", lambda c: Text(f"{c.number:,}"), right=True),
        Column("share", lambda c: Text(f"{c.number / c.total:.1%}", "dim"), right=True, rank=2),
        Column("", lambda c: bar(c.number, c.largest, screen), rank=1),
    ]


COLUMNS: dict[str, Callable[[Screen, Shape], list[Column]]] = {
    "stream": _stream_columns,
    "session": _session_columns,
    "count": _count_columns,
    "dump": dump_columns,
    "stuck command": stuck_columns,
    "traced message": trace_columns,
}
