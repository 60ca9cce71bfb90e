"""`msgstore streams [GLOB]`."""

from __future__ import annotations

import pytest

from .harness import Cli, plain


@pytest.fixture(scope="module")
def store(shared_cli: Cli) -> Cli:
    shared_cli.save(
        *(
            {"streamId": s, "type": "T"}
            for s in ("orders-2", "orders-1", "carts", "orders-2", "a[b]")
        )
    )
    return shared_cli


def test_lists_streams_as_they_were_begun(store: Cli) -> None:
    """One JSON object a stream, the oldest first, with its revision, count and positions."""
    lines = store("streams").lines
    assert [line["streamId"] for line in lines] == ["orders-2", "orders-1", "carts", "a[b]"]
    first = lines[0]
    assert first.pop("createdAt") <= first.pop("lastUpdated")
    assert first == {
        "streamId": "orders-2",
        "revision": 1,
        "messageCount": 2,
        "firstPosition": 1,
        "lastPosition": 4,
    }


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("orders-*", ["orders-2", "orders-1"]),
        ("orders-?", ["orders-2", "orders-1"]),
        ("*[!2]", ["orders-1", "carts", "a[b]"]),
        ("carts", ["carts"]),
        ("a[[]b]", ["a[b]"]),
        ("ORDERS-*", []),
    ],
)
def test_a_pattern_chooses(store: Cli, pattern: str, expected: list[str]) -> None:
    """The pattern is matched against the whole id, with case."""
    assert [line["streamId"] for line in store("streams", pattern).lines] == expected


def test_an_empty_pattern_is_refused(store: Cli) -> None:
    """An empty pattern is exit 2."""
    assert store("streams", "").code == 2


def test_a_table_on_a_terminal(store: Cli) -> None:
    """On a terminal streams are a table with aligned numbers."""
    rows = plain(store.terminal("streams").out).splitlines()
    assert rows[0].split() == ["stream", "messages", "first", "last", "begun", "last", "activity"]
    assert rows[1].split()[:4] == ["orders-2", "2", "1", "4"]
