"""Columns that fit a width: those of the tables of `query`, with the same order of giving way."""

from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len
from rich.text import Text

from msgstore.cli.render.layout import GAP, Wish, fit
from msgstore.cli.render.screen import Signs, cut
from msgstore.cli.render.table import Column, always


class Grid:
    """Lines for records. A column that once was wide stays so, lest all move while one scrolls."""

    def __init__(self, columns: Sequence[Column], signs: Signs) -> None:
        self._columns = columns
        self._signs = signs
        self._naturals: dict[str, int] = {}
        self._needed: set[str] = set()
        self.forget()

    def forget(self) -> None:
        self._naturals = {column.head: cell_len(column.head) for column in self._columns}
        self._needed = {column.head for column in self._columns if column.needed is always}

    def lines(self, records: Sequence[Any], width: int) -> list[Text]:
        """The head, and a line for each record; a record that is a Text goes over all columns."""
        rows = [r if isinstance(r, Text) else self._row(r) for r in records]
        widths = fit([self._wish(c) for c in self._columns if c.head in self._needed], width)
        heads = [
            Text(c.head if widths.get(c.head, 0) >= len(c.head) else "") for c in self._columns
        ]
        return [self._line(row, widths, width) for row in [heads, *rows]]

    def _row(self, record: Any) -> list[Text]:
        row = [column.cell(record) for column in self._columns]
        for column, text in zip(self._columns, row, strict=True):
            self._naturals[column.head] = max(self._naturals[column.head], cell_len(text.plain))
            if column.head not in self._needed and column.needed(record):
                self._needed.add(column.head)
        return row

    def _wish(self, column: Column) -> Wish:
        natural = self._naturals[column.head]
        least = natural if column.least is None else min(natural, column.least)
        comfortable = max(least, min(natural, column.comfortable))
        return Wish(column.head, natural, comfortable, least, column.rank, column.whole)

    def _line(self, row: Text | list[Text], widths: dict[str, int], width: int) -> Text:
        if isinstance(row, Text):
            return cut(row, width, self._signs)
        line = Text()
        for column, text in zip(self._columns, row, strict=True):
            if column.head not in widths:
                continue
            if line:
                line.append(" " * GAP)
            line.append_text(_fitted(column, text, widths[column.head], self._signs))
        return cut(line, width, self._signs)


def _fitted(column: Column, text: Text, width: int, signs: Signs) -> Text:
    size = cell_len(text.plain)
    if size > width and column.whole:
        text = text.copy()
        text.truncate(width)
        return text
    if size > width:
        return cut(text, width, signs)
    padding = Text(" " * (width - size))
    return Text.assemble(padding, text) if column.right else Text.assemble(text, padding)
