"""`msgstore query`: every filter is a flag."""

from __future__ import annotations

import pytest

from .harness import Cli

MESSAGES = [
    {"streamId": "orders-1", "type": "PlaceOrder", "messageType": "command", "requestId": "r-1"},
    {"streamId": "orders-1", "type": "OrderPlaced", "correlationId": "c-1", "data": {"total": 100}},
    {
        "streamId": "orders-2",
        "type": "OrderPlaced",
        "correlationId": "c-2",
        "data": {"total": 50.5},
    },
    {
        "streamId": "carts-1",
        "type": "CartOpened",
        "causationId": "e-1",
        "data": {"note": "Hi", "total": 0},
    },
    {"streamId": "orders-2", "type": "OrderShipped", "id": "m-5", "correlationId": "c-1"},
    {
        "streamId": "orders-2",
        "type": "T",
        "data": {"orderId": "ord-1", "items": [{"sku": "a"}, {"sku": "b"}]},
    },
    {"streamId": "odd[1]", "type": "T", "data": {"a.b": 1, "c": {"d": None}}},
]


@pytest.fixture(scope="module")
def shop(shared_cli: Cli) -> Cli:
    """The messages above at positions 1 to 7; nothing here writes to them."""
    shared_cli.save(*MESSAGES)
    return shared_cli


@pytest.mark.parametrize(
    ("flags", "positions"),
    [
        ([], [1, 2, 3, 4, 5, 6, 7]),
        (["--correlation-id", "c-1"], [2, 5]),
        (["--request-id", "r-1"], [1]),
        (["--causation-id", "e-1"], [4]),
        (["--id", "m-5"], [5]),
        (["--stream", "orders-1"], [1, 2]),
        (["--stream", "orders-*"], [1, 2, 3, 5, 6]),
        (["--stream", "*-[12]"], [1, 2, 3, 4, 5, 6]),
        (["--stream", "odd[[]1]"], [7]),
        (["--stream", "nix"], []),
        (["-t", "OrderPlaced"], [2, 3]),
        (["-t", "OrderPlaced", "--type", "OrderShipped"], [2, 3, 5]),
        (["--kind", "command"], [1]),
        (["--kind", "event", "--stream", "orders-1"], [2]),
        (["--session", "no-session"], [1, 2, 3, 4, 5, 6, 7]),
        (["--from-position", "6"], [6, 7]),
        (["--to-position", "2"], [1, 2]),
        (["--from-position", "3", "--to-position", "3"], [3]),
        (["--since", "1h"], [1, 2, 3, 4, 5, 6, 7]),
        (["--until", "1h"], []),
        (["--since", "yesterday", "--until", "now"], [1, 2, 3, 4, 5, 6, 7]),
        (["--json", '{"orderId": "ord-1"}'], [6]),
        (["--json", '{"items.1.sku": "b"}'], [6]),
        (["--json", '{"a.b": 1}'], [7]),
        (["--json", '{"c.d": null}'], [7]),
        (["--json", '{"total": 100, "note": "Hi"}'], []),
        (["--where", "total>=50.5"], [2, 3]),
        (["--where", "total>=50", "--where", "total<100"], [3]),
        (["--where", "note~^H"], [4]),
        (["--where", "note?"], [4]),
        (["--where", "total!=0"], [2, 3]),
        (["--correlation-id", "c-1", "-t", "OrderPlaced"], [2]),
        (["-n", "2"], [1, 2]),
        (["-r", "-n", "2"], [7, 6]),
        (["--last", "2"], [6, 7]),
        (["--last", "1", "-t", "OrderPlaced"], [3]),
        (["-n", "0"], []),
    ],
)
def test_filters(shop: Cli, flags: list[str], positions: list[int]) -> None:
    """Each flag is a filter, all given ones must hold, and messages come in order of position."""
    done = shop("query", *flags)
    assert (done.code, done.err) == (0, "")
    assert [m["position"] for m in done.lines] == positions


@pytest.mark.parametrize(
    ("flags", "number"),
    [
        ([], 7),
        (["-t", "OrderPlaced"], 2),
        (["-n", "3"], 3),
        (["--last", "99"], 7),
        (["--id", "nix"], 0),
    ],
)
def test_count_is_a_bare_number(shop: Cli, flags: list[str], number: int) -> None:
    """--count prints only the number, whatever the output."""
    assert shop("query", "--count", *flags).out == f"{number}\n"
    assert shop("query", "--count", "-o", "json", *flags).out == f"{number}\n"


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        (["-e", "-t", "OrderPlaced"], 0),
        (["-e", "-t", "Nix"], 1),
        (["-e", "--count", "-t", "Nix"], 1),
        (["--exit-status", "--count"], 0),
        (["-t", "Nix"], 0),
    ],
)
def test_exit_status(shop: Cli, flags: list[str], code: int) -> None:
    """With -e an empty result is exit 1; without it 0."""
    assert shop("query", *flags).code == code


@pytest.mark.parametrize(
    "flag",
    [
        *(
            "--correlation-id",
            "--request-id",
            "--causation-id",
            "--id",
            "--stream",
            "--type",
            "--kind",
        ),
        *(
            "--session",
            "--since",
            "--until",
            "--from-position",
            "--to-position",
            "--json",
            "--where",
        ),
    ],
)
def test_an_empty_filter_is_refused(shop: Cli, flag: str) -> None:
    """An empty text is exit 2 and names the flag; it never means everything."""
    done = shop("query", flag, "")
    assert (done.code, done.out) == (2, "")
    assert flag in done.err or "session" in done.err


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--kind", "thing"),
        ("--session", "nix"),
        ("--since", "soon"),
        ("--until", "2026-13-01"),
        ("--from-position", "-1"),
        ("--json", "[]"),
        ("--json", "{}"),
        ("--json", "{nope"),
        ("--json", '{"a": NaN}'),
        ("--json", '{"a": 1180591620717411303424}'),
        ("--where", "total"),
        ("--where", "note~["),
        ("--nix", "1"),
        ("-n", "many"),
    ],
)
def test_a_bad_filter_is_refused(shop: Cli, flag: str, value: str) -> None:
    """What a flag cannot mean is exit 2, with one line of why and one of what to try."""
    done = shop("query", flag, value)
    assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 2)
    assert done.err.splitlines()[1].startswith("  try: ")


def test_a_bad_time_lists_the_forms(shop: Cli) -> None:
    """A time that cannot be read is a usage error that lists the forms."""
    said = shop("query", "--since", "soon").err
    for form in (
        "14:30",
        "yesterday",
        "90s",
        "1h",
        "'1h ago'",
        "2d",
        "epoch seconds",
        "2026-11-23",
    ):
        assert form in said


def test_two_passes_give_the_last_of_many(cli: Cli) -> None:
    """--last of more than fits in the hand gives the same messages in the same order."""
    lines = "".join(f'{{"type":"T","data":{n}}}\n' for n in range(12_000))
    cli("save", "many", "-", stdin=lines)
    for command in (["query"], ["read", "many"]):
        out = cli(*command, "--last", "11000", "-o", "raw").out.split()
        assert out == [str(n) for n in range(1000, 12_000)]


def test_session_names(cli: Cli) -> None:
    """--session takes last, last~1 and the beginning of an id."""
    first, second = (cli("sessions", "start").out.strip() for _ in range(2))
    for session in (first, second):
        cli("save", "s", "-t", "T", "--session", session)
    assert [m["sessionId"] for m in cli("query", "--session", "last").lines] == [second]
    assert [m["sessionId"] for m in cli("query", "--session", "last~1").lines] == [first]
    assert [m["sessionId"] for m in cli("query", "--session", first[:-2]).lines] == [first]
