"""Bytes with their meaning beside them, as a table."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.text import Text

from msgstore.cli.encoders import dump_json
from msgstore.cli.escape import visible, visible_json
from msgstore.cli.render.screen import Screen
from msgstore.cli.render.table import Column, Table
from msgstore.cli.shapes import Shape

if TYPE_CHECKING:
    from msgstore.format.annotate import Annotation, Field

_BYTES_SHOWN = 16


def dump_facts(dump: "Annotation", screen: Screen) -> Iterator[tuple[str, str] | bytes]:
    yield "what", dump.what
    yield "file", dump.path
    yield "at byte", f"{dump.offset}"
    yield "length", f"{dump.length}"
    for problem in dump.problems:
        yield "problem", problem
    table = Table(_FIELD_COLUMNS, screen, wide=False)
    rows = b"".join(table.add(field) for field in dump.fields)
    yield b"\n" + rows + table.release()


def _bytes(field: "Field") -> Text:
    shown = field.data[:_BYTES_SHOWN].hex(" ")
    return Text(f"{shown} …" if len(field.data) > _BYTES_SHOWN else shown, "dim")


def _value(field: "Field") -> Text:
    value = field.value
    text = visible(value) if isinstance(value, str) else visible_json(dump_json(value).decode())
    return Text(f"{text} ({field.meaning})" if field.meaning and text else text or field.meaning)


_FIELD_COLUMNS = [
    Column("at byte", lambda f: Text(f"{f.offset}"), right=True),
    Column("bytes", _bytes, least=12, comfortable=26),
    Column("field", lambda f: Text(visible(f.name))),
    Column("value", _value, least=30),
]


def dump_columns(screen: Screen, shape: Shape) -> list[Column]:
    """The parts of the journal, one a line."""

    def number(name: str, rank: int) -> Column:
        def cell(dump: "Annotation") -> Text:
            value = dump.value_of(name)
            return Text("" if value is None else f"{value}")

        return Column(name, cell, right=True, rank=rank)

    return [
        Column("what", lambda d: Text(visible(d.what))),
        Column("at byte", lambda d: Text(f"{d.offset}"), right=True),
        Column("bytes", lambda d: Text(f"{d.length}"), right=True, rank=3),
        number("generation", 4),
        number("sequence", 5),
        number("first row", 2),
        number("rows", 6),
        number("writes", 1),
        Column(
            "problems",
            lambda d: Text(visible("; ".join(d.problems)), "bold red"),
            least=20,
            needed=lambda d: bool(d.problems),
        ),
    ]
