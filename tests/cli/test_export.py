"""`msgstore export [SESSION] FILE`."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from msgstore import FileMessageStore

from .harness import Cli, Done

FILES = {
    "a.jsonl": "jsonl",
    "a.ndjson": "jsonl",
    "a.csv": "csv",
    "a.cloudevents.jsonl": "cloudevents",
    "a.cloudevents.json": "cloudevents-batch",
    "A.SQLITE": "sqlite",
    "a.db": "sqlite",
    "a.msgpack": "pack",
    "a.json": "reference",
}


@pytest.fixture(scope="module")
def made(shared_cli: Cli) -> Path:
    """Three messages of no session, two of `first`, one of `second`; one stream for each half."""
    cli = shared_cli
    cli.save(*({"streamId": "a", "type": "T", "data": {"n": n}} for n in range(3)))
    cli("sessions", "start", "--name", "first", "--label", "host=web-1")
    cli("save", "b", "-t", "Do", "--request-id", "r-1", "--correlation-id", "c-1", "n:=3")
    cli("save", "b", "-t", "Done", "--correlation-id", "c-1", "--meta", "k=v", "n:=4")
    cli("sessions", "end", "--status", "ok")
    cli("sessions", "start", "--name", "second")
    cli("save", "b", "-t", "Done", "text==cmd|' /C calc'!A0", "--timestamp", "2020-01-01T00:00:00Z")
    return cli.store


@pytest.fixture
def store(cli: Cli, made: Path) -> Cli:
    """A copy of it, entered: what is damaged after that no recovery mends."""
    shutil.copytree(made, cli.store)
    with FileMessageStore(cli.store) as copied:
        copied.get_stats()
    return cli


def file(cli: Cli, name: str) -> Path:
    return cli.folder / name


@pytest.mark.parametrize("name", FILES)
def test_the_name_tells_the_format(store: Cli, name: str) -> None:
    """Each suffix is a format; the report is one object; --format wins over the name."""
    done = store("export", name)
    assert (done.code, done.err) == (0, "")
    path = file(store, name)
    assert done.lines == [
        {
            "path": str(path),
            "format": FILES[name],
            "messages": 6,
            "bytes": path.stat().st_size,
        }
    ]
    [again] = store("export", name, "--force", "--format", "jsonl").lines
    assert again["format"] == "jsonl"
    assert path.read_text() == store("query").out


def test_on_a_terminal(store: Cli) -> None:
    """A sentence; with -q nothing."""
    size = len(store("query").out)
    shown = store.terminal("export", "a.jsonl").out
    assert shown == (f"exported 6 messages as jsonl to {file(store, 'a.jsonl')} ({size:,} bytes)\n")
    assert store.terminal("export", "a.jsonl", "--force", "-q").out == ""


def test_a_part(store: Cli) -> None:
    """A session by any of its names, and every filter of query."""

    def positions(*arguments: str) -> list[int]:
        done = store("export", *arguments, "-")
        assert done.code == 0, done.err
        return [line["position"] for line in done.lines]

    assert positions("last~1") == [4, 5]
    assert positions("last") == [6]
    assert positions("no-session") == [1, 2, 3]
    assert positions("--stream", "b", "-t", "Done") == [5, 6]
    assert positions("last~1", "--where", "n>3") == [5]
    assert positions("--correlation-id", "none") == []


def test_stdout(store: Cli) -> None:
    """`-` is stdout, JSON Lines unless said otherwise; what is said of it goes to stderr."""
    done = store("export", "-")
    assert done.out == store("query").out
    assert done.err == "exported 6 messages as jsonl\n"
    done = store("export", "-", "--format", "csv", "-q")
    assert (done.out, done.err) == (store("query", "-o", "csv").out, "")
    assert store.shell("msgstore export - --format pack > x.msgpack").code == 0
    store("export", "y.msgpack")
    assert file(store, "x.msgpack").read_bytes() == file(store, "y.msgpack").read_bytes()
    assert store.shell("msgstore export - | head -c 1").code == 0


def test_nothing_acts_on_a_terminal(cli: Cli) -> None:
    """Texts that could act on a terminal are escaped on one, and as they are in a file."""
    evil = "\u202e\u001b[31m"
    cli.save({"streamId": "a\u202e", "type": "T", "data": evil})
    for form in ("jsonl", "csv", "cloudevents", "cloudevents-batch", "reference"):
        shown = cli.terminal("export", "-", "--format", form).out
        assert "\u202e" not in shown
        assert "\x1b" not in shown
        assert "\u202e" in cli("export", "-", "--format", form).out
    refused = cli.terminal("export", "-", "--format", "pack")
    assert (refused.code, refused.out) == (2, "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a.txt"], "tells no format"),
        (["a"], "tells no format"),
        (["-", "--format", "sqlite"], "no stream of bytes"),
        (["a.jsonl", "--format", "xml"], "--format"),
        (["last", "a.jsonl", "--session", "last"], "exclude each other"),
        (["last", "b", "a.jsonl"], "a session and a file"),
        (["nobody", "a.jsonl"], "does not exist"),
        (["a.jsonl", "--source", "urn:x"], "CloudEvents"),
        ([""], "a session and a file"),
        (["a.jsonl", "--stream", ""], "--stream"),
        ([], "FILE"),
    ],
)
def test_bad_usage(store: Cli, arguments: list[str], words: str) -> None:
    """Exit code 2, and no file."""
    done = store("export", *arguments)
    assert (done.code, done.out) == (2, "")
    assert words in done.err
    assert sorted(path.name for path in store.folder.iterdir()) == [".msgstore"]


def test_a_file_that_is_there(store: Cli) -> None:
    """It is left as it is, unless it is to be replaced; then the link to it stays a link."""
    file(store, "real").write_text("mine")
    file(store, "a.jsonl").symlink_to("real")
    done = store("export", "a.jsonl")
    assert done.code == 5
    assert "is there already" in done.err
    assert "--force" in done.err
    assert file(store, "real").read_text() == "mine"
    assert store("export", "a.jsonl", "--force").code == 0
    assert file(store, "a.jsonl").is_symlink()
    assert file(store, "real").read_text() == store("query").out


def test_what_is_no_file(store: Cli) -> None:
    """A folder, a device, a pipe or a place that is not there is exit code 5, and left alone."""
    os.mkfifo(file(store, "pipe.jsonl"))
    file(store, "folder.jsonl").mkdir()
    file(store, "null.jsonl").symlink_to("/dev/null")
    for name in ("pipe.jsonl", "folder.jsonl", "null.jsonl", "nowhere/a.jsonl"):
        done = store("export", name, "--force")
        assert done.code == 5, name
        assert done.err.startswith(f"msgstore: {name}: ")
    assert not Path("/dev/null").is_file()


def test_no_store(cli: Cli) -> None:
    """Where there is no store there is no file."""
    assert cli("export", "a.jsonl").code == 5
    assert not file(cli, "a.jsonl").exists()
    cli("--store", "memory:", "export", "a.jsonl")
    assert file(cli, "a.jsonl").read_text() == ""


@pytest.mark.parametrize("name", FILES)
def test_damage(store: Cli, name: str) -> None:
    """Damage leaves no file, and one that was there as it is; with --skip-damaged the rest is written."""
    [segment] = [f for f in store.store.rglob("*.msgpack") if f.name.startswith("b~")]
    content = bytearray(segment.read_bytes())
    content[-10] ^= 1
    segment.write_bytes(content)
    done = store("export", name)
    assert done.code == 3
    assert "stream b, revision 2, position 6" in done.err
    assert [path.name for path in store.folder.iterdir()] == [".msgstore"]
    file(store, name).write_text("mine")
    assert store("export", name, "--force").code == 3
    assert file(store, name).read_text() == "mine"
    done = store("export", name, "--force", "--skip-damaged")
    assert done.code == 3
    assert done.lines[0]["messages"] == 5
    assert sorted(path.name for path in store.folder.iterdir()) == [".msgstore", name]


def test_cloud_events(store: Cli) -> None:
    """The source is the store's uuid, or what is said; the time the producer's, or else the store's."""
    store_id = json.loads((store.store / "store.json").read_text())["uuid"]
    events = store("export", "-", "--format", "cloudevents").lines
    messages = store("query").lines
    assert events[4] == {
        "specversion": "1.0",
        "id": messages[4]["message"]["id"],
        "source": f"urn:uuid:{store_id}",
        "type": "Done",
        "subject": "b",
        "time": messages[4]["timestamp"],
        "datacontenttype": "application/json",
        "correlationid": "c-1",
        "msgstorekind": "event",
        "msgstoreposition": "5",
        "msgstorerevision": "1",
        "msgstoresession": messages[4]["sessionId"],
        "msgstoremetadata": '{"k": "v"}',
        "data": {"n": 4},
    }
    assert events[5]["time"] == "2020-01-01T00:00:00.000Z"
    assert events[5]["msgstorerecorded"] == messages[5]["timestamp"]
    [event] = json.loads(
        store("export", "last", "-", "--format", "cloudevents-batch", "--source", "/orders").out
    )
    assert event["source"] == "/orders"


def test_the_reference(store: Cli) -> None:
    """An array of stored messages; what is a bigint in JavaScript is a text."""
    store("export", "a.json")
    messages = store("query").lines
    assert json.loads(file(store, "a.json").read_text()) == [
        m | {"revision": str(m["revision"]), "position": str(m["position"])} for m in messages
    ]


def test_a_database(store: Cli) -> None:
    """Messages, streams and sessions are tables with keys that hold, and there are views of them."""
    store("export", "a.db")
    database = sqlite3.connect(file(store, "a.db"))

    def ask(question: str) -> list[tuple[object, ...]]:
        return database.execute(question).fetchall()

    messages = store("query").lines
    first, second = (session["sessionId"] for session in store("sessions").lines)
    assert ask("PRAGMA integrity_check") == [("ok",)]
    assert ask("PRAGMA foreign_key_check") == []
    assert ask(
        "SELECT position, stream_id, revision, kind, type, json_extract(data, '$.n'), session_id"
        " FROM messages WHERE position > 2"
    ) == [
        (3, "a", 2, "event", "T", 2, None),
        (4, "b", 0, "command", "Do", 3, first),
        (5, "b", 1, "event", "Done", 4, first),
        (6, "b", 2, "event", "Done", None, second),
    ]
    assert ask("SELECT id, metadata, correlation_id, timestamp FROM messages LIMIT 1 OFFSET 4") == [
        (messages[4]["message"]["id"], '{"k":"v"}', "c-1", None)
    ]
    assert ask("SELECT stream_id, revision, message_count, first_position FROM streams") == [
        ("a", 2, 3, 1),
        ("b", 2, 3, 4),
    ]
    assert ask(
        "SELECT name, labels, status, message_count, command_count FROM sessions ORDER BY 1"
    ) == [("first", '{"host":"web-1"}', "ok", 2, 1), ("second", "{}", None, 1, 0)]
    assert ask("SELECT position FROM commands") == [(4,)]
    assert ask("SELECT count(*) FROM events") == [(5,)]
    assert ask("SELECT type, message_count FROM types ORDER BY type") == [
        *(("Do", 1), ("Done", 2), ("T", 3))
    ]
    assert ask("SELECT correlation_id, message_count, stream_count FROM correlations") == [
        ("c-1", 2, 1)
    ]
    plan = ask("EXPLAIN QUERY PLAN SELECT * FROM messages WHERE correlation_id = 'c-1'")
    assert "messages_by_correlation" in str(plan)


def test_a_pack_in_place_of_a_store(store: Cli) -> None:
    """read, query, stats, streams, show, sessions, tail and verify say of it what they say of the store."""
    store("export", "run.msgpack")

    def both(*arguments: str) -> tuple[Done, Done]:
        return store(*arguments), store("--store", "run.msgpack", *arguments)

    for arguments in (
        *(["read", "b", "--last", "2"], ["query", "-r"], ["streams"], ["show", "5"], ["tail"]),
        *(["stats", "--by", "type"], ["query", "--correlation-id", "c-1"], ["query", "--count"]),
        *(["query", "--session", "last~1"], ["tail", "b", "-n", "1", "-o", "csv"]),
        ["query", "-o", "table"],
    ):
        of_store, of_pack = both(*arguments)
        assert of_store == of_pack, arguments
    of_store, of_pack = both("sessions")
    assert [{**s, "active": 0} for s in of_store.lines] == [
        {**s, "active": 0} for s in of_pack.lines
    ]
    of_store, of_pack = both("stats")
    assert of_store.lines[0] | {"diskBytes": 0} == of_pack.lines[0] | {"diskBytes": 0}
    assert store("--store", "run.msgpack", "verify").lines[0]["findings"] == []
    store("--store", "run.msgpack", "export", "again.msgpack")
    assert file(store, "again.msgpack").read_bytes() == file(store, "run.msgpack").read_bytes()


def test_a_pack_of_a_run(store: Cli) -> None:
    """It tells of that session only, with the places its messages have in the store."""
    store("export", "last~1", "run.msgpack")
    pack = store.with_environment(MSGSTORE_STORE="run.msgpack")
    assert [m["position"] for m in pack("query").lines] == [4, 5]
    [session] = pack("sessions").lines
    assert (session["name"], session["messageCount"]) == ("first", 2)
    assert pack("show", "5").out == store("show", "5").out
    assert pack("show", "1").code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        *(
            ["save", "a", "-t", "T"],
            ["save", "-"],
            ["sessions", "start"],
            ["sessions", "end", "last"],
        ),
        *(["tail", "-f"], ["import", "a.jsonl"]),
    ],
)
def test_a_pack_is_read_only(store: Cli, arguments: list[str]) -> None:
    """What would change it is exit code 5, and says so."""
    store("export", "run.msgpack")
    store("export", "a.jsonl")
    before = file(store, "run.msgpack").read_bytes()
    line = '{"streamId": "a", "type": "T"}\n'
    done = store("--store", "run.msgpack", *arguments, stdin=line)
    assert done.code == 5
    assert "a pack" in done.err
    assert "import" in done.err
    assert file(store, "run.msgpack").read_bytes() == before


def test_a_damaged_pack(store: Cli) -> None:
    """Exit code 3, with the byte; verify finds it; --skip-damaged is refused."""
    store("export", "run.msgpack")
    path = file(store, "run.msgpack")
    content = bytearray(path.read_bytes())
    content[content.index(b"r-1")] ^= 1
    path.write_bytes(content)
    done = store("--store", "run.msgpack", "query")
    assert done.code == 3
    assert "at byte" in done.err
    done = store("--store", "run.msgpack", "verify")
    assert (done.code, len(done.lines[0]["findings"])) == (3, 1)
    assert store("--store", "run.msgpack", "query", "--skip-damaged").code == 2
    path.write_bytes(b"no pack")
    done = store("--store", "run.msgpack", "query")
    assert done.code == 5
    assert "neither a store nor a pack" in done.err
