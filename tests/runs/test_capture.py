"""What of an output is saved, and that all of it is passed on."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgstore import MemoryMessageStore
from msgstore.cli.json_input import read_json
from msgstore.model.context import SaveContext
from msgstore.model.errors import MsgStoreError, SessionEnded
from msgstore.runs.capture import Capture, MessageLines


class Sink:
    """Keeps the lines."""

    def __init__(self) -> None:
        self.lines: list[bytes | None] = []

    def save(self, lines: Sequence[bytes | None]) -> None:
        self.lines += lines


@pytest.fixture(autouse=True)
def _child_signals() -> Iterator[None]:
    """The end of a capture is told by SIGCHLD, as in `signals_held`."""
    before = signal.signal(signal.SIGCHLD, lambda number, frame: None)
    yield
    signal.signal(signal.SIGCHLD, before)


def pass_through(parts: list[bytes], sink: Sink, line_bytes_max: int = 1000) -> bytes:
    """Writes parts into a capture; returns what came out of it."""
    source, written_to = os.pipe()
    out, target = os.pipe()
    capture = Capture(source, target, sink, line_bytes_max, lambda error: None)
    capture.start()
    for part in parts:
        os.write(written_to, part)
    os.close(written_to)
    assert capture._over.wait(60)
    capture.end()
    os.close(target)
    with open(out, "rb") as file:
        return file.read()


@given(st.lists(st.binary(max_size=40) | st.sampled_from([b"\n", b"a\nb\n", b"\r\n"]), max_size=12))
def test_every_byte_and_every_line(parts: list[bytes]) -> None:
    """However the output is cut, what comes out is what went in, and the lines are its lines."""
    whole = b"".join(parts)
    sink = Sink()
    assert pass_through(parts, sink) == whole
    expected = whole.split(b"\n")
    assert sink.lines == (expected if expected[-1] else expected[:-1])


@given(st.lists(st.integers(0, 30), max_size=10), st.integers(1, 20))
def test_lines_that_are_too_long(lengths: list[int], line_bytes_max: int) -> None:
    """A line beyond the limit is None to the sink, passed on whole, and held no longer than that."""
    lines = [b"x" * length for length in lengths]
    whole = b"".join(line + b"\n" for line in lines)
    sink = Sink()
    assert (
        pass_through([whole[i : i + 7] for i in range(0, len(whole), 7)], sink, line_bytes_max)
        == whole
    )
    assert sink.lines == [line if len(line) <= line_bytes_max else None for line in lines]


def test_a_line_is_saved_before_its_end_is_passed_on() -> None:
    """Whoever reads a whole line finds it saved."""
    source, written_to = os.pipe()
    out, target = os.pipe()
    may_save = threading.Event()

    class Slow(Sink):
        def save(self, lines: Sequence[bytes | None]) -> None:
            may_save.wait()
            super().save(lines)

    sink = Slow()
    capture = Capture(source, target, sink, 1000, lambda error: None)
    capture.start()
    os.write(written_to, b"beg")
    assert os.read(out, 10) == b"beg"
    os.write(written_to, b"in\n")
    assert sink.lines == []
    may_save.set()
    assert os.read(out, 10) == b"in\n"
    assert sink.lines == [b"begin"]
    os.close(written_to)
    assert capture._over.wait(60)


def test_after_a_failure_all_is_passed_on() -> None:
    """A store that refuses is told once, and the output goes on without it."""
    source, written_to = os.pipe()
    out, target = os.pipe()
    told: list[Exception] = []

    class Broken(Sink):
        def save(self, lines: Sequence[bytes | None]) -> None:
            raise MsgStoreError("full")

    capture = Capture(source, target, Broken(), 1000, told.append)
    capture.start()
    for _ in range(2):
        os.write(written_to, b"a\n")
        assert os.read(out, 10) == b"a\n"
    os.close(written_to)
    assert capture._over.wait(60)
    assert [str(error) for error in told] == ["full"]


def test_what_others_hold_open_is_not_waited_for() -> None:
    """At the command's end what is in the pipe is taken, though another process may still write."""
    source, written_to = os.pipe()
    out, target = os.pipe()
    sink = Sink()
    capture = Capture(source, target, sink, 1000, lambda error: None)
    os.write(written_to, b"a\nb\nc")
    capture.end()
    capture.start()
    assert capture._over.wait(60)
    assert os.read(out, 10) == b"a\nb\nc"
    assert sink.lines == [b"a", b"b", b"c"]
    os.close(written_to)


def test_a_reader_that_leaves() -> None:
    """When the target is closed, so is the source, and the command is told by its next write."""
    source, written_to = os.pipe()
    out, target = os.pipe()
    os.close(out)
    sink = Sink()
    capture = Capture(source, target, sink, 1000, lambda error: None)
    capture.start()
    os.write(written_to, b"a\n")
    assert capture._over.wait(60)
    with pytest.raises(BrokenPipeError):
        os.write(written_to, b"b\n")
    assert sink.lines == [b"a"]


# ---------------------------------------------------------------- what is a message

CONTEXT = SaveContext("corr-1")


def save(*lines: str) -> tuple[MemoryMessageStore, MessageLines, list[str]]:
    store, told = MemoryMessageStore(), list[str]()
    saver = MessageLines(store, "out", CONTEXT, read_json, told.append)
    saver.save([line.encode() for line in lines])
    return store, saver, told


@pytest.mark.parametrize(
    ("line", "stream", "type", "data"),
    [
        ('{"type":"T","data":{"a":1}}', "out", "T", {"a": 1}),
        ('{"type":"T","streamId":"s"}\r', "s", "T", {}),
        (' {"type":"T"} ', "out", "T", {}),
        ('{"streamId":"s","message":{"type":"T","data":1},"position":3}', "s", "T", 1),
        ('{"level":"info"}', "out", "msgstore.Output", {"level": "info"}),
        ('{"type":"T","other":1}', "out", "msgstore.Output", {"type": "T", "other": 1}),
        ('{"type":7}', "out", "msgstore.Output", {"type": 7}),
        ("{}", "out", "msgstore.Output", {}),
    ],
)
def test_a_message(line: str, stream: str, type: str, data: object) -> None:
    """A line of `save -` is that message; any other object is data."""
    store, saver, told = save(line)
    [stored] = store.get_all_messages()
    assert (stored.stream_id, stored.message.type, stored.message.data) == (stream, type, data)
    assert (saver.to_json(), told) == ({"messages": 1, "refused": 0, "otherLines": 0}, [])


@pytest.mark.parametrize("line", ["text", "[1]", "7", '"text"', "null", "{", '{"a":}', "{a}"])
def test_no_message(line: str) -> None:
    """What is no JSON object is counted and passed over."""
    store, saver, told = save(line, "", "  ")
    assert list(store.get_all_messages()) == []
    assert (saver.to_json(), told) == ({"messages": 0, "refused": 0, "otherLines": 1}, [])


def test_what_is_refused_is_told_and_left_out() -> None:
    """NaN, an id that is taken, a revision that does not match: each alone; all others are saved."""
    store, saver, told = save(
        '{"type":"A","id":"a"}',
        '{"a":NaN}',
        '{"type":"B","id":"a"}',
        '{"type":"C"}',
        '{"type":"D","expectedRevision":7}',
        '{"type":"E"}',
    )
    assert [m.message.type for m in store.get_all_messages()] == ["A", "C", "E"]
    assert saver.to_json() == {"messages": 3, "refused": 3, "otherLines": 0}
    assert [text.split(" of ")[0] for text in told] == ["line 2", "line 3", "line 5"]


def test_lines_are_filled_in() -> None:
    """What is saved has the correlation id of the run, unless it says its own."""
    store, _, _ = save('{"type":"A"}', '{"x":1}', '{"type":"B","correlationId":"own"}')
    ids = [m.message.correlation_id for m in store.get_all_messages()]
    assert ids == ["corr-1", "corr-1", "own"]


def test_an_ended_session_is_no_matter_of_a_line() -> None:
    """An error that is not about one message is raised."""
    store = MemoryMessageStore()

    def refuse(*arguments: object, **more: object) -> None:
        raise SessionEnded("session-1")

    store._commit = refuse  # type: ignore[assignment, method-assign]
    saver = MessageLines(store, "out", CONTEXT, read_json, print)
    with pytest.raises(SessionEnded):
        saver.save([b'{"type":"T"}'])
