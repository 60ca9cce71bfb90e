"""The lists beside: runs, newest first, and streams, in the order in which they were created."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from rich.text import Text

from msgstore.cli.browser.grid import Grid
from msgstore.cli.browser.rows import Rows
from msgstore.cli.browser.source import Desk
from msgstore.cli.escape import visible
from msgstore.cli.render.messages import stream_style
from msgstore.cli.render.screen import Screen
from msgstore.cli.render.table import Column
from msgstore.model.message import NO_SESSION
from msgstore.model.results import SessionInfo, StreamInfo

if TYPE_CHECKING:
    from msgstore.backends.protocol import LocalMessageStore

STREAMS_PAGE = 200
STREAMS_MAX = 20_000
"""Streams in memory; those behind are reached with a filter."""


class Side(Rows):
    """A list of which the first line stands for all."""

    def __init__(self, grid: Grid, all_of_them: str, **attributes: Any) -> None:
        super().__init__(grid, "", **attributes)
        self._all = Text(all_of_them, "italic")
        self.items: list[Any] = []

    def records(self) -> Sequence[Any]:
        return [self._all, *self.items]

    @property
    def current(self) -> Any:
        """None on the line that stands for all."""
        return self.items[self.cursor - 1] if 0 < self.cursor <= len(self.items) else None


class Runs(Side):
    """Sessions, the one started last first, and what was saved in none."""

    def __init__(self, screen: Screen, **attributes: Any) -> None:
        super().__init__(Grid(_run_columns(screen), screen.signs), "all runs", **attributes)

    def show(self, sessions: list[SessionInfo]) -> None:
        """On return the cursor is on the run it was on, as far as that is still there."""
        current = self.current.session_id if isinstance(self.current, SessionInfo) else None
        self.items = [*reversed(sessions), NO_SESSION]
        ids = [getattr(item, "session_id", None) for item in self.items]
        if current in ids and current is not None:
            self.cursor = ids.index(current) + 1
        self.draw()

    def as_line(self, record: Any) -> Any:
        return Text("in no run", "italic") if record == NO_SESSION else record

    @property
    def session_id(self) -> str | None:
        current = self.current
        return current.session_id if isinstance(current, SessionInfo) else current


class Streams(Side):
    """Streams, as many as were scrolled to: they are asked for in pages."""

    def __init__(
        self, screen: Screen, desk: Desk, store: "LocalMessageStore", **attributes: Any
    ) -> None:
        super().__init__(Grid(_stream_columns(), screen.signs), "all streams", **attributes)
        self._desk = desk
        self._store = store
        self._rest: Iterator[StreamInfo] | None = None
        self._is_asked = False
        self._is_complete = True

    def reload(self) -> None:
        """Begins anew; as many as were there are asked for."""
        wanted = min(STREAMS_MAX, max(STREAMS_PAGE, len(self.items)))
        self._is_asked = True

        def read() -> tuple[Iterator[StreamInfo], list[StreamInfo]]:
            rest = self._store.get_streams()
            return rest, list(islice(rest, wanted))

        def show(found: tuple[Iterator[StreamInfo], list[StreamInfo]]) -> None:
            self._rest, self.items = found
            self._is_asked, self._is_complete = False, len(self.items) < wanted
            self.draw()

        self._desk.ask("streams", read, show)

    def moved(self) -> None:
        super().moved()
        rest = self._rest
        near_end = self.cursor > len(self.items) - STREAMS_PAGE // 2
        if not near_end or self._is_complete or self._is_asked or rest is None:
            return
        if len(self.items) >= STREAMS_MAX:
            return
        self._is_asked = True
        self._desk.ask("streams", lambda: list(islice(rest, STREAMS_PAGE)), self._add)

    def _add(self, page: list[StreamInfo]) -> None:
        self.items += page
        self._is_asked, self._is_complete = False, len(page) < STREAMS_PAGE
        self.draw()

    @property
    def stream_id(self) -> str | None:
        return self.current.stream_id if self.current else None


def _run_columns(screen: Screen) -> list[Column]:
    def status(s: SessionInfo) -> Text:
        if s.ended_at is None:
            return Text(f"{screen.signs.active} open", "bold color(29)")
        style = "color(130)" if s.status not in (None, "ok", "0") else "dim"
        return Text(visible(s.status or "ended"), style)

    return [
        Column("run", lambda s: Text(visible(s.name or s.session_id), "bold"), least=10),
        Column("begun", lambda s: Text(_short(s.started_at), "dim"), rank=2),
        Column("status", status, rank=3, least=4),
        Column("messages", lambda s: Text(f"{s.message_count:,}"), right=True, rank=4),
    ]


def _stream_columns() -> list[Column]:
    def name(s: StreamInfo) -> Text:
        return Text(visible(s.stream_id), stream_style(s.stream_id))

    return [
        Column("stream", name, least=10),
        Column("last", lambda s: Text(_short(s.last_updated), "dim"), rank=2),
        Column("messages", lambda s: Text(f"{s.message_count:,}"), right=True, rank=4),
    ]


def _short(time: datetime) -> str:
    local = time.astimezone()
    today = datetime.now().astimezone().date()
    return f"{local:%H:%M:%S}" if local.date() == today else f"{local:%Y-%m-%d}"
