"""Ctrl-C at random moments of a save: what was acknowledged is there, and the object goes on."""

from __future__ import annotations

import os
import random
import re
import signal
import sys
import time
from itertools import count
from pathlib import Path

import pytest

from msgstore import FileMessageStore
from msgstore.cli.app import run

from .ledger import batch_of, examine, look_over
from .points import POINTS, once_at
from .processes import Gate, Report, spawn
from .soak import line_of

INTERRUPTS = 40
COMMANDS = 12
LINES = 3000
LINES_OF_BATCH = 5


class Interrupts:
    """Handles SIGINT as Python does, but only where `armed`: a late one must not hit the test."""

    def __init__(self) -> None:
        self.armed = False
        signal.signal(signal.SIGINT, self._handle)

    def _handle(self, *_: object) -> None:
        if self.armed:
            self.armed = False
            raise KeyboardInterrupt


def save_until_interrupted(
    store: FileMessageStore, report: Report, numbers: count[int], interrupts: Interrupts
) -> None:
    try:
        while True:
            interrupts.armed = True  # anew, for one that comes in a finalizer is lost
            number = next(numbers)
            batch = batch_of(f"b{number}", number % 4 + 1, number % 900)
            store.save_messages(f"s{number % 7}", batch)
            report.tell("saved", f"b{number}")
    except KeyboardInterrupt:
        report.tell("interrupted")


@pytest.mark.parametrize("durability", ["always", "os"])
def test_interrupted_saves(tmp_path: Path, durability: str) -> None:
    """One object is interrupted at random again and again, and goes on each time."""
    report, gate, chance = Report(tmp_path / "report"), Gate(), random.Random(5)

    def work() -> None:
        interrupts, numbers = Interrupts(), count()
        store = FileMessageStore(tmp_path / "store", durability=durability)
        for _ in range(INTERRUPTS):
            gate.open()
            save_until_interrupted(store, report, numbers, interrupts)
        store.save_messages("s0", batch_of("end", 2))
        report.tell("saved", "end")

    child = spawn(report, work)
    for number in range(INTERRUPTS):
        gate.wait(child)
        while child.is_running and len(report.about("interrupted")) == number:
            time.sleep(chance.random() * 0.01)
            child.signal(signal.SIGINT)
    child.wait()
    assert report.about("bug") == []
    assert report.about("saved")[-1] == "end"
    with FileMessageStore(tmp_path / "store") as store:
        assert examine(store, report.about("saved")) == []


@pytest.mark.parametrize("point", POINTS)
def test_an_interrupt_at_each_point(tmp_path: Path, point: str) -> None:
    """The save that was interrupted is there whole or not at all, for this object and for others."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    store, other = FileMessageStore(tmp_path / "store"), FileMessageStore(tmp_path / "store")
    store.save_messages("a", batch_of("first", 2))
    with once_at(point, interrupt), pytest.raises(KeyboardInterrupt):
        store.save_messages("a", batch_of("interrupted", 3))
    assert look_over(other).violations == []
    store.save_messages("a", batch_of("next", 2))
    other.save_messages("a", batch_of("last", 2))
    assert examine(store, ["first", "next", "last"]) == []
    store.close()
    other.close()


def test_an_interrupted_command(tmp_path: Path) -> None:
    """`save -` ends with 130 and says how many lines it saved: so many are there, the first ones."""
    chance = random.Random(7)
    lines = tmp_path / "lines"
    lines.write_bytes(b"".join(line_of(f"{number}") for number in range(LINES)))
    codes = [interrupt_command(tmp_path / f"{number}", lines, chance) for number in range(COMMANDS)]
    assert codes.count("130") > 0


def interrupt_command(folder: Path, lines: Path, chance: random.Random) -> str:
    """Interrupts one `save -` after its first commit; returns its exit code."""
    folder.mkdir()
    report, store_path, said = Report(folder / "report"), folder / "store", folder / "said"

    def work() -> None:
        os.dup2(os.open(lines, os.O_RDONLY), 0)
        out = os.open(said, os.O_WRONLY | os.O_CREAT)
        os.dup2(out, 1)
        os.dup2(out, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        flags = ["--batch-size", str(LINES_OF_BATCH), "--durability", "os"]
        report.tell("exit", run(["--store", str(store_path), "save", "-", *flags]))
        sys.stderr.flush()

    child = spawn(report, work)
    index = store_path / "index"
    while child.is_running and not (index.exists() and index.stat().st_size > 96):
        time.sleep(0.0005)
    time.sleep(chance.random() * 0.05)
    child.signal(signal.SIGINT)
    child.wait()
    told = re.search(r"saved ([\d,]+) messages", said.read_text())
    assert told, said.read_text()
    with FileMessageStore(store_path) as store:
        saved = [stored.message.data["batch"] for stored in store.get_all_messages()]
        assert saved == [str(number) for number in range(len(saved))]
        assert 0 <= len(saved) - int(told[1].replace(",", "")) <= LINES_OF_BATCH
        assert store.verify().findings == ()
    return " ".join(report.about("exit"))
