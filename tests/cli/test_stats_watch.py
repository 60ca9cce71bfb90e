"""`msgstore stats --by … --watch`, and filters of `stats --by`."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess

import pytest

from .harness import Cli, next_line, open_terminal, plain, read_terminal


@pytest.fixture
def store(cli: Cli) -> Cli:
    cli.save(*({"streamId": "s", "type": type} for type in ("A", "A", "B")))
    return cli


def read_until(descriptor: int, pattern: str) -> str:
    """What a terminal shows until the pattern stands there."""
    shown = ""
    while not re.search(pattern, plain(shown)):
        shown += os.read(descriptor, 1 << 16).decode()
    return shown


def test_a_line_for_each_change(store: Cli) -> None:
    """In a pipe: the counts that there are, then one line for each message, at once; Ctrl-C is 130."""
    reader = store.start("stats", "--by", "type", "--watch")
    assert [next_line(reader.stdout) for _ in range(2)] == [
        {"type": "A", "count": 2},
        {"type": "B", "count": 1},
    ]
    store.save({"streamId": "s", "type": "B"})
    assert next_line(reader.stdout) == {"type": "B", "count": 2}
    store.save({"streamId": "s", "type": "C"}, {"streamId": "s", "type": "A"})
    assert next_line(reader.stdout) == {"type": "C", "count": 1}
    assert next_line(reader.stdout) == {"type": "A", "count": 3}
    reader.send_signal(signal.SIGINT)
    out, err = reader.communicate()
    assert (reader.returncode, out, err) == (130, b"", b"")


def test_with_filters(store: Cli) -> None:
    """Filters hold for what is there and for what arrives."""
    reader = store.start("stats", "--by", "stream", "--watch", "--type", "A")
    assert next_line(reader.stdout) == {"stream": "s", "count": 2}
    store.save({"streamId": "s", "type": "B"}, {"streamId": "t", "type": "A"})
    assert next_line(reader.stdout) == {"stream": "t", "count": 1}
    reader.send_signal(signal.SIGINT)
    reader.communicate()


def test_an_array_is_closed(store: Cli) -> None:
    """-o json is one array, complete after Ctrl-C."""
    reader = store.start("stats", "--by", "type", "--watch", "-o", "json")
    assert reader.stdout is not None
    begin = reader.stdout.readline() + reader.stdout.readline()
    reader.send_signal(signal.SIGINT)
    rest, _ = reader.communicate()
    assert json.loads(begin + rest)[0] == {"type": "A", "count": 2}


def test_a_reader_that_leaves_ends_it(store: Cli) -> None:
    """When the pipe is closed the next message ends it, with exit 0 and no noise."""
    reader = store.start("stats", "--by", "type", "--watch")
    next_line(reader.stdout)
    assert reader.stdout is not None
    assert reader.stderr is not None
    reader.stdout.close()
    store.save({"streamId": "s", "type": "A"})
    assert (reader.wait(), reader.stderr.read()) == (0, b"")


def test_it_is_drawn_again(store: Cli) -> None:
    """On a terminal the table stands in its place with new counts; the last picture stays; exit 130."""
    ours, theirs = open_terminal(100)
    watching = store.start(
        "stats", "--by", "type", "--watch", stdin=subprocess.DEVNULL, stdout=theirs
    )
    os.close(theirs)
    first = read_until(ours, r"A +2 +66\.7%[^\n]*\n[^\n]*B +1 ")
    assert "\x1b[J" not in first
    assert plain(first).split()[:6] == ["type", "messages", "share", "a", "second", "last"]
    store.save({"streamId": "s", "type": "B"}, {"streamId": "s", "type": "\u202eB"})
    again = read_until(ours, r"B +2 ")
    assert "\x1b[3F\x1b[J" in again  # the head and two rows
    again += read_until(ours, r"\\u202eB +1 ") if r"\u202eB" not in again else ""
    assert "█" in again
    watching.send_signal(signal.SIGINT)
    rest = read_terminal(ours)
    assert re.search(r"B +2 ", plain(again + rest).rpartition("messages")[2])
    assert watching.wait() == 130
    assert watching.stderr is not None
    assert watching.stderr.read() == b""


def test_an_empty_store_is_watched(cli: Cli) -> None:
    """Before the first message a terminal is told that there is none yet."""
    cli("sessions", "start")
    ours, theirs = open_terminal(100)
    watching = cli.start("stats", "--by", "kind", "--watch", stdout=theirs)
    os.close(theirs)
    read_until(ours, "no messages yet")
    cli.save({"streamId": "s", "type": "A"})
    read_until(ours, r"event +1 +100\.0%")
    watching.send_signal(signal.SIGINT)
    read_terminal(ours)
    assert watching.wait() == 130
    watching.communicate()


@pytest.mark.parametrize(
    "flags",
    [
        "--watch",
        "--type A",
        "--by type --watch --skip-damaged",
        "--by type --watch -o table",
        "--by type --watch -o wide",
    ],
)
def test_usage(store: Cli, flags: str) -> None:
    """Watching is for counts, and a table is drawn on a terminal only; totals take no filter."""
    done = store("stats", *flags.split())
    assert (done.code, done.out) == (2, "")


def test_filters(store: Cli) -> None:
    """--by counts what matches."""
    assert store("stats", "--by", "type", "--type", "B").lines == [{"type": "B", "count": 1}]
    assert store("stats", "--by", "type", "--to-position", "1").lines == [{"type": "A", "count": 1}]
    skipping = store("stats", "--by", "type", "--to-position", "1", "--skip-damaged")
    assert skipping.lines == [{"type": "A", "count": 1}]
