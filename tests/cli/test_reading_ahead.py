"""`save -` of much input, which a second process reads: nothing is different but the time it takes."""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from msgstore import FileMessageStore
from msgstore.cli.json_input import INPUT_BYTES_MAX
from msgstore.cli.sending import LineSaver, save_batches

from .harness import Cli, json_lines

ALONE = 4_000
"""So many lines are saved before there is a second process."""
linux = pytest.mark.skipif(sys.platform != "linux", reason="children are found in /proc")


def line(number: int, **more: Any) -> dict[str, Any]:
    return {"streamId": f"s-{number % 7}", "type": "T", "data": {"n": number}, **more}


def numbers(store: Path) -> list[int]:
    with FileMessageStore(store, create=False) as opened:
        return [stored.message.data["n"] for stored in opened.get_all_messages()]


class Saver:
    """`save -` that has taken 6,000 lines and waits for more."""

    def __init__(self, cli: Cli, *arguments: str) -> None:
        self.cli = cli
        theirs, self._input = os.pipe()
        if (
            sys.platform == "linux"
        ):  # all of it is there before it is read: no pause cuts a batch short
            fcntl.fcntl(self._input, fcntl.F_SETPIPE_SZ, 1 << 20)
            self.write(json_lines(*map(line, range(6_000))).encode())
        self.process = cli.start("save", "-", *arguments, stdin=theirs, start_new_session=True)
        os.close(theirs)
        if sys.platform != "linux":
            self.write(json_lines(*map(line, range(6_000))).encode())
        self.await_saved(6_000)

    def write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._input, rest) :]

    def await_saved(self, count: int) -> None:
        with FileMessageStore(self.cli.store) as store:
            for stored in store.follow():
                if stored.position == count:
                    return

    def end(self) -> tuple[int, str]:
        """Closes the input; the exit code, and what was said."""
        self.close_input()
        _, said = self.process.communicate()
        return self.process.returncode, said.decode()

    def close_input(self) -> None:
        if self._input >= 0:
            os.close(self._input)
            self._input = -1

    @property
    def children(self) -> list[int]:
        pid = self.process.pid
        return [
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]


@pytest.fixture
def saver(cli: Cli) -> Iterator[Saver]:
    saver = Saver(cli)
    yield saver
    saver.process.kill()
    saver.close_input()
    saver.process.communicate()


def await_end(pid: int) -> None:
    """Returns when the process has ended, whosesoever child it is."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    select.select([watched], [], [])
    os.close(watched)


def test_all_lines_in_their_order(cli: Cli) -> None:
    """From a file, plain lines and others mixed, the last one without an end."""
    total = 9_000
    lines = [line(n, **({"id": f"id-{n}"} if n % 1_500 == 77 else {})) for n in range(total)]
    lines.append(line(77, id="id-77"))  # saved before
    (cli.folder / "lines").write_text(json_lines(*lines).rstrip())
    done = cli.shell("msgstore save - --batch-size 300 < lines")
    assert done.code == 0
    assert "saved 9,000 messages to 7 streams, positions 1–9000 (1 duplicate)" in done.err
    assert numbers(cli.store) == list(range(total))
    with FileMessageStore(cli.store) as store:
        ids = [stored.message.id for stored in store.get_all_messages()]
    assert len(set(ids)) == total
    assert cli("verify").code == 0


@linux
def test_there_is_a_second_process(saver: Saver) -> None:
    """It is there while there is input, and not after it."""
    assert len(saver.children) == 1
    code, said = saver.end()
    assert (code, said) == (0, "saved 6,000 messages to 7 streams, positions 1–6000\n")


def test_a_pause_commits(saver: Saver) -> None:
    """What has come is committed when no more comes, though the input has not ended."""
    for count in (6_001, 6_002):
        saver.write(json_lines(line(count - 1)).encode())
        saver.await_saved(count)
    assert saver.end()[0] == 0
    assert numbers(saver.cli.store) == list(range(6_002))


def test_a_wrong_line_is_named(saver: Saver) -> None:
    """By its number in the whole input; what stands before it is saved."""
    saver.write(
        json_lines(line(6_000)).encode() + b"\nnonsense\n" + json_lines(line(6_001)).encode()
    )
    code, said = saver.end()
    assert code == 2
    assert "line 6,003: " in said
    assert "saved before it: 6,001 messages" in said
    assert numbers(saver.cli.store) == list(range(6_001))


def test_a_line_that_is_too_long(saver: Saver) -> None:
    """The error of reading comes across."""
    with suppress(BrokenPipeError):  # it need not read all of it
        for _ in range(0, INPUT_BYTES_MAX + 2, 1 << 20):
            saver.write(b"x" * (1 << 20))
    code, said = saver.end()
    assert code == 2
    assert "a line of the input takes" in said


@linux
def test_an_interrupt(saver: Saver) -> None:
    """Ctrl-C goes to both; the first says what was saved, and none is left."""
    (child,) = saver.children
    os.killpg(saver.process.pid, signal.SIGINT)
    await_end(child)
    assert saver.process.wait() == 130
    said = saver.end()[1]
    assert said == "interrupted; saved 6,000 messages to 7 streams, positions 1–6000\n"


@linux
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_its_parent(saver: Saver, sent: signal.Signals) -> None:
    """However that ends, though the input goes on; and it leaves no lock behind."""
    (child,) = saver.children
    saver.process.send_signal(sent)
    await_end(child)
    assert saver.process.wait() == -sent
    assert saver.cli("save", "s-0", "-t", "T", "n:=6000").code == 0


@linux
def test_a_reader_that_is_killed(saver: Saver) -> None:
    """That its lines are lost is said, and what was saved."""
    (child,) = saver.children
    os.kill(child, signal.SIGKILL)
    assert saver.process.wait() == 5
    said = saver.end()[1]
    assert "the process that read the input has ended" in said
    assert "saved before it: 6,000 messages" in said
    assert numbers(saver.cli.store) == list(range(6_000))


def test_an_error_of_saving(cli: Cli) -> None:
    """A session that was ended meanwhile: refused in the parent, and the child goes too."""
    session = cli("sessions", "start").out.strip()
    saver = Saver(cli, "--session", session)
    with FileMessageStore(cli.store) as store:
        store.end_session(session)
    saver.write(json_lines(line(6_000)).encode())
    assert saver.process.wait() == 2
    said = saver.end()[1]
    assert "saved before it: 6,000 messages" in said


def test_what_the_environment_says_is_stamped(cli: Cli) -> None:
    """By the second process as by the first."""
    stamped = cli.with_environment(MSGSTORE_CORRELATION_ID="c-1")
    done = stamped("save", "-", stdin=json_lines(*map(line, range(8_000))))
    assert done.code == 0
    assert cli("query", "--correlation-id", "c-1", "--count").out == "8000\n"


@pytest.mark.parametrize("refused", ["fork", "second pipe"])
def test_no_room_for_a_second_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    """Then the first one goes on alone, and leaves nothing open."""
    make_pipe, asked = os.pipe, itertools.count(1)

    def refuse() -> int:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    def make_every_other_pipe() -> tuple[int, int]:
        if next(asked) % 2:
            return make_pipe()
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    if refused == "fork":
        monkeypatch.setattr(os, "fork", refuse)
    else:
        monkeypatch.setattr(os, "pipe", make_every_other_pipe)
    lines = [json_lines(line(n)).encode().rstrip() for n in range(9_000)]
    batches = iter([lines[start : start + 1_000] for start in range(0, 9_000, 1_000)])
    with FileMessageStore(tmp_path / "store") as store:
        saver = LineSaver(store, None)
        steps = save_batches(saver, batches, 1_000)
        open_files = []
        for _ in steps:
            open_files.append(len(os.listdir("/dev/fd")))
        assert open_files[3] == open_files[-1]
    assert numbers(tmp_path / "store") == list(range(9_000))
