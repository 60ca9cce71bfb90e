"""`--skip-damaged`: what can be read is printed, what cannot is said, and the exit code is 3."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .harness import Cli, next_line, plain

ROW_BYTES = 96


def flip(file: Path, offset: int) -> None:
    content = bytearray(file.read_bytes())
    content[offset] ^= 1
    file.write_bytes(content)


def spoil_records(cli: Cli, stream: str, revisions: list[int]) -> None:
    """Changes a letter of the text in some messages of a stream."""
    [segment] = [f for f in cli.store.rglob("*.msgpack") if f.name.startswith(f"{stream}~")]
    texts = [
        found.start() for found in re.finditer(b"(?<=text\\xd9\\x32).{50}", segment.read_bytes())
    ]
    for revision in revisions:
        flip(segment, texts[revision] + 10)


@pytest.fixture
def store(cli: Cli) -> Cli:
    """Sixty messages, two streams in turn; revision 4 of s-1, position 10, is damaged."""
    cli.save(
        *(
            {"streamId": f"s-{n % 2}", "type": "T", "data": {"text": "x" * 50, "n": n}}
            for n in range(60)
        )
    )
    spoil_records(cli, "s-1", [4])
    return cli


EXPECTED = [position for position in range(1, 61) if position != 10]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("read s-1", [p for p in EXPECTED if p % 2 == 0]),
        ("read s-1 -r", [p for p in EXPECTED if p % 2 == 0][::-1]),
        ("read s-1 --last 27", [p for p in EXPECTED if p % 2 == 0 and p > 4]),
        ("query", EXPECTED),
        ("query -r", EXPECTED[::-1]),
        ("query --stream s-1 -n 5", [2, 4, 6, 8, 12]),
        ("query --where n>=8 -n 3", [9, 11, 12]),
        ("tail -n 55", EXPECTED[-55:]),
        ("tail s-1 -n 28", [p for p in EXPECTED if p % 2 == 0 and p > 2]),
    ],
)
def test_what_can_be_read(store: Cli, command: str, expected: list[int]) -> None:
    """All else is printed; one line on stderr names position, stream, revision, file and reason."""
    assert store(*command.split()).code == 3
    done = store(*command.split(), "--skip-damaged")
    assert done.code == 3
    assert [m["position"] for m in done.lines] == expected
    [said] = done.err.splitlines()
    pattern = (
        r"msgstore: left out position 10, stream s-1, revision 4: streams/\S+ at byte \d+: checksum"
    )
    assert re.fullmatch(pattern, said)


@pytest.mark.parametrize("command", ["query --count", "query --count -t T", "query --count -n 99"])
def test_counting(store: Cli, command: str) -> None:
    """--count counts what can be read."""
    done = store(*command.split(), "--skip-damaged")
    assert (done.code, done.out) == (3, "59\n")
    assert "position 10" in done.err


def test_stats(store: Cli) -> None:
    """--by counts what can be read; totals have nothing to skip."""
    done = store("stats", "--by", "stream", "--skip-damaged")
    assert (done.code, done.lines) == (
        3,
        [{"stream": "s-0", "count": 30}, {"stream": "s-1", "count": 29}],
    )
    assert store("stats", "--skip-damaged").code == 2
    assert store("stats", "--by", "kind").lines == [{"kind": "event", "count": 60}]


def test_elsewhere(store: Cli) -> None:
    """What does not come upon the damage is exit 0 and says nothing."""
    for command in ("read s-0", "query --stream s-0", "query --from-position 11", "tail"):
        done = store(*command.split(), "--skip-damaged")
        assert (done.code, done.err) == (0, "")


def test_nothing_is_left(cli: Cli) -> None:
    """With damage, nothing found is exit 3 rather than 1."""
    cli.save({"streamId": "s", "type": "T", "data": {"text": "x" * 50}})
    spoil_records(cli, "s", [0])
    done = cli("query", "-e", "--skip-damaged")
    assert (done.code, done.out) == (3, "")


def test_an_index_row(store: Cli) -> None:
    """A row that is damaged is told as such; the stream still has the message."""
    flip(store.store / "index", 21 * ROW_BYTES + 50)
    done = store("query", "--skip-damaged")
    assert [m["position"] for m in done.lines] == [p for p in EXPECTED if p != 21]
    assert "left out position 21: index at byte 2016: the index row is damaged" in done.err
    assert len(store("read", "s-0", "--skip-damaged").lines) == 30


def test_many(store: Cli) -> None:
    """Twenty are told, the others counted; with -q too, for they are no chatter."""
    spoil_records(store, "s-1", [n for n in range(30) if n != 4])
    for quiet in ((), ("-q",)):
        done = store("query", "--skip-damaged", *quiet)
        assert (done.code, len(done.lines)) == (3, 30)
        said = done.err.splitlines()
        assert len(said) == 21
        assert said[-1] == "msgstore: and 10 more were left out"


def test_following(store: Cli) -> None:
    """tail -f goes on behind damage, and ends with 3 whatever ended it."""
    spoil_records(store, "s-1", [29])
    process = store.start("tail", "-f", "--skip-damaged", "-n", "2", "--timeout", "2")
    assert [next_line(process.stdout)["position"] for _ in range(2)] == [58, 59]
    store("save", "s-0", "-t", "More")
    assert next_line(process.stdout)["position"] == 61
    _, said = process.communicate()
    assert process.returncode == 3
    assert said.decode().count("left out position 60") == 1


def test_on_a_terminal(store: Cli) -> None:
    """A stream's name never acts on the terminal."""
    store.save({"streamId": "a\u202eb", "type": "T", "data": {"text": "x" * 50}})
    [segment] = [f for f in store.store.rglob("*.msgpack") if f.name.startswith("a_b~")]
    flip(segment, segment.read_bytes().index(b"x" * 50) + 3)
    shown = store.terminal("read", "a\u202eb", "--skip-damaged")
    assert r"stream a\u202eb, revision 0" in plain(shown.err)


def test_no_files(cli: Cli) -> None:
    """A store in memory has no damage to skip."""
    assert cli("--store", "memory:", "query", "--skip-damaged").code == 2
