"""`msgstore copy` from files to a real server and back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cli.conftest import cli  # noqa: F401 - the fixture
from cli.harness import Cli

from msgstore import FileMessageStore, LocalMessageStore, Message, open_store


def filled(path: Path) -> None:
    """Three streams, one of an id that no subject could be; sessions, the last without a message."""
    with FileMessageStore(path, durability="os") as store:
        for name in ("one", "two", "none"):
            with store.session(name, {"host": name}):
                for n in range(20 if name != "none" else 0):
                    stream_id = ("orders-1", "a.b *>", "ö")[n % 3]
                    store.save_message(stream_id, Message("T", {"n": n}, metadata={"of": name}))


def content(store: LocalMessageStore) -> list[tuple[object, ...]]:
    return [
        (m.stream_id, m.revision, m.position, m.message_type, m.message)
        for m in store.get_all_messages()
    ]


def sessions(store: LocalMessageStore) -> list[tuple[object, ...]]:
    return [(s.name, s.labels["host"], s.status, s.message_count) for s in store.get_sessions()]


def test_there_and_back(cli: Cli, new_url: Callable[[], str]) -> None:  # noqa: F811
    """Messages keep their places on a server and back; sessions come along; again, nothing is new."""
    url = new_url()
    filled(cli.store)
    [there] = cli("copy", ".msgstore", url, "--batch-size", "7").lines
    [back] = cli("copy", url, "back").lines
    assert [(r["messages"], r["positionsKept"], r["sessions"]) for r in (there, back)] == [
        (40, 40, 3)
    ] * 2
    assert there["checksum"] == back["checksum"]
    [again] = cli("copy", "back", url, "--no-sessions").lines
    assert (again["messages"], again["duplicates"]) == (0, 40)
    with FileMessageStore(cli.store) as source:
        for name in (url, str(cli.folder / "back")):
            with open_store(name, create=False) as copy:
                assert content(copy) == content(source)
                assert sessions(copy) == sessions(source)


def test_taken_up_again(cli: Cli, new_url: Callable[[], str]) -> None:  # noqa: F811
    """A copy on a server that has a part is completed; what it lacks, and what is wrong, is told."""
    url = new_url()
    filled(cli.store)
    assert cli("copy", ".msgstore", url, "--to-position", "20").lines[0]["messages"] == 20
    checked = cli("copy", ".msgstore", url, "--check")
    assert (checked.code, checked.lines[0]["missing"]) == (1, 20)
    [rest] = cli("copy", ".msgstore", url).lines
    assert (rest["duplicates"], rest["messages"], rest["positionsKept"]) == (20, 20, 40)
    with FileMessageStore(cli.store) as source, open_store(url, create=False) as copy:
        assert sessions(copy) == sessions(source)
        copy.save_message("ö", Message("Foreign"))
        source.save_message("ö", Message("T"))
    refused = cli("copy", ".msgstore", url)
    assert refused.code == 4
    assert "Expected revision" in refused.err
