"""A table that is drawn while its rows come: measured a stretch at a time, never all at once."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from rich.cells import cell_len
from rich.text import Text

from msgstore.cli.render.layout import GAP, Wish, fit
from msgstore.cli.render.screen import Screen, cut

_ROWS_MAX = 500
_CELLS_MAX = 1 << 20
HEAD = "dim"


def always(record: Any) -> bool:
    return True


class Column(NamedTuple):
    """`cell` makes a record's text; `needed` says whether a record is reason enough to show it."""

    head: str
    cell: Callable[[Any], Text]
    right: bool = False
    rank: int = 0
    least: int | None = None
    """How far it may shrink; None: not at all."""
    comfortable: int = 0
    whole: bool = False
    needed: Callable[[Any], bool] = always


class Table:
    """An encoder. Columns stay where they are as long as they can, and the head is drawn once."""

    def __init__(self, columns: Sequence[Column], screen: Screen, wide: bool) -> None:
        self._columns = columns
        self._screen = screen
        self._width = None if wide else screen.width
        self._rows: list[list[Text]] = []
        self._cells_held = 0
        self._needed = {column.head for column in columns if wide or column.needed is always}
        self._naturals = {column.head: cell_len(column.head) for column in columns}
        self._widths: dict[str, int] = {}
        self._head_drawn: tuple[str, ...] = ()

    def add(self, record: Any) -> bytes:
        row = [column.cell(record) for column in self._columns]
        for column, text in zip(self._columns, row, strict=True):
            width = cell_len(text.plain)
            self._cells_held += width
            self._naturals[column.head] = max(self._naturals[column.head], width)
            if column.head not in self._needed and column.needed(record):
                self._needed.add(column.head)
        self._rows.append(row)
        full = len(self._rows) >= _ROWS_MAX or self._cells_held > _CELLS_MAX
        return self.release() if full else b""

    def release(self) -> bytes:
        rows, self._rows, self._cells_held = self._rows, [], 0
        if not rows:
            return b""
        widths = fit([self._wish(c) for c in self._columns if c.head in self._needed], self._width)
        self._widths = widths
        shown = [(i, c, widths[c.head]) for i, c in enumerate(self._columns) if c.head in widths]
        lines = [self._line([(c, row[i], width) for i, c, width in shown]) for row in rows]
        return self._screen.draw([*self._head(shown), *lines])

    def end(self) -> bytes:
        return b""

    def _wish(self, column: Column) -> Wish:
        natural = self._naturals[column.head]
        if column.whole and column.head in self._widths:  # once drawn, it stays as it is
            natural = self._widths[column.head]
        least = natural if column.least is None else min(natural, column.least)
        comfortable = max(least, min(natural, column.comfortable))
        return Wish(column.head, natural, comfortable, least, column.rank, column.whole)

    def _head(self, shown: Sequence[tuple[int, Column, int]]) -> list[Text]:
        names = tuple(column.head for _, column, _ in shown)
        if names == self._head_drawn:
            return []
        again, self._head_drawn = bool(self._head_drawn), names
        head = self._line([(column, _head_of(column, width), width) for _, column, width in shown])
        return [Text(), head] if again else [head]

    def _line(self, cells: Sequence[tuple[Column, Text, int]]) -> Text:
        line = Text()
        for column, text, width in cells:
            if line:
                line.append(" " * GAP)
            line.append_text(self._fitted(column, text, width))
        return line

    def _fitted(self, column: Column, text: Text, width: int) -> Text:
        size = cell_len(text.plain)
        if size > width:
            if not column.whole:
                return cut(text, width, self._screen.signs)
            text = text.copy()
            text.truncate(width)
            return text
        padding = Text(" " * (width - size))
        return Text.assemble(padding, text) if column.right else Text.assemble(text, padding)


def _head_of(column: Column, width: int) -> Text:
    """A head that does not fit over a shortened column says nothing."""
    return Text("" if column.whole and width < len(column.head) else column.head, HEAD)
