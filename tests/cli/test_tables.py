"""Tables that are drawn while their rows come."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from msgstore.cli.render.messages import message_columns
from msgstore.cli.render.screen import Screen
from msgstore.cli.render.table import Table
from msgstore.cli.settings import Settings
from msgstore.model.message import Message, MessageType, PositionalMessage

NOW = datetime.now().astimezone()


def stored(position: int, recorded: datetime = NOW, **fields: str) -> PositionalMessage:
    return PositionalMessage(
        stream_id=fields.pop("stream_id", "orders-1"),
        message=Message(fields.pop("type", "T"), {"n": position}, **fields),  # type: ignore[arg-type]
        message_type=MessageType.EVENT,
        revision=position - 1,
        position=position,
        timestamp=recorded,
        session_id="no-session",
    )


@pytest.fixture
def table() -> Table:
    """A table of messages on a screen without colours, limited to 80 columns."""
    screen = Screen(Settings({"LANG": "C.UTF-8", "NO_COLOR": "1"}))
    screen.width = 80
    return Table(message_columns(screen), screen, wide=False)


def drawn(table: Table, *messages: PositionalMessage) -> list[str]:
    shown = b"".join(table.add(message) for message in messages) + table.release()
    return shown.decode().splitlines()


def test_messages_of_today_have_no_date(table: Table) -> None:
    """The time of day is enough for today."""
    assert drawn(table, stored(1))[0].split() == [
        "#",
        "time",
        "stream",
        "rev",
        "kind",
        "type",
        "data",
    ]


def test_all_have_a_date_when_one_is_older(table: Table) -> None:
    """As soon as a row is of another day, every row has its date."""
    lines = drawn(table, stored(1, NOW - timedelta(days=3)), stored(2))
    assert lines[0].split()[:3] == ["#", "date", "time"]
    assert [line.split()[1] for line in lines[1:]] == [
        f"{NOW - timedelta(days=3):%Y-%m-%d}",
        f"{NOW:%Y-%m-%d}",
    ]


def test_the_head_is_drawn_once(table: Table) -> None:
    """Rows that come later stand under the same head, in the same columns."""
    first = drawn(table, stored(1, stream_id="a-long-name-of-a-stream"))
    later = drawn(table, stored(2, type="OrderPlaced"))
    assert (len(first), len(later)) == (2, 1)
    assert later[0].index("●") == first[1].index("●")


def test_a_new_column_has_a_new_head(table: Table) -> None:
    """When a column is needed that was not, the head is drawn again."""
    drawn(table, stored(1))
    later = drawn(table, stored(2, correlation_id="c-1"))
    assert later[0] == ""
    assert "correlation" in later[1].split()
    assert "c-1" in later[2].split()


def test_rows_are_held_in_bounds(table: Table) -> None:
    """A long table is drawn in stretches, not held to its end."""
    parts = [table.add(stored(n)) for n in range(1, 1201)]
    assert [index for index, part in enumerate(parts) if part] == [499, 999]
