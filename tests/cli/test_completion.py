"""Completion in the shell."""

from __future__ import annotations

import pytest

from .harness import Cli


def offered(cli: Cli, words: str) -> list[str]:
    """What bash would offer after `words`."""
    count = len(words.split(" ")) - 1
    variables = {
        "_MSGSTORE_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(count),
    }
    done = cli.with_environment(**variables)()
    assert done.err == ""
    return done.out.split()


@pytest.fixture
def store(cli: Cli) -> Cli:
    cli.save({"streamId": "orders-1", "type": "T"}, {"streamId": "carts-1", "type": "T"})
    return cli


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("msgstore st", ["stats", "streams", "stuck"]),
        ("msgstore sessions s", ["show", "start"]),
        ("msgstore query --c", ["--count", "--correlation-id", "--causation-id", "--color"]),
        ("msgstore query -o j", ["json", "jsonl"]),
        ("msgstore query --kind ", ["command", "event"]),
        ("msgstore read ord", ["orders-1"]),
        ("msgstore save ", ["orders-1", "carts-1"]),
        ("msgstore query --stream c", ["carts-1"]),
    ],
)
def test_offers(store: Cli, words: str, expected: list[str]) -> None:
    """Commands, flags, their values and the ids of streams are offered."""
    assert offered(store, words) == expected


def test_offers_sessions(store: Cli) -> None:
    """Ids of sessions are offered, the latest first after `last`."""
    one, two = (store("sessions", "start").out.strip() for _ in range(2))
    assert offered(store, "msgstore query --session ") == ["last", two, one]
    assert offered(store, "msgstore sessions show l") == ["last"]


def test_the_store_that_is_named_is_asked(store: Cli) -> None:
    """--store before the word decides whose streams are offered."""
    store("--store", "other", "save", "invoices", "-t", "T")
    assert offered(store, "msgstore --store other read ") == ["invoices"]


def test_no_store_offers_nothing(cli: Cli) -> None:
    """Without a store there is nothing to offer, and no complaint."""
    assert offered(cli, "msgstore read x") == []
    assert not cli.store.exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell(cli: Cli, shell: str) -> None:
    """The script that a shell sources is printed."""
    done = cli.with_environment(_MSGSTORE_COMPLETE=f"source_{shell}")()
    assert done.code == 0
    assert "_MSGSTORE_COMPLETE" in done.out
