"""The table of commands that no event answers."""

from datetime import timedelta

from rich.text import Text

from msgstore.cli.render.messages import message_columns
from msgstore.cli.render.screen import Screen
from msgstore.cli.render.table import Column
from msgstore.cli.shapes import Shape


def stuck_columns(screen: Screen, shape: Shape) -> list[Column]:
    """The age, then what the table of messages has; that they are commands is no news."""
    age = Column("age", lambda s: Text(brief_age(s.age), "bold color(130)"), right=True)
    return [age, *(_of_message(c) for c in message_columns(screen) if c.head != "kind")]


def _of_message(column: Column) -> Column:
    return column._replace(
        cell=lambda s: column.cell(s.stored), needed=lambda s: column.needed(s.stored)
    )


def brief_age(age: timedelta) -> str:
    """`12 s`, `5 min 3 s`, `2 h 40 min`, `3 d 4 h`: the two largest units."""
    total_s = int(age.total_seconds())
    if total_s < 60:
        return f"{total_s} s"
    if total_s < 3600:
        return f"{total_s // 60} min {total_s % 60} s"
    if total_s < 86_400:
        return f"{total_s // 3600} h {total_s % 3600 // 60} min"
    return f"{total_s // 86_400:,} d {total_s % 86_400 // 3600} h"
