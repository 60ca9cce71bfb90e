"""`msgstore show POSITION|ID`."""

from __future__ import annotations

import json

import pytest

from .harness import Cli, plain


@pytest.fixture(scope="module")
def store(shared_cli: Cli) -> Cli:
    shared_cli.save(
        {"streamId": "s", "type": "A", "id": "m-1", "data": {"a": [1, 2.5, None, True, "x"]}},
        {"streamId": "s", "type": "B", "id": "1"},
    )
    return shared_cli


@pytest.mark.parametrize(("name", "kind"), [("1", "A"), ("2", "B"), ("m-1", "A")])
def test_by_position_or_id(store: Cli, name: str, kind: str) -> None:
    """Digits are a position, anything else an id; one JSON object comes out."""
    assert [m["message"]["type"] for m in store("show", name).lines] == [kind]


@pytest.mark.parametrize("name", ["3", "0", "99999999999999999999", "nix"])
def test_no_such_message(store: Cli, name: str) -> None:
    """A message that is not there is exit 2."""
    done = store("show", name)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("msgstore: no message ")


def test_json_is_one_object(store: Cli) -> None:
    """-o json prints the object itself, not an array."""
    assert json.loads(store("show", "1", "-o", "json").out)["position"] == 1


def test_pretty_on_a_terminal(store: Cli) -> None:
    """On a terminal it is indented JSON in colour, with the same value."""
    shown = store.terminal("show", "1").out
    assert "\x1b[" in shown
    assert json.loads(plain(shown)) == store("show", "1").lines[0]
    assert '\n  "streamId": "s",\n' in plain(shown)


def test_no_color(store: Cli) -> None:
    """NO_COLOR and --color never leave the colours out, --color always puts them into a pipe."""
    assert "\x1b" not in store.with_environment(NO_COLOR="1").terminal("show", "1").out
    assert "\x1b" not in store.terminal("show", "1", "--color", "never").out
    assert (
        "\x1b"
        in store.with_environment(NO_COLOR="1")(
            "show", "1", "-o", "pretty", "--color", "always"
        ).out
    )
    assert "\x1b" not in store("show", "1", "-o", "pretty").out
