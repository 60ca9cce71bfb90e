"""`msgstore read STREAM`."""

from __future__ import annotations

import pytest

from .harness import Cli


@pytest.fixture(scope="module")
def orders(shared_cli: Cli) -> Cli:
    """Ten messages in `orders`, each followed by one in `other`."""
    shared_cli.save(
        *(
            {"streamId": stream, "type": "T", "data": {"n": n}}
            for n in range(10)
            for stream in ("orders", "other")
        )
    )
    return shared_cli


def revisions(cli: Cli, *flags: str) -> list[int]:
    done = cli("read", "orders", *flags)
    assert (done.code, done.err) == (0, "")
    assert {m["streamId"] for m in done.lines} <= {"orders"}
    return [m["revision"] for m in done.lines]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ("-r", [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
        ("-n 3", [0, 1, 2]),
        ("--limit 3 --reverse", [9, 8, 7]),
        ("--last 3", [7, 8, 9]),
        ("--last 3 -r", [9, 8, 7]),
        ("--last 99", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ("-n 0", []),
        ("--last 0", []),
        ("--from-revision 8", [8, 9]),
        ("--to-revision 1", [0, 1]),
        ("--from-revision 3 --to-revision 5", [3, 4, 5]),
        ("--from-revision 3 --to-revision 5 -r", [5, 4, 3]),
        ("--from-revision 3 --to-revision 5 --last 2", [4, 5]),
        ("--from-revision 3 -n 2", [3, 4]),
        ("--from-revision 99", []),
        ("--from-revision 5 --to-revision 3", []),
    ],
)
def test_the_part_that_is_asked_for(orders: Cli, flags: str, expected: list[int]) -> None:
    """Revisions bound the part, -n counts from where reading starts, --last from the end in order."""
    assert revisions(orders, *flags.split()) == expected


def test_an_unknown_stream_is_empty(orders: Cli) -> None:
    """An unknown stream prints nothing, and is no error."""
    done = orders("read", "nix")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_limit_and_last_exclude_each_other(orders: Cli) -> None:
    """-n with --last is a usage error."""
    assert orders("read", "orders", "-n", "1", "--last", "1").code == 2


@pytest.mark.parametrize("flag", ["-n", "--last", "--from-revision", "--to-revision"])
@pytest.mark.parametrize("value", ["-1", "x", "1.5", ""])
def test_numbers_are_whole_and_not_negative(orders: Cli, flag: str, value: str) -> None:
    """Anything but a number of 0 or more is a usage error."""
    assert orders("read", "orders", flag, value).code == 2


def test_a_stream_needs_a_name(orders: Cli) -> None:
    """An empty stream id is exit 2, never everything."""
    assert orders("read", "").code == 2


def test_the_json_of_a_message(cli: Cli) -> None:
    """A message is printed with exactly the fields of the contract, absent ones left out."""
    cli.save({"streamId": "s", "type": "T", "data": {"a": 1}, "id": "m-1"})
    message = cli("read", "s").lines[0]
    assert message.pop("timestamp").endswith("Z")
    assert message == {
        "streamId": "s",
        "message": {"type": "T", "data": {"a": 1}, "id": "m-1"},
        "messageType": "event",
        "revision": 0,
        "position": 1,
        "sessionId": "no-session",
    }
