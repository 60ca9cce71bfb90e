"""`msgstore stats`: totals and counts."""

from __future__ import annotations

import re

import pytest

from .harness import Cli, plain


@pytest.fixture(scope="module")
def store(shared_cli: Cli) -> Cli:
    shared_cli.save(
        *({"streamId": "orders-1", "type": "OrderPlaced"} for _ in range(1200)),
        *({"streamId": "order-commands", "type": "PlaceOrder"} for _ in range(300)),
    )
    return shared_cli


def test_totals(store: Cli) -> None:
    """stats prints one JSON object with the totals."""
    totals = store("stats").lines[0]
    assert {k: v for k, v in totals.items() if k.startswith("total")} == {
        "totalMessages": 1500,
        "totalCommands": 300,
        "totalEvents": 1200,
        "totalStreams": 2,
        "totalSessions": 0,
    }
    assert totals["oldestMessage"] <= totals["newestMessage"]
    assert totals["diskBytes"] > 0


def test_an_empty_store_has_no_times(cli: Cli) -> None:
    """Without messages the times are left out."""
    cli("sessions", "start")
    totals = cli("stats").lines[0]
    assert totals["totalMessages"] == 0
    assert "oldestMessage" not in totals


def test_totals_on_a_terminal(store: Cli) -> None:
    """On a terminal numbers are aligned at the right, with thousands separated."""
    shown = plain(store.terminal("stats").out)
    assert "messages  1,500\n" in shown
    assert "commands    300\n" in shown
    assert re.search(r"on disk +[\d.]+ KiB", shown)


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ("type", [{"type": "OrderPlaced", "count": 1200}, {"type": "PlaceOrder", "count": 300}]),
        (
            "stream",
            [{"stream": "orders-1", "count": 1200}, {"stream": "order-commands", "count": 300}],
        ),
        ("kind", [{"kind": "event", "count": 1200}, {"kind": "command", "count": 300}]),
        ("session", [{"session": "no-session", "count": 1500}]),
    ],
)
def test_counts(store: Cli, group: str, expected: list[object]) -> None:
    """--by prints a JSON line for each name, the most first."""
    assert store("stats", "--by", group).lines == expected


@pytest.mark.parametrize(
    ("group", "form"), [("hour", r"\d{4}-\d\d-\d\dT\d\d:00"), ("day", r"\d{4}-\d\d-\d\d")]
)
def test_counts_in_time(store: Cli, group: str, form: str) -> None:
    """--by hour and day name the hours and days of UTC in a pipe."""
    lines = store("stats", "--by", group).lines
    stored = store("query", "-n", "1").lines[0]["timestamp"]
    assert all(re.fullmatch(form, line[group]) for line in lines)
    assert stored.startswith(lines[0][group][:13])
    assert sum(line["count"] for line in lines) == 1500


def test_hours_are_local_on_a_terminal(cli: Cli) -> None:
    """In tables --by hour is local time."""
    far = cli.with_environment(TZ="Asia/Kolkata")
    far.save({"streamId": "s", "type": "T"})
    utc = far("query").lines[0]["timestamp"]
    shown = plain(far.terminal("stats", "--by", "hour").out)
    minutes = (int(utc[11:13]) * 60 + int(utc[14:16]) + 330) % 1440
    assert f"T{minutes // 60:02}:00 " in shown


def test_bars(store: Cli) -> None:
    """On a terminal each count has its share and a bar as long as it is large."""
    rows = plain(store.terminal("stats", "--by", "type").out).splitlines()
    assert rows[0].split() == ["type", "messages", "share"]
    assert rows[1].split() == ["OrderPlaced", "1,200", "80.0%", "█" * 20]
    assert rows[2].split() == ["PlaceOrder", "300", "20.0%", "█" * 5]


def test_bars_without_unicode(store: Cli) -> None:
    """Where the locale has no Unicode the bars are plain."""
    shown = store.with_environment(LC_ALL="C").terminal("stats", "--by", "type").out
    assert "#" * 20 in shown
    assert shown.isascii()


def test_counts_of_nothing(cli: Cli) -> None:
    """An empty store has no counts, and that is no error."""
    cli("sessions", "start")
    assert (cli("stats", "--by", "type").code, cli("stats", "--by", "type").out) == (0, "")


def test_an_unknown_group(store: Cli) -> None:
    """--by anything else is exit 2."""
    assert store("stats", "--by", "colour").code == 2


def test_a_missing_store(cli: Cli) -> None:
    """stats does not make a store."""
    assert cli("stats").code == 5
    assert not cli.store.exists()
