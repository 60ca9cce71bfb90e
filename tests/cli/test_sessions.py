"""`msgstore sessions`: list, show, start, end."""

from __future__ import annotations

import re

import pytest

from .harness import Cli, plain


def start(cli: Cli, *flags: str) -> str:
    return cli("sessions", "start", *flags).out.strip()


def test_start_prints_the_id_alone(cli: Cli) -> None:
    """start makes the store where there is none and prints only the new id."""
    done = cli("sessions", "start", "--name", "nightly", "--label", "host=web-1")
    assert (done.code, done.err) == (0, "")
    assert re.fullmatch(r"session-\d{13}-[0-9a-z]{8}\n", done.out)


def test_start_prints_the_id_alone_on_a_terminal(cli: Cli) -> None:
    """Also on a terminal, and whatever -o says."""
    assert re.fullmatch(r"session-\S+\n", cli.terminal("sessions", "start", "-o", "json").out)


def test_what_was_started_is_listed(cli: Cli) -> None:
    """The list has every session in order, with name, labels, counts, and which one is active."""
    first = start(cli, "--name", "nightly", "--label", "host=web-1", "--label", "x=a=b")
    cli("save", "s", "-t", "T")
    cli("save", "s-commands", "-t", "T")
    second = start(cli)
    one, two = cli("sessions").lines
    assert (one["sessionId"], two["sessionId"]) == (first, second)
    assert (one["name"], one["labels"]) == ("nightly", {"host": "web-1", "x": "a=b"})
    assert (one["messageCount"], one["commandCount"], one["eventCount"]) == (2, 1, 1)
    assert ("active" in one, two["active"], two["messageCount"]) == (False, True, 0)
    assert "endedAt" not in one


def test_no_sessions_is_an_empty_list(cli: Cli) -> None:
    """A store without sessions lists nothing; a terminal is told so."""
    cli("save", "s", "-t", "T")
    assert cli("sessions").out == ""
    assert cli.terminal("sessions").err == "no sessions\n"


def test_end_ends_the_active_one(cli: Cli) -> None:
    """end without an id ends the active session with a status; saves after it have none."""
    start(cli)
    cli("save", "s", "-t", "T")
    done = cli("sessions", "end", "--status", "ok")
    assert (done.code, done.out) == (0, "")
    assert done.err.endswith(", 1 message\n")
    ended = cli("sessions").lines[0]
    assert ended["status"] == "ok"
    assert "endedAt" in ended
    assert "active" not in ended
    cli("save", "s", "-t", "T")
    assert cli("query", "--last", "1").lines[0]["sessionId"] == "no-session"


def test_end_by_name(cli: Cli) -> None:
    """end takes last~1 and the beginning of an id; the active one stays."""
    first, second = start(cli), start(cli)
    assert cli("sessions", "end", "last~1", "-q").err == ""
    assert [("endedAt" in s, s.get("active")) for s in cli("sessions").lines] == [
        (True, None),
        (False, True),
    ]
    assert cli("sessions", "end", second[:-1]).code == 0
    assert first != second


def test_end_without_an_active_session(cli: Cli) -> None:
    """end with nothing to end is exit 2."""
    cli("save", "s", "-t", "T")
    done = cli("sessions", "end")
    assert (done.code, done.err.splitlines()[0]) == (2, "msgstore: no session is active")


def test_end_twice(cli: Cli) -> None:
    """A session ends once; the second time is exit 2."""
    session = start(cli)
    cli("sessions", "end")
    assert cli("sessions", "end", session).code == 2


def test_show_prints_one_object(cli: Cli) -> None:
    """show prints the facts of one session as one JSON object."""
    session = start(cli, "--name", "nightly")
    shown = cli("sessions", "show", "last").lines
    assert [s["sessionId"] for s in shown] == [session]
    assert shown == cli("sessions").lines


def test_show_on_a_terminal(cli: Cli) -> None:
    """On a terminal show also draws the last five messages, in order."""
    session = start(cli, "--name", "nightly", "--label", "host=web-1")
    cli.save(*({"streamId": "s", "type": f"T{n}"} for n in range(7)))
    shown = plain(cli.terminal("sessions", "show", "last").out)
    assert re.search(rf"^session +{session}$", shown, re.MULTILINE)
    assert re.search(r"^messages +7 \(0 commands, 7 events\)$", shown, re.MULTILINE)
    assert re.findall(r"T\d", shown) == ["T2", "T3", "T4", "T5", "T6"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nix", "session 'nix' does not exist"),
        ("", "the session's id is empty"),
        ("last~2", "last~2: the store has only 2 sessions"),
        ("last~x", "session 'last~x' does not exist"),
    ],
)
def test_a_name_for_no_session(cli: Cli, name: str, reason: str) -> None:
    """A name that no session has is exit 2."""
    start(cli)
    start(cli)
    done = cli("sessions", "show", name)
    assert (done.code, done.err.splitlines()[0]) == (2, f"msgstore: {reason}")


def test_a_name_for_several_lists_them(cli: Cli) -> None:
    """The beginning of several ids is exit 2, and the candidates are listed."""
    both = [start(cli), start(cli)]
    done = cli("sessions", "show", "session-")
    assert done.code == 2
    assert done.err == f"msgstore: 2 sessions begin with 'session-'\n  try: {', '.join(both)}\n"


@pytest.mark.parametrize("label", ["novalue", "=x", ""])
def test_a_label_is_a_pair(cli: Cli, label: str) -> None:
    """--label without a key or a value is exit 2, and no store is made."""
    assert cli("sessions", "start", "--label", label).code == 2
    assert not cli.store.exists()


def test_only_start_makes_a_store(cli: Cli) -> None:
    """Listing, showing and ending need a store: exit 5."""
    assert [cli("sessions", *rest).code for rest in ([], ["show", "last"], ["end"])] == [5, 5, 5]
