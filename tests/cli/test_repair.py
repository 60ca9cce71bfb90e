"""`msgstore repair` and `msgstore rebuild-index`."""

from __future__ import annotations

import pytest

from .harness import Cli, plain


@pytest.fixture
def store(cli: Cli) -> Cli:
    """Twenty messages in two streams, of which the journal holds none any more."""
    cli.save(
        *(
            {"streamId": f"s-{n % 2}", "type": "T", "data": {"text": "x" * 50, "n": n}}
            for n in range(20)
        )
    )
    cli("rebuild-index")
    return cli


def damage(cli: Cli) -> None:
    """Changes one letter of the text at position 10, which is revision 4 of stream s-1."""
    segment = next(p for p in cli.store.glob("streams/*/*") if p.name.startswith("s-1"))
    content = bytearray(segment.read_bytes())
    at = -1
    for _ in range(5):
        at = content.index(b"x" * 50, at + 1)
    content[at + 10] ^= 1
    segment.write_bytes(content)


def test_a_sound_store(store: Cli) -> None:
    """Nothing wrong is exit 0, with --apply too, and a report that says so."""
    for arguments in (["repair"], ["repair", "--apply"]):
        done = store(*arguments)
        report = done.lines[0]
        assert (done.code, done.err) == (0, "")
        assert (report["messages"], report["damage"], report["rebuilt"]) == (20, [], [])
        assert report["applied"] is False


def test_the_dry_run(store: Cli) -> None:
    """Something to do is exit 3, what is lost is named, and nothing is changed."""
    damage(store)
    done = store("repair")
    report = done.lines[0]
    assert done.code == 3
    assert done.err == "nothing was changed; `msgstore repair --apply` does it\n"
    assert report["lost"] == [
        {
            "streamId": "s-1",
            "firstRevision": 4,
            "lastRevision": 4,
            "firstPosition": 10,
            "lastPosition": 10,
            "count": 1,
            "placing": "known",
        }
    ]
    assert report["lostCount"] == 1
    assert report["damage"][0]["position"] == 10
    assert "quarantine" not in report or report["quarantine"] is None
    assert store("verify").code == 3


def test_the_repair(store: Cli) -> None:
    """--apply is exit 0; after it verify is, and the marker can be read."""
    damage(store)
    done = store("repair", "--apply")
    report = done.lines[0]
    assert (done.code, report["applied"]) == (0, True)
    assert (store.store / report["quarantine"] / "index").exists()
    assert store("verify").code == 0
    [marker] = store("query", "--type", "msgstore.Lost").lines
    assert (marker["streamId"], marker["revision"], marker["position"]) == ("s-1", 4, 10)
    assert marker["message"]["data"]["quarantine"] == report["quarantine"]
    assert store("repair").code == 0


def test_on_a_terminal(store: Cli) -> None:
    """On a terminal the report says in words what is lost and what is to be made anew."""
    damage(store)
    before = plain(store.terminal("repair").out)
    assert "catalog, index, journal, 1 segment\n" in before.replace("\r", "")
    for words in ("1 message", "to be made anew", "nothing was changed", "s-1", "known"):
        assert words in before
    after = plain(store.terminal("repair", "--apply").out)
    assert "quarantine/repair-2" in after
    assert "nothing" in plain(store.terminal("repair").out)


def test_rebuild_index(store: Cli) -> None:
    """Without index, catalog and journal everything is there again."""
    before = store("query").out
    for name in ("index", "catalog", "journal"):
        (store.store / name).unlink()
    assert store("query").code == 3
    done = store("rebuild-index")
    assert (done.code, done.lines[0]["rebuilt"]) == (0, ["catalog", "index", "journal"])
    assert store("query").out == before


def test_rebuild_index_refuses(store: Cli) -> None:
    """A damaged message is exit 3, and the error points to repair."""
    damage(store)
    done = store("rebuild-index")
    assert (done.code, done.out) == (3, "")
    assert "  nothing was changed; `msgstore repair` says what can be done\n" in done.err


def test_a_store_without_identity(store: Cli) -> None:
    """No command takes it for an empty one, and repair brings it back."""
    before = store("query").out
    (store.store / "store.json").unlink()
    for arguments in (["query"], ["save", "s-0", "-t", "T"], ["verify"]):
        assert store(*arguments).code == 3
    assert store("repair", "--apply").code == 0
    assert store("query").out == before


def test_no_files(cli: Cli) -> None:
    """A store in memory has nothing to repair: exit 2."""
    for arguments in (["repair"], ["rebuild-index"]):
        assert cli(*arguments, "--store", "memory:").code == 2


def test_no_folder(cli: Cli) -> None:
    """What is a file, and no folder, cannot be repaired: exit 5, and no traceback."""
    file = cli.store.with_name("file")
    file.write_text("x")
    for arguments in (["repair"], ["repair", "--apply"], ["rebuild-index"]):
        done = cli(*arguments, "--store", str(file))
        assert (done.code, "Not a directory" in done.err) == (5, True)


def test_one_of_each_is_said_in_the_singular(store: Cli) -> None:
    """One place, one repair."""
    damage(store)
    assert "1 place\n" in plain(store.terminal("repair", "--apply").out).replace("\r", "")
    assert store("verify").lines[0]["notes"] == ["the old files of 2 repairs are in quarantine/"]
