"""`msgstore import FILE`."""

from __future__ import annotations

import json
import signal
import sqlite3
from pathlib import Path

import pytest

from .harness import Cli, json_lines

PERMITS = Path(__file__).resolve().parents[2] / "examples" / "permits.ndjson"
NAMES = [
    *("a.jsonl", "a.cloudevents.jsonl", "a.cloudevents.json", "a.db", "a.msgpack", "a.json"),
]


@pytest.fixture(scope="module")
def permits(shared_cli: Cli) -> Cli:
    """The example, exported in every format."""
    shared_cli("save", "-", stdin=PERMITS.read_bytes())
    for name in NAMES:
        assert shared_cli("export", name).code == 0
    return shared_cli


def content(cli: Cli) -> list[dict[str, object]]:
    """Every message with its places, but for what an import gives anew."""
    lines = cli("query").lines
    for line in lines:
        del line["timestamp"], line["sessionId"]
    return lines


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("through_pipe", [False, True], ids=["file", "pipe"])
def test_all_of_a_store(permits: Cli, cli: Cli, name: str, through_pipe: bool) -> None:
    """Into an empty store everything comes as it was, at the positions and revisions it had."""
    data = (permits.folder / name).read_bytes()
    cli.folder.joinpath("file").write_bytes(data)
    done = cli("import", "-", stdin=data) if through_pipe else cli("import", "file")
    assert (done.code, done.err) == (0, "")
    [report] = done.lines
    count = len(PERMITS.read_bytes().splitlines())
    assert (report["messages"], report["placesKept"], report["lastPosition"]) == (count,) * 3
    assert content(cli) == content(permits)
    [again] = cli("import", "file").lines
    assert (again["messages"], again["duplicates"]) == (0, count)
    assert content(cli) == content(permits)


def test_what_is_said(cli: Cli) -> None:
    """On a terminal a sentence: what is new, what was known, whether places are those they had."""
    cli("save", "a", "-t", "T")
    cli("export", "a.jsonl")

    def said(*arguments: str) -> str:
        return cli.terminal("import", "a.jsonl", *arguments).out

    assert said("--store", "new", "--dry-run") == "would import 1 message\n"
    assert not cli.folder.joinpath("new").exists()
    assert said("--store", "new") == (
        "imported 1 message, positions 1–1; all have the places they had\n"
    )
    assert said("--store", "new") == "nothing new: 1 message known\n"
    assert said("--store", "new", "--dry-run") == "would import 0 messages (1 duplicate)\n"
    assert said("--store", "new", "-q") == ""
    cli("--store", "other", "save", "a", "-t", "T")
    assert said("--store", "other") == "imported 1 message, positions 2–2\n"
    cli.folder.joinpath("a.jsonl").write_text("")
    assert said("--store", "other") == "nothing to import\n"


def test_places_and_stamps(cli: Cli) -> None:
    """Positions, revisions and times are this store's; the session is that of a save."""
    cli("save", "a", "-t", "Old", "--id", "old", "--timestamp", "2020-01-01T00:00:00Z")
    cli("export", "a.jsonl")
    target = cli.with_environment(MSGSTORE_STORE="target")
    target("save", "a", "-t", "First")
    session = target("sessions", "start").out.strip()
    assert target("import", "a.jsonl").lines[0]["placesKept"] == 0
    [_, stored] = target("query").lines
    assert (stored["position"], stored["revision"], stored["sessionId"]) == (2, 1, session)
    assert stored["timestamp"] >= cli("query").lines[0]["timestamp"]
    assert stored["message"]["timestamp"] == "2020-01-01T00:00:00.000Z"
    target("import", "a.jsonl", "--store", "third")
    assert target("--store", "third", "query").lines[0]["sessionId"] == "no-session"
    target("import", "a.jsonl", "--session", "no-session")


def message(number: int, **more: object) -> dict[str, object]:
    return {"streamId": "a", "type": "T", "data": {"n": number}, "id": f"id-{number}", **more}


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("{", "not JSON"),
        ('{"streamId": "a", "type": "T", "data": NaN}', "data: NaN is not JSON"),
        ('{"streamId": "a"}', "type: is missing"),
        ('{"type": "T"}', "streamId: is missing"),
        ("[]", "must be a JSON object"),
        ('{"streamId": "a", "type": "T", "colour": 1}', "colour: unknown field"),
        (json.dumps(message(1, data="another")), "is taken by a message with other content"),
        ('{"streamId": "a", "type": "T", "data": ' + "[" * 200_000 + "]" * 200_000 + "}", "nested"),
        ('{"streamId": "a", "type": "T", "data": "\\ud800"}', "lone surrogate"),
        ('{"specversion": "0.3"}', "specversion"),
        ('{"specversion": "1.0", "id": 1, "source": "s", "type": "t"}', "id: must be text"),
        (
            '{"specversion": "1.0", "id": "i", "source": "s", "type": "t", "data_base64": ""}',
            "bytes",
        ),
    ],
    ids=lambda value: value[:30],
)
def test_a_bad_line(cli: Cli, bad: str, words: str) -> None:
    """What stands before it is committed and said, what is behind it is not; exit code 2."""
    lines = [json.dumps(message(1)), "", json.dumps(message(2)), bad, json.dumps(message(3))]
    cli.folder.joinpath("in.jsonl").write_text("\n".join(lines))
    done = cli("import", "in.jsonl")
    assert (done.code, done.out) == (2, "")
    first, note, advice = done.err.splitlines()
    assert first.startswith("msgstore: line 4: ")
    assert words in first
    assert note == (
        "  imported before it: 2 messages, positions 1–2; run it again when the rest is right"
    )
    assert advice.startswith("  try: ")
    assert [m["message"]["id"] for m in cli("query").lines] == ["id-1", "id-2"]
    dry = cli("--store", "new", "import", "in.jsonl", "--dry-run")
    if "taken" not in words:
        assert dry.code == 2
        assert words in dry.err
    assert cli("import", "in.jsonl", "--dry-run").code == 2
    lines[3] = ""
    cli.folder.joinpath("in.jsonl").write_text("\n".join(lines))
    [report] = cli("import", "in.jsonl").lines
    assert (report["messages"], report["duplicates"]) == (1, 2)


def test_a_bad_element(cli: Cli) -> None:
    """In an array the line and the number of the element are said."""
    text = json.dumps([message(1), {"streamId": "a"}, message(2)], indent=2)
    done = cli("import", "-", stdin=text)
    assert done.code == 2
    assert done.err.startswith("msgstore: line 10 (element 2): type: is missing\n")
    assert len(cli("query").lines) == 1
    done = cli("import", "-", stdin="[" + json.dumps(message(2)))
    assert done.code == 2
    assert "line 1: not a JSON array: it ends before the array does" in done.err


@pytest.mark.parametrize(
    "data",
    [
        *(b"\x00" * 5000, b"\xff\xfe{}", b"PK\x03\x04", b"hello", b"[" * 100_000, b'{"a": "\xff"}'),
        *(b"SQLite format 3\0", b"SQLite format 3\0" + b"\xff" * 4096),
        *(b"\xdc\x00\x05\xce\0\0\0\0\xce\0\0\0\x29\xadmsgstore-pack", b'{"a": 1', b"null\n"),
        *(b"position,timestamp,streamId,revision\r\n", b'[{"specversion": "1.0"}]'),
    ],
    ids=lambda data: repr(data[:16]),
)
def test_what_cannot_be_read(cli: Cli, data: bytes) -> None:
    """Exit code 2, for a damaged pack 3: what and why, and nothing is stored; from a pipe the same."""
    cli.folder.joinpath("in").write_bytes(data)
    for done in (cli("import", "in"), cli("import", "-", stdin=data)):
        assert done.code == (3 if b"msgstore-pack" in data else 2)
        assert done.out == ""
        assert done.err.startswith("msgstore: ")
        assert "Traceback" not in done.err
        assert "\n  try: " in done.err
        assert "internal error" not in done.err


@pytest.mark.parametrize("path", ["nowhere", "", "."])
def test_no_file(cli: Cli, path: str) -> None:
    """Exit code 2, and no store is made."""
    done = cli("import", path)
    assert (done.code, done.out) == (2, "")
    assert not cli.store.exists()


def test_a_store_is_no_file(cli: Cli) -> None:
    """The way from store to store is shown."""
    cli("save", "a", "-t", "T")
    done = cli("import", ".msgstore", "--store", "new")
    assert "msgstore --store .msgstore export - | msgstore import -" in done.err
    assert cli.shell("msgstore --store .msgstore export - | msgstore --store n import -").code == 0
    assert len(cli("--store", "n", "query").lines) == 1


def test_a_long_line_costs_no_memory(cli: Cli) -> None:
    """A line that never ends is refused at its limit."""
    script = 'ulimit -v 1500000; yes \'{"streamId": "a", "data": 1,\' | tr -d \'\\n\''
    script += " | msgstore import -"
    done = cli.shell(f"set +o pipefail; {script}")
    assert done.code == 2
    assert "line 1: the line takes" in done.err


def test_a_format_that_is_said(cli: Cli) -> None:
    """--format wins over what the content looks like, and takes nothing but that format."""
    line = json.dumps(message(1))
    event = json.dumps({"specversion": "1.0", "id": "e-1", "source": "/s", "type": "T"})
    assert cli("import", "-", stdin=f"{event}\n{line}\n").code == 0
    for form, text in (("jsonl", event), ("cloudevents", line), ("reference", line)):
        done = cli("import", "-", "--format", form, stdin=text)
        assert done.code == 2, form
    assert cli("import", "-", "--format", "pack", stdin=line).code == 5
    assert cli("import", "-", "--format", "sqlite", stdin=line).code == 2
    assert cli("import", "-", "--format", "csv", stdin=line).code == 2
    assert cli("import", "-", "--format", "jsonl", stdin=b"\xef\xbb\xbf" + line.encode()).code == 0


def test_events_from_elsewhere(cli: Cli) -> None:
    """The subject is the stream, else the source; the time the producer's; what is left is metadata."""
    event = {
        "specversion": "1.0",
        "type": "com.github.pull_request.opened",
        "source": "https://github.com/cloudevents/spec/pull",
        "subject": "123",
        "id": "A234-1234-1234",
        "time": "2018-04-05T17:31:00Z",
        "comexampleextension1": "value",
        "comexampleothervalue": 5,
        "datacontenttype": "text/xml",
        "data": '<much wow="xml"/>',
    }
    without = {"specversion": "1.0", "type": "T", "source": "/sensors", "id": "2"}
    assert cli("import", "-", stdin=json_lines(event, without)).code == 0
    first, second = cli("query").lines
    assert first["streamId"] == "123"
    assert first["message"] == {
        "type": "com.github.pull_request.opened",
        "data": '<much wow="xml"/>',
        "id": "A234-1234-1234",
        "timestamp": "2018-04-05T17:31:00.000Z",
        "metadata": {
            "cloudevent": {
                "source": "https://github.com/cloudevents/spec/pull",
                "comexampleextension1": "value",
                "comexampleothervalue": 5,
                "datacontenttype": "text/xml",
            }
        },
    }
    assert (second["streamId"], second["message"]["data"]) == ("/sensors", {})


def test_the_reference_without_ids(cli: Cli) -> None:
    """Its messages have no ids: they are given one by their place, and a second import finds them."""
    stored = {
        "streamId": "orders",
        "message": {"type": "OrderPlaced", "data": {"n": 1}, "correlationId": "c"},
        "messageType": "event",
        "revision": "0",
        "position": "1",
        "timestamp": "2025-08-01T10:00:00.000Z",
        "sessionId": "session-1754042400000-ab12cd34",
    }
    other = stored | {"position": "2", "revision": "1"}
    text = json.dumps([stored, other])
    [report] = cli("import", "-", stdin=text).lines
    assert (report["format"], report["messages"], report["placesKept"]) == ("reference", 2, 2)
    [report] = cli("import", "-", stdin=text).lines
    assert (report["messages"], report["duplicates"]) == (0, 2)


def test_a_hostile_database(cli: Cli) -> None:
    """A view in place of the table, a column that computes, a value that is no JSON: exit code 2."""
    columns = "position, stream_id, revision, kind, type, data, id, request_id, correlation_id"
    columns += ", causation_id, timestamp, metadata"
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    scripts = {
        "view": f"CREATE VIEW messages AS {endless} SELECT {', '.join(['i'] * 12)} FROM n",
        "generated": f"CREATE TABLE messages ({columns.replace(' data,', '')},"
        " data AS (hex(zeroblob(100000000)))); INSERT INTO messages(position) VALUES (1)",
        "no json": f"CREATE TABLE messages ({columns});"
        "INSERT INTO messages VALUES (1,'a',0,'event','T',x'00','i',NULL,NULL,NULL,NULL,NULL)",
        "no text": f"CREATE TABLE messages ({columns});"
        "INSERT INTO messages VALUES (1,x'ff',0,'event','T','{{}}','i',NULL,NULL,NULL,NULL,NULL)",
        "huge": f"CREATE TABLE messages ({columns});INSERT INTO messages VALUES"
        "(1,'a',0,'event','T',hex(zeroblob(55000000)),'i',NULL,NULL,NULL,NULL,NULL)",
        "columns": "CREATE TABLE messages (position)",
        "virtual": f"CREATE VIRTUAL TABLE messages USING fts4({columns})",
        "none": "CREATE TABLE other (position)",
    }
    for number, (name, script) in enumerate(scripts.items()):
        path = cli.folder / f"{number}.db"
        with sqlite3.connect(path) as database:
            database.executescript(script)
        done = cli("import", path.name)
        assert (done.code, done.out) == (2, ""), name
        assert "internal error" not in done.err
        assert "nothing was imported" in done.err
        assert ("too big" in done.err) == (name == "huge")


def test_an_interrupt(cli: Cli) -> None:
    """Ctrl-C ends it with 130 and says what is committed; a second run does the rest."""
    cli("save", "x", "-t", "T")
    lines = json_lines(*(message(n) for n in range(1500))).encode()
    process = cli.start("import", "-")
    assert process.stdin is not None
    assert process.stderr is not None
    process.stdin.write(lines)
    there = cli("tail", "-f", "--from-position", "2", "--until-count", "1000", "--timeout", "60")
    assert there.code == 0
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    said = process.stderr.read().decode()
    process.communicate()
    assert said == "interrupted; imported 1,000 messages, positions 2–1001\n"
    [report] = cli("import", "-", stdin=lines).lines
    assert (report["messages"], report["duplicates"]) == (500, 1000)


def test_a_damaged_pack(permits: Cli, cli: Cli) -> None:
    """What stands before the damage is committed and said: exit code 3."""
    data = bytearray((permits.folder / "a.msgpack").read_bytes())
    data[len(data) // 2] ^= 1
    cli.folder.joinpath("a.msgpack").write_bytes(data)
    done = cli("import", "a.msgpack")
    assert done.code == 3
    assert "at byte" in done.err
    assert "imported before it: " in done.err
    kept = len(cli("query").lines)
    assert 0 < kept < 1600
    assert f"positions 1–{kept}" in done.err
