"""`msgstore stuck`: commands that no event answers."""

from __future__ import annotations

import csv
import io
import json

import pytest

from .harness import Cli, plain


@pytest.fixture
def store(cli: Cli) -> Cli:
    """Commands c-1 to c-4, of which c-1 is answered by request id and c-2 by causation id."""
    cli.save(
        *(
            {
                "streamId": f"orders-{n}",
                "type": "Place",
                "messageType": "command",
                "id": f"c-{n}",
                "requestId": f"r-{n}",
                "data": {"n": n},
            }
            for n in range(1, 5)
        ),
        {"streamId": "x", "type": "Placed", "messageType": "event", "requestId": "r-1"},
        {"streamId": "x", "type": "Placed", "messageType": "event", "causationId": "c-2"},
        {"streamId": "x", "type": "Place", "messageType": "command", "causationId": "c-3"},
    )
    return cli


def ids(cli: Cli, *flags: str) -> list[str | None]:
    done = cli("stuck", *flags)
    assert (done.code, done.err) == (0, "")
    return [m["message"].get("requestId") for m in done.lines]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("", ["r-3", "r-4", None]),
        ("-n 1", ["r-3"]),
        ("--stream orders-*", ["r-3", "r-4"]),
        ("--where n>=4", ["r-4"]),
        ("--to-position 3", ["r-3"]),
        ("--after 1h", []),
        ("--after 0s --type Place --request-id r-3", ["r-3"]),
        ("--kind command", ["r-3", "r-4", None]),
        ("--after 5000000w", []),
    ],
)
def test_which(store: Cli, flags: str, expected: list[str | None]) -> None:
    """Those without an event after them that has their request id or is caused by them."""
    assert ids(store, *flags.split()) == expected


def test_a_record(store: Cli) -> None:
    """The message as query prints it, and its age in milliseconds."""
    [record] = store("stuck", "-n", "1").lines
    assert 0 <= record.pop("ageMs") < 3_600_000
    assert record == store("query", "--id", "c-3").lines[0]


def test_exit_status(store: Cli) -> None:
    """With -e it is 1 if there are any, and 0 if not; without it always 0."""
    assert store("stuck", "-e").code == 1
    assert store("stuck", "-e", "--count").code == 1
    assert store("stuck", "-e", "--after", "1h").code == 0
    assert store("stuck").code == 0


def test_count(store: Cli) -> None:
    """--count prints a bare number."""
    assert store("stuck", "--count").out == "3\n"
    assert store("stuck", "--count", "-n", "2").out == "2\n"


def test_forms(store: Cli) -> None:
    """csv has a column for the age, raw the data, json one array, --fields what it names."""
    rows = list(csv.DictReader(io.StringIO(store("stuck", "-o", "csv").out)))
    assert [row["message.id"] for row in rows[:2]] == ["c-3", "c-4"]
    assert all(row["ageMs"].isdecimal() for row in rows)
    assert store("stuck", "-n", "1", "-o", "raw").out == '{"n":3}\n'
    assert len(json.loads(store("stuck", "-o", "json").out)) == 3
    assert store("stuck", "-n", "1", "--fields", "id,data.n").lines == [{"id": "c-3", "data.n": 3}]


@pytest.mark.parametrize("columns", [60, 80, 140])
def test_a_table(store: Cli, columns: int) -> None:
    """On a terminal the age stands first, and everything within the width."""
    done = store.terminal("stuck", columns=columns)
    head, *rows = plain(done.out).splitlines()
    assert head.split()[:2] == ["age", "#"]
    assert len(rows) == 3
    assert max(map(len, [head, *rows])) <= columns
    assert "kind" not in head


def test_none_on_a_terminal(store: Cli) -> None:
    """A terminal is told that there are none."""
    assert store.terminal("stuck", "--after", "1h").err == "no stuck commands\n"


def test_usage(store: Cli) -> None:
    """Events are never stuck, and a duration is one: exit 2."""
    assert store("stuck", "--kind", "event").code == 2
    assert store("stuck", "--after", "soon").code == 2


def test_no_store(cli: Cli) -> None:
    """Exit 5 where there is no store."""
    assert cli("stuck").code == 5


def test_damage(store: Cli) -> None:
    """With --skip-damaged the rest is told, and the exit code is 3."""
    [segment] = store.store.glob("streams/*/orders-3*")
    content = bytearray(segment.read_bytes())
    content[-20] ^= 1
    segment.write_bytes(content)
    assert store("stuck").code == 3
    done = store("stuck", "--skip-damaged")
    assert done.code == 3
    assert [m["message"].get("requestId") for m in done.lines] == ["r-4", None]
