"""`msgstore dump`: bytes with their meaning, of sound and of damaged stores."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .harness import Cli, plain

ROW_BYTES = 96


@pytest.fixture
def store(cli: Cli) -> Cli:
    """Three messages in two streams, one commit each, and a session."""
    cli("sessions", "start", "--name", "run")
    for number, stream in enumerate(("a", "b", "a")):
        cli("save", stream, "-t", "T", f"n:={number}", "--id", f"m-{number}")
    return cli


def flip(file: Path, offset: int) -> None:
    content = bytearray(file.read_bytes())
    content[offset] ^= 1
    file.write_bytes(content)


def segment(cli: Cli, stream: str) -> Path:
    [file] = [f for f in cli.store.rglob("*.msgpack") if f.name.startswith(f"{stream}~")]
    return file


def fields(dump: dict[str, list[dict[str, object]]]) -> dict[object, object]:
    return {field["field"]: field["value"] for field in dump["fields"]}


@pytest.mark.parametrize("name", ["3", "m-2"])
def test_a_record(store: Cli, name: str) -> None:
    """By position or id: file, place, and each field with offset, bytes and value."""
    done = store("dump", "record", name)
    [found] = done.lines
    assert (done.code, found["what"], found["problems"]) == (0, "record", [])
    raw = segment(store, "a").read_bytes()[found["offset"] :]
    assert "".join(field["bytes"] for field in found["fields"]) == raw.hex()
    values = fields(found)
    assert (values["position"], values["revision"], values["data"]) == (3, 1, {"n": 2})
    assert values["id"] == "m-2"


def test_json_is_one_object(store: Cli) -> None:
    """-o json prints the object, for the journal an array."""
    assert json.loads(store("dump", "row", "2", "-o", "json").out)["offset"] == 192
    assert len(json.loads(store("dump", "journal", "-o", "json").out)) == 2 + 5


def test_on_a_terminal(store: Cli) -> None:
    """A table: offset, bytes, field, value; what was stored does not act on the terminal."""
    store("save", "a", "-t", "T", "--data", '"\\u202e"', "--id", "evil")
    shown = plain(store.terminal("dump", "record", "evil").out)
    assert "at byte" in shown
    assert "dc 00 10" in shown
    assert r"\u202e" in shown
    assert "\u202e" not in shown
    shown = plain(store.terminal("dump", "journal").out)
    assert "journal slot" in shown
    assert "journal entry 4" in shown


def test_a_damaged_record(store: Cli) -> None:
    """What does not hold is said, with what stands there and what should; exit 3."""
    file = segment(store, "a")
    [sound] = store("dump", "record", "3").lines
    flip(file, sound["offset"] + 60)
    done = store("dump", "record", "3")
    assert done.code == 3
    [problem] = done.lines[0]["problems"]
    assert problem.startswith(f"crc: {fields(sound)['crc']:08x} stands there, the bytes have ")
    flip(file, sound["offset"] + 60)
    flip(file, sound["offset"] + 12)
    problems = store("dump", "record", "3").lines[0]["problems"]
    assert any(problem.startswith("length: ") for problem in problems)


def test_a_damaged_row(store: Cli) -> None:
    """The row is shown as it is, and the record that it leads to."""
    flip(store.store / "index", 3 * ROW_BYTES + 28)
    done = store("dump", "row", "3")
    assert done.code == 3
    assert done.lines[0]["problems"][0].startswith("crc: ")
    done = store("dump", "record", "3")
    assert (done.code, fields(done.lines[0])["id"]) == (3, "m-2")
    assert done.lines[0]["problems"] == ["the index row is damaged, and may lead anywhere"]
    flip(store.store / "index", 3 * ROW_BYTES + 9)
    done = store("dump", "record", "3")
    assert (done.code, done.lines[0]["fields"]) == (3, [])
    assert "leads to no stream" in done.lines[0]["problems"][1]


def test_a_missing_segment(store: Cli) -> None:
    """It is a problem, not an error."""
    segment(store, "b").unlink()
    done = store("dump", "record", "2")
    assert (done.code, done.lines[0]["problems"]) == (3, ["the segment is missing"])


def test_the_journal(store: Cli) -> None:
    """Slots and entries, and of one entry its writes."""
    done = store("dump", "journal")
    assert done.code == 0
    assert [part["what"] for part in done.lines] == [
        "journal slot",
        "journal slot",
        *(f"journal entry {number}" for number in range(1, 6)),
    ]
    [entry] = store("dump", "journal", "--entry", "4").lines
    paths = [field["value"] for field in entry["fields"] if field["field"] == "path"]
    assert paths == [str(segment(store, "b").relative_to(store.store)), "catalog", "index"]
    assert store("dump", "journal", "--entry", "6").code == 2


def test_a_damaged_entry(store: Cli) -> None:
    """It is shown with what does not hold, and those behind it are found all the same."""
    [entry] = store("dump", "journal", "--entry", "2").lines
    flip(store.store / "journal", entry["offset"] + 100)
    done = store("dump", "journal")
    assert done.code == 3
    assert [bool(part["problems"]) for part in done.lines] == [False] * 3 + [True] + [False] * 3


def test_left_over_entries(store: Cli) -> None:
    """What earlier generations left behind counts no more, and is no problem, whole or not."""
    lock = store.store / "write.lock"
    lock.write_bytes(bytes(lock.stat().st_size))  # as after another boot
    store("read", "a")
    [entry] = store("dump", "journal", "--entry", "2").lines
    assert entry["what"] == "left over entry 2"
    flip(store.store / "journal", entry["offset"] + 100)
    assert store("dump", "journal").code == 0


def test_the_hint(store: Cli) -> None:
    """Where the last writer left off; a damaged one is said to be."""
    done = store("dump", "hint")
    assert (done.code, fields(done.lines[0])["rows"]) == (0, 3)
    flip(store.store / "write.lock", 33)
    assert store("dump", "hint").code == 3


def test_a_frame(store: Cli) -> None:
    """By file and byte, of any file of frames."""
    assert store("dump", "frame", "catalog", "0").lines[0]["what"] == "catalog header"
    done = store("dump", "frame", "catalog", "56")
    assert fields(done.lines[0])["stream id"] == "a"
    assert store("dump", "frame", "sessions", "0").lines[0]["what"] == "session log header"
    path = str(segment(store, "a").relative_to(store.store))
    assert fields(store("dump", "frame", path, "0").lines[0])["stream id"] == "a"
    assert store("dump", "frame", path, "1").code == 3


@pytest.mark.parametrize(
    "command",
    [
        ("record", "4"),
        ("record", "0"),
        ("record", "nobody"),
        ("row", "99"),
        ("frame", "index", "0"),
        ("frame", "../x", "0"),
        ("frame", "quarantine/..", "0"),
        ("frame", "catalog", "9999"),
    ],
)
def test_what_is_not_there(store: Cli, command: tuple[str, ...]) -> None:
    """A position, a file or a place that is not there is exit 2."""
    done = store("dump", *command)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("msgstore: ")


def test_nothing_is_changed(store: Cli) -> None:
    """No lock, no recovery: the files are what they were, also where a writer holds them."""
    lock = store.store / "write.lock"
    lock.write_bytes(bytes(lock.stat().st_size))
    before = {file: file.read_bytes() for file in store.store.rglob("*") if file.is_file()}
    for command in ("record 1", "row 1", "journal", "hint", "frame catalog 0"):
        store("dump", *command.split())
    assert {f: f.read_bytes() for f in store.store.rglob("*") if f.is_file()} == before


def test_no_store(cli: Cli) -> None:
    """Where there are no files it is exit 5, and a store in memory has none."""
    for command in ("record 1", "row 1", "journal", "hint"):
        assert cli("dump", *command.split()).code == 5
    assert not cli.store.exists()
    assert cli("--store", "memory:", "dump", "hint").code == 2


def test_the_journal_on_a_narrow_terminal(store: Cli) -> None:
    """Columns are left out rather than cut."""
    shown = plain(store.terminal("dump", "journal", columns=50).out).splitlines()
    assert shown[0].split() == ["what", "at", "byte", "sequence", "rows"]
    assert not any("…" in line for line in shown)
