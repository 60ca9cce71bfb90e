"""`msgstore copy SRC DST`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from msgstore import FileMessageStore, Message, StoreNotFound
from msgstore.cli.copying import shown

from .harness import Cli, Done, open_terminal, read_terminal

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "permits.ndjson"
PERMITS = EXAMPLE.read_bytes().splitlines(keepends=True)[:300]


@pytest.fixture(scope="module")
def permits(shared_cli: Cli) -> Cli:
    """Some of the example in a session, one message after it, and a pack of all."""
    session = shared_cli("sessions", "start", "--name", "permits", "--label", "a=b").out.strip()
    assert shared_cli("save", "-", stdin=b"".join(PERMITS)).code == 0
    shared_cli("sessions", "end", session, "--status", "ok")
    shared_cli("save", "later", "-t", "Later")
    shared_cli("export", "all.msgpack")
    return shared_cli


COUNT = len(PERMITS) + 1


def save(store: Path, stream_id: str, *messages: Message) -> None:
    with FileMessageStore(store, durability="os") as opened:
        opened.save_messages(stream_id, messages)


def content(cli: Cli, store: str) -> list[dict[str, object]]:
    """Every message with its places, but for the time and the session, which are the store's own."""
    lines = cli("--store", store, "query").lines
    for line in lines:
        del line["timestamp"], line["sessionId"]
    return lines


@pytest.mark.parametrize("source", [".msgstore", "all.msgpack", "file:.msgstore"])
def test_all_of_a_store(permits: Cli, source: str, tmp_path: Path) -> None:
    """A new store has every message where it was, and the sessions; run again it does nothing."""
    target = str(tmp_path / "copy")
    done = permits("copy", source, target)
    assert (done.code, done.err) == (0, "")
    [report] = done.lines
    assert report["target"] == target
    assert report["source"].endswith(source.removeprefix("file:"))
    kept = [report[name] for name in ("messages", "revisionsKept", "positionsKept")]
    assert kept == [COUNT] * 3
    assert [report[name] for name in ("duplicates", "missing", "different", "outOfOrder")] == [
        0
    ] * 4
    assert (report["firstPosition"], report["lastPosition"], report["sessions"]) == (1, COUNT, 1)
    assert content(permits, target) == content(permits, ".msgstore")
    [session] = permits("--store", target, "sessions").lines
    [original] = permits("sessions").lines
    assert (session["name"], session["status"]) == ("permits", "ok")
    assert session["labels"] == {"a": "b", "msgstore.copy-of": original["sessionId"]}
    assert session["messageCount"] == original["messageCount"] == COUNT - 1
    [again] = permits("copy", source, target).lines
    assert (again["messages"], again["duplicates"]) == (0, COUNT)
    assert again["checksum"] == report["checksum"]
    checked = permits("copy", source, target, "--check")
    assert (checked.code, checked.lines[0]["checksum"]) == (0, report["checksum"])


def test_what_is_said(cli: Cli) -> None:
    """On a terminal a sentence: what is new, what was known, what was kept."""
    save(cli.store, "a", Message("T"))
    save(cli.store, "b", Message("U"))

    def said(*arguments: str) -> str:
        done = cli.terminal("copy", ".msgstore", *arguments)
        assert (done.code, done.err) == (0, "")
        return done.out

    assert said("new", "--dry-run") == "would copy 2 messages\n"
    assert not cli.folder.joinpath("new").exists()
    assert said("new") == (
        "copied 2 messages, positions 1–2; verified; all have the places they had\n"
    )
    assert said("new") == (
        "nothing new: 2 messages known; verified; all have the places they had\n"
    )
    assert said("new", "-q") == ""
    save(cli.folder / "other", "z", Message("T"))
    assert said("other", "--stream", "b") == (
        "copied 1 message, positions 2–2; verified; all have the places they had\n"
    )
    assert said("other", "-t", "T") == (
        "copied 1 message, positions 3–3; verified; 0 of 1 have the position they had\n"
    )
    same = said("new", "--check")
    assert same.startswith("the same: 2 messages; all have the places they had; blake2b:")


def test_a_dry_run(permits: Cli, tmp_path: Path) -> None:
    """It says what would be copied, and changes nothing."""
    target = str(tmp_path / "copy")
    [report] = permits("copy", ".msgstore", target, "--dry-run").lines
    assert (report["messages"], report["duplicates"], report["dryRun"]) == (COUNT, 0, True)
    assert not Path(target).exists()
    permits("copy", ".msgstore", target, "--stream", "later")
    [report] = permits("copy", ".msgstore", target, "--dry-run").lines
    assert (report["messages"], report["duplicates"]) == (COUNT - 1, 1)
    assert permits("--store", target, "query", "--count").out == "1\n"


def test_a_check(cli: Cli) -> None:
    """Exit code 1, and what is wrong: a message missing, another content, another order."""

    def numbered(ids: str) -> list[Message]:
        return [Message("T", {"n": int(n)}, id=n) for n in ids.split()]

    save(cli.store, "a", *numbered("0 1 2 3"))
    assert cli("copy", ".msgstore", "nowhere", "--check").code == 1
    assert not cli.folder.joinpath("nowhere").exists()
    cases = {
        "0 1 3": "they differ: of 4 messages, 1 missing; from position 3\n",
        "0 1 3 2": "they differ: of 4 messages, 1 in another order\n",
        "0 9 2 3": "they differ: of 4 messages, 1 missing; from position 2\n",
    }
    for number, (ids, said) in enumerate(cases.items()):
        save(cli.folder / f"store-{number}", "a", *numbered(ids))
        done = cli.terminal("copy", ".msgstore", f"store-{number}", "--check")
        assert (done.code, done.out) == (1, said)
    save(cli.folder / "content", "a", Message("T", {"n": 5}, id="0"))
    done = cli("copy", ".msgstore", "content", "--check")
    assert (done.code, done.lines[0]["different"], done.lines[0]["missing"]) == (1, 1, 3)


def test_filters(permits: Cli, tmp_path: Path) -> None:
    """It takes the filters of query; whole streams keep their revisions, parts of them cannot."""
    streams = [line["streamId"] for line in permits("streams").lines]
    target = str(tmp_path / "streams")
    pattern = f"{streams[0][:3]}*"
    [report] = permits("copy", ".msgstore", target, "--stream", pattern).lines
    matching = [m for m in content(permits, ".msgstore") if str(m["streamId"])[:3] == pattern[:3]]
    copies = content(permits, target)
    for message in (*matching, *copies):
        del message["position"]
    assert copies == matching
    assert report["revisionsKept"] == len(matching) > 0
    target = str(tmp_path / "type")
    kind = matching[-1]["message"]["type"]  # type: ignore[index]
    [report] = permits("copy", ".msgstore", target, "-t", kind, "--from-position", "100").lines
    expected = permits("query", "-t", kind, "--from-position", "100").lines
    ids = [line["message"]["id"] for line in permits("--store", target, "query").lines]
    assert ids == [line["message"]["id"] for line in expected]
    assert permits("copy", ".msgstore", target, "-t", kind, "--from-position", "100").code == 0
    done = permits("copy", ".msgstore", str(tmp_path / "s"), "--session", "last")
    assert done.lines[0]["messages"] == COUNT - 1


def test_no_sessions(permits: Cli, tmp_path: Path) -> None:
    """With --no-sessions nothing is stamped, and no session made."""
    target = str(tmp_path / "copy")
    [report] = permits("copy", ".msgstore", target, "--no-sessions").lines
    assert (report["sessions"], report["positionsKept"]) == (0, COUNT)
    assert permits("--store", target, "sessions").out == ""
    assert permits("--store", target, "query", "--session", "no-session", "--count").out == (
        f"{COUNT}\n"
    )


def test_the_environment_stamps_nothing(permits: Cli, tmp_path: Path) -> None:
    """What a save would take from the environment a copy leaves alone."""
    target = str(tmp_path / "copy")
    session = permits("--store", target, "sessions", "start").out.strip()
    surrounded = permits.with_environment(
        MSGSTORE_SESSION=session, MSGSTORE_CORRELATION_ID="c", MSGSTORE_STORE="elsewhere"
    )
    assert surrounded("copy", ".msgstore", target).code == 0
    assert content(permits, target) == content(permits, ".msgstore")
    assert permits("--store", target, "query", "--session", session, "--count").out == "0\n"


def test_a_revision_that_is_taken(cli: Cli) -> None:
    """Exit code 4, with what was copied before it; --renumber lets it through."""
    save(cli.store, "a", Message("T", 0), Message("T", 1))
    save(cli.store, "b", Message("T", 2))
    save(cli.folder / "other", "b", Message("Foreign"))
    done = cli("copy", ".msgstore", "other")
    assert (done.code, done.out) == (4, "")
    assert done.err == (
        "msgstore: position 3, stream b: Expected revision -1 but stream is at revision 0\n"
        "  copied before it: 2 messages, positions 2–3; run it again, and it goes on from there\n"
        "  try: copy into another store, or let the messages take what revisions come:"
        " --renumber\n"
    )
    [report] = cli("copy", ".msgstore", "other", "--renumber").lines
    assert (report["messages"], report["duplicates"], report["revisionsKept"]) == (1, 2, 2)


def test_an_id_that_is_taken(cli: Cli) -> None:
    """Exit code 2: the same id with other content is another message."""
    save(cli.store, "a", Message("T", 1, id="1"))
    save(cli.folder / "other", "a", Message("T", 2, id="1"))
    done = cli("copy", ".msgstore", "other")
    assert done.code == 2
    assert (
        "position 1, stream a: message id '1' is taken by a message with other content" in done.err
    )


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("nowhere", "new"), 5, "nowhere: no message store here"),
        (("memory:", "new"), 2, "a store in memory begins and ends with this command"),
        ((".msgstore", "memory:"), 2, "a store in memory begins and ends with this command"),
        ((".msgstore", "new.msgpack"), 2, "this is the name of a pack"),
        ((".msgstore", "all.msgpack"), 2, "this is the name of a pack"),
        ((".msgstore", "file:./.msgstore"), 2, "both are one store"),
        (("file:.msgstore", ".msgstore"), 2, "both are one store"),
        (("nats://127.0.0.1:1/A", "nats://127.0.0.1:1/A"), 2, "both are one store"),
        ((".msgstore", ".msgstore/new"), 2, "DST is a place inside of SRC"),
        ((".msgstore", "backup"), 2, "one is a backup of the other"),
        ((".msgstore", "new", "--store", "x"), 2, "copy names both stores itself"),
        ((".msgstore", "new", "--check", "--dry-run"), 2, "exclude each other"),
        ((".msgstore", ""), 2, "DST is empty"),
        (("gopher://x", "new"), 2, "no backend serves gopher"),
        ((".msgstore", "new", "--where", "total"), 2, "--where"),
        ((".msgstore",), 2, "Missing argument"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value)[:20],
)
def test_what_cannot_be(permits: Cli, arguments: tuple[str, ...], code: int, words: str) -> None:
    """What makes no sense is refused, and nothing is made."""
    if "backup" in arguments:
        assert permits("backup", "backup").code == 0
    done = permits("copy", *arguments)
    assert (done.code, done.out) == (code, "")
    assert words in done.err
    assert "\n  try: " in done.err
    assert not permits.folder.joinpath("new").exists()


def test_damage_in_the_source(cli: Cli) -> None:
    """Exit code 3: what stands before it is copied and said."""
    save(cli.store, "a", *(Message("T", n) for n in range(100)))
    [segment] = (path for path in cli.store.joinpath("streams").rglob("*") if path.is_file())
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(data)
    done = cli("copy", ".msgstore", "other", "--batch-size", "10")
    assert done.code == 3
    assert "at byte" in done.err
    copied = int(cli("--store", "other", "query", "--count").out)
    assert 0 < copied < 100
    assert f"copied before it: {copied} messages, positions 1–{copied}" in done.err


DYING = """if True:
    import os, signal, sys
    from msgstore.cli.app import main
    number, left = int(sys.argv.pop(1)), int(sys.argv.pop(1))
    write = os.pwrite
    def dying_write(*arguments):
        global left
        left -= 1
        if not left:
            signal.raise_signal(number)
        return write(*arguments)
    os.pwrite = dying_write
    sys.exit(main())
"""
"""msgstore, but that it gets a signal as it begins a certain write to a store."""


def copy_with_a_signal(cli: Cli, number: signal.Signals, at_write: int) -> Done:
    copying = ("copy", ".msgstore", "copy", "--batch-size", "50")
    process = subprocess.run(
        [sys.executable, "-c", DYING, str(int(number)), str(at_write), *copying],
        cwd=cli.folder,
        env=dict(cli.environment),
        capture_output=True,
        check=False,
    )
    return Done(process.returncode, process.stdout.decode(), process.stderr.decode())


def a_big_store(cli: Cli, count: int) -> None:
    with FileMessageStore(cli.store, durability="os") as store:
        for session in range(4):
            with store.session(f"run {session}"):
                for number in range(count // 4 // 100):
                    messages = [Message("T", {"n": n, "s": session}) for n in range(100)]
                    store.save_messages(f"s-{number % 7}", messages)


def read(store: Path) -> list[tuple[object, ...]]:
    """Every message with its places; [] where no store is."""
    try:
        with FileMessageStore(store, create=False) as opened:
            return [
                (m.stream_id, m.revision, m.position, m.message) for m in opened.get_all_messages()
            ]
    except StoreNotFound:
        return []


def test_killed_again_and_again(cli: Cli) -> None:
    """Killed with SIGKILL anywhere in a commit it goes on: no message twice, none left out."""
    a_big_store(cli, 1200)
    original, kept = read(cli.store), 0
    for at_write in (2, 30, 31, 32, 33):
        done = copy_with_a_signal(cli, signal.SIGKILL, at_write)
        assert (done.code, done.out) == (-signal.SIGKILL, "")
        before, kept = kept, len(found := read(cli.folder / "copy"))
        assert kept >= before
        assert found == original[:kept]
    assert 100 < kept < 1200
    [report] = cli("copy", ".msgstore", "copy").lines
    # A commit that was on record but not carried out when the process was killed is there too.
    assert kept <= report["duplicates"] <= kept + 50
    assert report["messages"] == 1200 - report["duplicates"]
    assert (report["revisionsKept"], report["positionsKept"]) == (1200, 1200)
    assert read(cli.folder / "copy") == original
    with FileMessageStore(cli.folder / "copy") as copy:
        assert [(s.name, s.status, s.message_count) for s in copy.get_sessions()] == [
            (f"run {n}", "ok", 300) for n in range(4)
        ]
        assert copy.verify().findings == ()


def test_an_interrupt(cli: Cli) -> None:
    """Ctrl-C ends it with 130 and says what is on record."""
    a_big_store(cli, 1200)
    done = copy_with_a_signal(cli, signal.SIGINT, 40)
    assert (done.code, done.out) == (130, "")
    kept = int(cli("--store", "copy", "query", "--count").out)
    assert done.err.startswith(
        f"interrupted; copied before it: {kept} messages, positions 1–{kept}"
    )
    assert 0 < kept < 1200
    assert cli("copy", ".msgstore", "copy").lines[0]["duplicates"] == kept


IMPATIENT = """if True:
    import sys
    from msgstore.cli.app import main
    from msgstore.cli.render import progress
    progress._FIRST_AFTER_S = progress._EVERY_S = 0
    sys.exit(main())
"""
"""msgstore, but that it shows progress at once."""


def test_progress(cli: Cli) -> None:
    """A long copy shows on a terminal how far it is, and leaves nothing of it behind."""
    a_big_store(cli, 1200)
    ours, theirs = open_terminal(100)
    process = subprocess.Popen(
        [sys.executable, "-c", IMPATIENT, "copy", ".msgstore", "copy", "--batch-size", "50"],
        cwd=cli.folder,
        env=dict(cli.environment),
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    said = read_terminal(ours)
    assert process.wait() == 0
    assert "\r\x1b[K1,150 messages copied, " in said
    assert "\r\x1b[K1,000 messages verified, " in said
    assert said.rpartition("\r\x1b[K")[2] == (
        "copied 1,200 messages, positions 1–1200, 4 sessions; verified;"
        " all have the places they had\n"
    )


def test_nothing_acts_on_the_terminal(cli: Cli) -> None:
    """A stream's id in an error is shown escaped."""
    save(cli.store, "a\u202eb", Message("T"))
    save(cli.folder / "other", "a\u202eb", Message("Foreign"))
    done = cli.terminal("copy", ".msgstore", "other")
    assert done.code == 4
    assert "\u202e" not in done.err
    assert "stream a\\u202eb" in done.err


def test_a_report_tells_no_secret() -> None:
    """A URL is named without the user, the password and the options in it."""
    assert shown("nats://me:se%2Fcret@host:4222/NAME?token=t") == "nats://host:4222/NAME"
    assert shown("/a/b@c?d") == "/a/b@c?d"


def test_fields(cli: Cli) -> None:
    """The report is a record as any other: -o and --fields take it."""
    save(cli.store, "a", *[Message("T")] * 3)
    done = cli("copy", ".msgstore", "new", "-o", "csv", "--fields", "messages,positionsKept")
    assert done.out == "messages,positionsKept\r\n3,3\r\n"
    assert json.loads(cli("copy", ".msgstore", "new", "-o", "json").out)["duplicates"] == 3
    assert "messages" in cli("copy", ".msgstore", "new", "-o", "table").out
    assert cli("copy", ".msgstore", "other", "--fields", "colour").code == 2
    assert not cli.folder.joinpath("other").exists()
