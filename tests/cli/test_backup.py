"""`msgstore backup DEST` and `msgstore restore BACKUP`."""

from __future__ import annotations

import pytest

from .harness import Cli, plain


@pytest.fixture
def store(cli: Cli) -> Cli:
    """Three single messages, then five in one commit."""
    for number in range(3):
        cli("save", "a", "-t", "T", f"n:={number}")
    cli.save(*({"streamId": "b", "type": "T", "data": {"n": n}} for n in range(3, 8)))
    return cli


def test_backup(store: Cli) -> None:
    """It prints one object; the copy is a store; a second run copies what is new."""
    done = store("backup", "copy")
    dest = str(store.folder / "copy")
    assert (done.code, done.err) == (0, "")
    [first] = done.lines
    assert {**first, "bytes": 0} == {
        "path": dest,
        "position": 8,
        "messages": 8,
        "bytes": 0,
        "verified": "copied",
    }
    assert store("--store", "copy", "query").out == store("query").out
    store("save", "a", "-t", "T")
    [second] = store("backup", "copy", "--verify", "all").lines
    assert (second["position"], second["messages"], second["verified"]) == (9, 1, "all")
    assert 0 < second["bytes"] < first["bytes"]


def test_on_a_terminal(store: Cli) -> None:
    """A sentence; with -q nothing."""
    shown = store.terminal("backup", "copy").out
    assert shown.startswith("backed up 8 messages (")
    assert f"to {store.folder / 'copy'}, which ends at position 8" in shown
    shown = store.terminal("backup", "copy").out
    assert shown == f"{store.folder / 'copy'} ends at position 8: no messages were to be copied\n"
    assert store.terminal("backup", "copy", "-q").out == ""
    assert plain(store.terminal("--store", "new", "restore", "copy").out).startswith("restored 8")


def test_restore(store: Cli) -> None:
    """The store that --store names is made of the backup, and goes on."""
    store("backup", "copy")
    done = store("--store", "new", "restore", "copy", "-o", "json")
    assert (done.code, done.err) == (0, "")
    assert store("--store", "new", "query").out == store("query").out
    assert store("--store", "new", "save", "a", "-t", "T").lines[0]["firstPosition"] == 9


@pytest.mark.parametrize(("asked", "given"), [("3", 3), ("5", 3), ("2", 2), ("99", 8)])
def test_to_position(store: Cli, asked: str, given: int) -> None:
    """It ends with a whole commit, and says where that is if it was asked for another place."""
    done = store("restore", ".msgstore", "--store", "then", "--to-position", asked)
    assert done.lines[0]["position"] == given
    said = f"the last commit up to position {asked} ends at {given}\n"
    assert done.err == ("" if int(asked) == given else said)
    assert len(store("--store", "then", "query").lines) == given


def test_refusals(store: Cli) -> None:
    """What there is is not overwritten, what is no earlier state not gone on with: exit 5."""
    store("backup", "copy")
    assert store("restore", "copy").code == 5
    store("--store", "copy", "save", "a", "-t", "Mine")
    done = store("backup", "copy")
    assert done.code == 5
    assert "not an earlier state" in done.err
    assert "try: back up into a new folder" in done.err
    assert store("--store", "none", "backup", "other").code == 5
    assert not (store.folder / "other").exists()
    assert store("--store", "memory:", "backup", "other").code == 2
    assert store("backup", ".msgstore").code == 2
    assert store("backup", "").code == 2
    assert store("restore", "copy", "--store", "x", "--to-position", "0").code == 2


def test_no_backup(store: Cli) -> None:
    """The advice is about the backup that was named, and not about the store to be made."""
    done = store("restore", str(store.store.with_name("nowhere")), "--store", "new")
    assert done.code == 5
    assert done.err.splitlines()[1] == (
        "  try: name the folder of a backup, as `msgstore backup` makes it"
    )


def test_damage(store: Cli) -> None:
    """Damage in the store is exit 3, named; the unfinished copy is no store."""
    [segment] = [f for f in store.store.rglob("*.msgpack") if f.name.startswith("b~")]
    content = bytearray(segment.read_bytes())
    content[-10] ^= 1
    segment.write_bytes(content)
    done = store("backup", "copy")
    assert (done.code, done.out) == (3, "")
    assert "stream b, revision 4, position 8" in done.err
    for command in (["query"], ["save", "a", "-t", "T"]):
        refused = store("--store", "copy", *command)
        assert refused.code == 5
        assert "was not finished; run it again" in refused.err


def test_damage_in_the_copy(store: Cli) -> None:
    """It is said to be there, not in the store."""
    store("backup", "copy")
    [segment] = [f for f in (store.folder / "copy").rglob("*.msgpack") if f.name.startswith("a~")]
    segment.write_bytes(segment.read_bytes()[:-5])
    store("save", "a", "-t", "T")
    done = store("backup", "copy")
    assert done.code == 3
    assert f"this is in {store.folder / 'copy'}" in done.err
    assert store("verify").code == 0
