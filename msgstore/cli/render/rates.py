"""Counts that are drawn again and again in their place."""

import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from msgstore.cli.escape import visible
from msgstore.cli.render.bars import bar, sparkline
from msgstore.cli.render.screen import Screen
from msgstore.cli.render.table import Column, Table
from msgstore.cli.settings import Settings

if TYPE_CHECKING:
    from msgstore.analysis.rates import Rate

_UP, _CLEAR_BELOW, _CLEAR_ALL = "\x1b[{}F", "\x1b[J", "\x1b[H\x1b[2J"


class Board:
    """A table on a terminal, over what it drew before; no taller than the screen."""

    def __init__(self, settings: Settings, group: str) -> None:
        self._settings = settings
        self._group = group
        self._lines_drawn = 0
        self._width_drawn = 0

    def draw(self, rates: "Sequence[Rate]") -> None:
        """The names with the most first, or those of the latest times last, as they are handed in."""
        screen = Screen(self._settings)
        size = shutil.get_terminal_size()
        room = max(1, size.lines - 3)
        is_time = self._group in ("hour", "day")
        shown = rates[-room:] if is_time else rates[:room]
        table = Table(_columns(rates, self._group, screen), screen, wide=False)
        drawn = b"".join(table.add(rate) for rate in shown) + table.release()
        if not rates:
            drawn = screen.draw([Text("no messages yet", "dim")])
        elif len(rates) > len(shown):
            drawn += screen.draw([Text(f"and {len(rates) - len(shown):,} more", "dim")])
        out = sys.stdout.buffer
        out.write(self._back(size.columns).encode() + drawn)
        out.flush()
        self._lines_drawn, self._width_drawn = drawn.count(b"\n"), size.columns

    def _back(self, columns: int) -> str:
        if not self._lines_drawn:
            return ""
        if (
            columns != self._width_drawn
        ):  # lines may have been broken: nobody knows how many there are
            return _CLEAR_ALL
        return _UP.format(self._lines_drawn) + _CLEAR_BELOW


def _columns(rates: "Sequence[Rate]", group: str, screen: Screen) -> list[Column]:
    total = sum(rate.number for rate in rates)
    largest = max((rate.number for rate in rates), default=0)

    def a_second(rate: "Rate") -> Text:
        return Text(f"{rate.a_second:,.1f}" if any(rate.history) else "", "dim")

    return [
        Column(group, lambda r: Text(visible(r.name)), least=20),
        Column("messages", lambda r: Text(f"{r.number:,}"), right=True),
        Column("share", lambda r: Text(f"{r.number / total:.1%}", "dim"), right=True, rank=2),
        Column("a second", a_second, right=True, rank=4),
        Column("last 30 s", lambda r: sparkline(r.history, screen), rank=3),
        Column("", lambda r: bar(r.number, largest, screen), rank=1),
    ]
