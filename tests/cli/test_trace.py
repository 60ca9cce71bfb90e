"""`msgstore trace`: the tree of causes."""

from __future__ import annotations

from typing import Any

import pytest

from .harness import Cli, json_lines, plain

CHILD = "corr-1-1763900000000-ab3"


def message(
    stream: str, type: str, correlation: str | None = "corr-1", **more: Any
) -> dict[str, Any]:
    fields = {} if correlation is None else {"correlationId": correlation}
    return {"streamId": stream, "type": type, **fields, **more}


ORDER = [
    message("order-commands", "PlaceOrder", id="m1", requestId="r1"),
    message("orders-1", "OrderPlaced", id="m2", requestId="r1", messageType="event"),
    message("payment-commands", "TakePayment", id="m3", causationId="m2"),
    message("noise", "Tick", None),
    message("payments-1", "PaymentTaken", id="m5", causationId="m3", data={"total": 100}),
    message("mails", "MailSent", CHILD, id="m6"),
    message("mails", "MailLost", CHILD, causationId="gone"),
]
CIRCLE = [
    message("s", "A", None, id="a", causationId="b"),
    message("s", "B", None, id="b", causationId="a"),
]


@pytest.fixture(scope="module")
def store(shared_cli: Cli) -> Cli:
    for line in (*ORDER, *CIRCLE):  # one by one, so that each has its own time
        shared_cli.save(line)
    return shared_cli


def places(cli: Cli, *arguments: str) -> list[tuple[int, int, int | None]]:
    done = cli("trace", *arguments)
    assert (done.code, done.err) == (0, "")
    return [
        (line["position"], line["trace"]["depth"], line["trace"].get("parent"))
        for line in done.lines
    ]


TREE = [(1, 0, None), (2, 1, 1), (3, 2, 2), (5, 3, 3), (6, 1, 1), (7, 1, 1)]


@pytest.mark.parametrize("target", ["1", "5", "7", "m1", "m6", "corr-1", CHILD, "r1"])
def test_the_same_tree_from_everywhere(store: Cli, target: str) -> None:
    """A position, an id, a correlation, its child or a request id: all find the whole of it."""
    assert places(store, target) == TREE


def test_a_line_is_a_message_with_its_place(store: Cli) -> None:
    """In a pipe each line is the message as `query` prints it, and `trace` beside it."""
    lines = store("trace", "m2").lines
    assert [{k: v for k, v in line.items() if k != "trace"} for line in lines] == [
        store("show", str(line["position"])).lines[0] for line in lines
    ]
    assert [line["trace"].get("start") for line in lines] == [None, True, None, None, None, None]
    assert sum(line["trace"].get("slowest", False) for line in lines) == 1
    assert [line["trace"].get("link") for line in lines] == [
        None, "request", "causation", "causation", "correlation", "correlation",
    ]  # fmt: skip
    for line in lines[1:]:
        assert 0 < line["trace"]["gapMs"] <= line["trace"]["offsetMs"]


def test_filters_narrow_it(store: Cli) -> None:
    """What does not match is left out; what named it as its cause is an orphan then."""
    assert places(store, "m1", "--to-position", "3") == TREE[:3]
    lines = store("trace", "corr-1", "--type", "PlaceOrder", "--type", "TakePayment").lines
    assert [line["trace"].get("orphan", False) for line in lines] == [False, True]


def test_without_an_argument(store: Cli) -> None:
    """It is the forest of all that matches, and of nothing else."""
    assert places(store, "--kind", "command") == [(1, 0, None), (3, 0, None)]
    assert places(store, "--stream", "nix") == []


def test_no_more_than_the_limit(store: Cli) -> None:
    """With --limit it is cut, and stderr says so."""
    done = store("trace", "corr-1", "-n", "2")
    assert len(done.lines) == 2
    assert done.err.startswith("there is more than these 2 messages")


def test_children_are_looked_for_nearby(store: Cli) -> None:
    """With --look-ahead 0 children that nothing else links are not found."""
    assert places(store, "corr-1", "--look-ahead", "0") == TREE[:4]
    assert places(store, "corr-1", "--look-ahead", "1") == TREE


def test_exit_status(store: Cli) -> None:
    """With -e an orphan or a cycle is exit 1."""
    assert store("trace", "corr-1", "-e").code == 1
    assert store("trace", "a", "-e").code == 1
    assert store("trace", "corr-1", "-e", "--to-position", "5").code == 0


def test_a_cycle_ends(store: Cli) -> None:
    """Each message of a circle stands there once, and the first tells all of it."""
    lines = store("trace", "b").lines
    assert [line["position"] for line in lines] == [8, 9]
    assert lines[0]["trace"]["cycle"] == [8, 9]


def test_the_tree_on_a_terminal(store: Cli) -> None:
    """On a terminal it is drawn; what is wrong stands beside it, and a summary on stderr."""
    done = store.terminal("trace", "m2", columns=120)
    rows = [row[:22].rstrip() for row in plain(done.out).splitlines()]
    assert rows == [
        "message",
        "▶ PlaceOrder",
        "├─● OrderPlaced ◀",
        "│ └─▶ TakePayment",
        "│   └─● PaymentTaken",
        "├─● MailSent",
        "└─● MailLost",
    ]
    assert "orphan: no gone" in done.out
    assert plain(done.err).startswith("6 messages, 5 streams, ")
    assert ", 1 orphan, slowest #" in plain(done.err)
    circle = store.terminal("trace", "a", columns=120)
    assert "cycle: #8 < #9 < #8" in circle.out


def test_the_tree_without_unicode(store: Cli) -> None:
    """Where the locale has no Unicode the lines of the tree are plain."""
    shown = store.with_environment(LC_ALL="C").terminal("trace", "m2").out
    assert "| `-> TakePayment" in plain(shown)
    assert shown.isascii()


@pytest.mark.parametrize("columns", [30, 60, 80, 140])
@pytest.mark.parametrize("flags", [(), ("--timeline",)])
def test_it_fits(store: Cli, columns: int, flags: tuple[str, ...]) -> None:
    """However narrow the terminal, no line is longer."""
    rows = plain(store.terminal("trace", "corr-1", *flags, columns=columns).out).splitlines()
    assert len(rows) > 5
    assert max(map(len, rows)) <= columns


def test_lanes(store: Cli) -> None:
    """--timeline is a line for each stream, with its messages and when they came."""
    lines = store("trace", "corr-1", "--timeline").lines
    assert [(line["streamId"], line["count"]) for line in lines] == [
        *(("order-commands", 1), ("orders-1", 1), ("payment-commands", 1)),
        *(("payments-1", 1), ("mails", 2)),
    ]
    assert lines[0]["messages"] == [
        {"position": 1, "type": "PlaceOrder", "messageType": "command", "offsetMs": 0.0}
    ]
    shown = plain(store.terminal("trace", "corr-1", "--timeline").out).splitlines()
    assert shown[0].split()[:2] == ["stream", "0"]
    assert [row.split()[0] for row in shown[1:]] == [line["streamId"] for line in lines]
    assert shown[1].split() == ["order-commands", "▶", "1"]


def test_times_of_producers(cli: Cli) -> None:
    """With --produced gaps are those of the producers' clocks, and absent where they gave no time."""
    cli.save(
        message("s", "A", id="1", timestamp="2020-01-01T00:00:00Z"),
        message("s", "B", causationId="1", timestamp="2020-01-01T01:00:00Z"),
        message("s", "C", causationId="1"),
    )
    lines = cli("trace", "1", "--produced").lines
    assert [line["trace"].get("gapMs") for line in lines] == [None, 3_600_000.0, None]
    shown = plain(cli.terminal("trace", "1", "--produced").out)
    assert "+1 h 00 m" in shown


def test_other_forms(store: Cli) -> None:
    """--fields, csv and raw take it as they take messages."""
    assert store("trace", "m5", "--fields", "trace.depth,type", "-o", "csv").out.splitlines()[
        :2
    ] == [
        "trace.depth,type",
        "0,PlaceOrder",
    ]
    assert '{"total":100}\n' in store("trace", "m5", "-o", "raw").out


@pytest.mark.parametrize(
    "arguments", ["nix", "99", "0", "m1 --type Nix", "m1 -n 0", "m1 --look-ahead x"]
)
def test_usage(store: Cli, arguments: str) -> None:
    """A target that is not there, or a flag that is wrong, is exit 2."""
    done = store("trace", *arguments.split())
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("msgstore: ")


def test_no_store(cli: Cli) -> None:
    """trace makes no store."""
    assert cli("trace", "1").code == 5
    assert not cli.store.exists()


def test_a_case_of_the_receipt_process(cli: Cli) -> None:
    """A correlation without causes is a list of its messages, in order."""
    cli(
        "save",
        "-",
        stdin=json_lines(*(message("permit-891", f"T{n}", "case-891") for n in range(6))),
    )
    assert places(cli, "case-891") == [(n, 0, None) for n in range(1, 7)]
