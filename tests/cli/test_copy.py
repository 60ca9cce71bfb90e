"""`msgstore copy SRC DST`."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from pathlib import Path

import pytest

from msgstore import FileMessageStore, Message
from msgstore.cli.copying import shown

from .harness import Cli, json_lines

PERMITS = Path(__file__).resolve().parents[2] / "examples" / "permits.ndjson"


@pytest.fixture(scope="module")
def permits(shared_cli: Cli) -> Cli:
    """The example in a session, one message after it, and a pack of all."""
    session = shared_cli("sessions", "start", "--name", "permits", "--label", "a=b").out.strip()
    assert shared_cli("save", "-", stdin=PERMITS.read_bytes()).code == 0
    shared_cli("sessions", "end", session, "--status", "ok")
    shared_cli("save", "later", "-t", "Later")
    shared_cli("export", "all.msgpack")
    return shared_cli


COUNT = len(PERMITS.read_bytes().splitlines()) + 1


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
    cli("save", "a", "-t", "T", "--id", "1")
    cli("save", "b", "-t", "U", "--id", "2")

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
    cli("--store", "other", "save", "z", "-t", "T")
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
    for n in range(4):
        cli("save", "a", "-t", "T", "--id", str(n), f"n:={n}")
    assert cli("copy", ".msgstore", "nowhere", "--check").code == 1
    assert not cli.folder.joinpath("nowhere").exists()
    cases = {
        "0 1 3": "they differ: of 4 messages, 1 missing; from position 3\n",
        "0 1 3 2": "they differ: of 4 messages, 1 in another order\n",
        "0 9 2 3": "they differ: of 4 messages, 1 missing; from position 2\n",
    }
    for number, (ids, said) in enumerate(cases.items()):
        store = f"store-{number}"
        for n in ids.split():
            cli("--store", store, "save", "a", "-t", "T", "--id", n, f"n:={n}")
        done = cli.terminal("copy", ".msgstore", store, "--check")
        assert (done.code, done.out) == (1, said)
    cli("--store", "content", "save", "a", "-t", "T", "--id", "0", "n:=5")
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
    cli.save(*({"streamId": s, "type": "T", "data": n} for n, s in enumerate("aab")))
    cli("--store", "other", "save", "b", "-t", "Foreign")
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
    cli("save", "a", "-t", "T", "--id", "1", "n:=1")
    cli("--store", "other", "save", "a", "-t", "T", "--id", "1", "n:=2")
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
    cli.save(*({"streamId": "a", "type": "T", "data": n} for n in range(100)))
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


def a_big_store(cli: Cli, count: int) -> None:
    with FileMessageStore(cli.store, durability="os") as store:
        for session in range(4):
            with store.session(f"run {session}"):
                for number in range(count // 4 // 500):
                    stream_id = f"s-{number % 7}"
                    messages = [Message("T", {"n": n, "s": session}) for n in range(500)]
                    store.save_messages(stream_id, messages)


def start_copy(cli: Cli, reached: int) -> subprocess.Popen[bytes]:
    """A copy that has come so far, and is under way."""
    process = cli.start("copy", ".msgstore", "copy", "--batch-size", "50")
    while cli("--store", "copy", "query", "--from-position", str(reached), "-n", "1").out == "":
        assert process.poll() is None, process.communicate()
    return process


def test_killed_again_and_again(cli: Cli) -> None:
    """Killed with SIGKILL in the middle, five times, it goes on: no message twice, none left out."""
    a_big_store(cli, 12_000)
    for reached in (1, 1700, 4000, 8100, 11_000):
        process = start_copy(cli, reached)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    kept = int(cli("--store", "copy", "query", "--count").out)
    assert 11_000 <= kept < 12_000
    [report] = cli("copy", ".msgstore", "copy").lines
    # A commit that was on record but not carried out when the process was killed is there too.
    assert kept <= report["duplicates"] <= kept + 50
    assert report["messages"] == 12_000 - report["duplicates"]
    assert (report["revisionsKept"], report["positionsKept"]) == (12_000, 12_000)
    assert content(cli, "copy") == content(cli, ".msgstore")
    copies = cli("--store", "copy", "sessions").lines
    assert [(s["name"], s["status"], s["messageCount"]) for s in copies] == [
        (f"run {n}", "ok", 3000) for n in range(4)
    ]
    assert cli("--store", "copy", "verify").code == 0
    assert cli("copy", ".msgstore", "copy", "--check").code == 0


def test_an_interrupt(cli: Cli) -> None:
    """Ctrl-C ends it with 130 and says what is on record."""
    a_big_store(cli, 12_000)
    process = start_copy(cli, 300)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert (process.returncode, out) == (130, b"")
    kept = int(cli("--store", "copy", "query", "--count").out)
    said = re.match(r"interrupted; copied before it: ([\d,]+) messages, positions 1–", err.decode())
    assert said is not None, err
    # It may have come between a commit and its being counted.
    assert kept - 50 <= int(said[1].replace(",", "")) <= kept
    assert cli("copy", ".msgstore", "copy").lines[0]["duplicates"] == kept


def test_progress(cli: Cli) -> None:
    """A long copy shows on a terminal how far it is, and leaves nothing of it behind."""
    a_big_store(cli, 12_000)
    done = cli.terminal("copy", ".msgstore", "copy", "--batch-size", "20")
    assert done.code == 0
    assert done.out.startswith("copied 12,000 messages, positions 1–12000, 4 sessions; verified;")
    assert "messages copied, " in done.err
    assert done.err.endswith("\r\x1b[K")


def test_nothing_acts_on_the_terminal(cli: Cli) -> None:
    """A stream's id in an error is shown escaped."""
    cli.save({"streamId": "a\u202eb", "type": "T"})
    cli("--store", "other", "save", "a\u202eb", "-t", "Foreign")
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
    cli.save(*[{"streamId": "a", "type": "T"}] * 3)
    done = cli("copy", ".msgstore", "new", "-o", "csv", "--fields", "messages,positionsKept")
    assert done.out == "messages,positionsKept\r\n3,3\r\n"
    assert json.loads(cli("copy", ".msgstore", "new", "-o", "json").out)["duplicates"] == 3
    assert "messages" in cli("copy", ".msgstore", "new", "-o", "table").out
    assert cli("copy", ".msgstore", "other", "--fields", "colour").code == 2
    assert not cli.folder.joinpath("other").exists()
    assert cli("copy", ".msgstore", "new", stdin=json_lines()).err == ""
