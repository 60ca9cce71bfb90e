"""Which table a kind of record has."""

from typing import Any

from rich.text import Text

from msgstore.cli.encoders import dump_json
from msgstore.cli.escape import visible, visible_json
from msgstore.cli.render.screen import Screen
from msgstore.cli.render.table import Column, Table
from msgstore.cli.settings import Settings
from msgstore.cli.shapes import Picker, Shape


def table_encoder(
    settings: Settings, shape: Shape, pick: Picker | None, *, wide: bool, alone: bool
) -> Any:
    """What draws records of this shape: chosen fields, the facts of one record, or a list."""
    screen = Screen(settings)
    if pick:
        return Table([_field(pick, path) for path in pick.paths], screen, wide)
    if shape.name == "message":
        from msgstore.cli.render.messages import message_columns

        return Table(message_columns(screen), screen, wide)
    if shape.name == "lane":
        from msgstore.cli.render.traces import Lanes

        return Lanes(screen)
    if shape.name == "difference":
        from msgstore.cli.render.differences import Differences

        return Differences(screen, wide)
    if alone:
        from msgstore.cli.render.facts import FACTS, Facts

        return Facts(FACTS[shape.name], screen)
    from msgstore.cli.render.lists import COLUMNS

    return Table(COLUMNS[shape.name](screen, shape), screen, wide)


def _field(pick: Picker, path: str) -> Column:
    def cell(record: Any) -> Text:
        value = pick(record.to_json()).get(path, "")
        if isinstance(value, str):
            return Text(visible(value))
        return Text(visible_json(dump_json(value).decode()))

    return Column(path, cell, least=8)
