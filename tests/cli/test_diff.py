"""`msgstore diff`: two sessions beside each other."""

from __future__ import annotations

from typing import Any

import pytest

from .harness import Cli, plain


def record(cli: Cli, name: str, *changes: str) -> None:
    """A session of an order; what is in `changes` goes otherwise."""
    cli("sessions", "start", "--name", name)
    lines: list[dict[str, Any]] = [
        {"streamId": "order-commands", "type": "PlaceOrder", "id": f"{name}-1", "requestId": name},
        {
            "streamId": "orders-1",
            "type": "OrderPlaced",
            "id": f"{name}-2",
            "requestId": name,
            "messageType": "event",
            "data": {"total": 105 if "total" in changes else 100, "at": name},
        },
        {"streamId": "mails", "type": "MailSent", "causationId": f"{name}-2"},
        {"streamId": "audit", "type": "Audited"},
    ]
    if "alternating" in changes:
        lines.insert(0, lines.pop())
    if "no mail" in changes:
        del lines[2]
    if "audit" in changes:
        lines.append({"streamId": "audit", "type": "Alarmed", "data": {"why": "\x1b[31m"}})
    cli.save(*lines)
    cli("sessions", "end")


@pytest.fixture(scope="module")
def store(shared_cli: Cli) -> Cli:
    record(shared_cli, "first")
    record(shared_cli, "second", "alternating")
    record(shared_cli, "third", "total", "no mail", "audit")
    return shared_cli


def test_runs_that_are_the_same(store: Cli) -> None:
    """Other ids, times, positions and another turn of streams are no difference: exit 0, nothing said."""
    done = store("diff", "last~2", "last~1", "--ignore", "data.at")
    assert (done.code, done.out, done.err) == (0, "", "")
    assert store("diff", "last~2", "last~2").code == 0


def test_runs_that_differ(store: Cli) -> None:
    """Each difference is a line, and the exit code is 1."""
    done = store("diff", "last~2", "last", "--ignore", "data.at")
    assert (done.code, done.err) == (1, "")
    changed, missing, extra = done.lines
    assert (changed["change"], changed["type"], changed["under"]) == (
        "changed",
        "OrderPlaced",
        ["PlaceOrder"],
    )
    assert changed["fields"] == [{"path": "data.total", "a": 100, "b": 105}]
    assert (changed["a"]["position"], changed["b"]["position"]) == (2, 10)
    assert (missing["change"], missing["type"]) == ("missing", "MailSent")
    assert missing["under"] == ["PlaceOrder", "OrderPlaced"]
    assert "b" not in missing
    assert (extra["change"], extra["type"], extra["under"]) == ("extra", "Alarmed", [])
    assert "a" not in extra


def test_what_is_ignored(store: Cli) -> None:
    """Without rules all data counts; with rules for all of it nothing is changed."""
    [only] = store("diff", "last~2", "last~1").lines
    assert only["fields"] == [{"path": "data.at", "a": "first", "b": "second"}]
    flags = ("--ignore", "data.*", "--type", "OrderPlaced")
    assert store("diff", "last~2", "last", *flags).code == 0


def test_filters_are_for_both(store: Cli) -> None:
    """Only what matches is compared."""
    assert store("diff", "last~2", "last", "--kind", "command").code == 0
    assert store("diff", "last~2", "last", "--stream", "audit").code == 1


def test_on_a_terminal(store: Cli) -> None:
    """On a terminal a line a message and one a field, and a summary on stderr; nothing acts on it."""
    done = store.terminal("diff", "last~2", "last", "--ignore", "data.at", columns=70)
    assert plain(done.out).splitlines() == [
        "~ OrderPlaced  orders-1  #2 → #10  below PlaceOrder",
        "    data.total  100 → 105",
        "- MailSent  mails  #3  below OrderPlaced",
        "+ Alarmed  audit  #12",
        r'    why="\u001b[31m"',
    ]
    assert plain(done.err) == "1 missing, 1 extra, 1 changed, 2 messages the same\n"
    assert (
        plain(store.terminal("diff", "last", "last").err) == "no differences\n4 messages the same\n"
    )


@pytest.mark.parametrize("columns", [30, 60])
def test_it_fits(store: Cli, columns: int) -> None:
    """However narrow the terminal, no line is longer."""
    rows = plain(store.terminal("diff", "last~2", "last", columns=columns).out).splitlines()
    assert max(map(len, rows)) <= columns


@pytest.mark.parametrize(
    "arguments",
    [
        "last",
        "last nix",
        "last last~9",
        "last last --ignore at",
        "last last --ignore data.",
        "last last --session last",
    ],
)
def test_usage(store: Cli, arguments: str) -> None:
    """A session that is not there, or a rule that could ignore nothing, is exit 2."""
    done = store("diff", *arguments.split())
    assert (done.code, done.out) == (2, "")


def test_no_store(cli: Cli) -> None:
    """diff makes no store."""
    assert cli("diff", "last~1", "last").code == 5
    assert not cli.store.exists()
