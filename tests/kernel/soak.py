"""Many processes on one store, and one that kills them: savers, readers and a follower for minutes.

Savers are killed at any instant and replaced: processes that save with `always`, with `os` or
through the command line, and one whose threads save, read and follow at once. Readers and the
follower live on: none of them may ever see a gap, half a batch, a message twice, or an error.
"""

from __future__ import annotations

import os
import random
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import orjson

from msgstore import FileMessageStore, MsgStoreError
from msgstore.cli.app import run

from .ledger import Watch, batch_of, examine, look_over
from .processes import Child, Gate, Report, spawn
from .scenarios import small_journal

EPISODE_S = 20.0
"""How long one store is used: readers read all of it again and again."""
STREAMS = 12
SIZES = (1, 1, 2, 5, 20)
END = "end"

Saver = Callable[[Path, Report, str], None]


@dataclass
class Counts:
    """Savers killed, batches acknowledged, messages the stores held; and what went wrong."""

    kills: int = 0
    saves: int = 0
    messages: int = 0
    violations: list[str] = field(default_factory=list)


def soak(
    seconds: float,
    writers: int = 4,
    readers: int = 2,
    *,
    kills: int | None = None,
    seed: int = 0,
) -> Counts:
    """Goes on for so long, or until so many savers were killed."""
    counts = Counts()
    chance = random.Random(seed)
    end = time.monotonic() + seconds
    while time.monotonic() < end and (kills is None or counts.kills < kills):
        with tempfile.TemporaryDirectory() as folder:
            episode = Episode(Path(folder), chance, counts)
            episode_end = min(end, time.monotonic() + EPISODE_S)
            episode.run(writers, readers, episode_end, kills)
    return counts


class Episode:
    """One store and the processes around it."""

    def __init__(self, folder: Path, chance: random.Random, counts: Counts) -> None:
        self._path = folder / "store"
        self._report = Report(folder / "report")
        self._chance = chance
        self._counts = counts
        self._numbers = count()

    def run(self, writers: int, readers: int, end: float, kills: int | None) -> None:
        path, report = self._path, self._report
        works: list[Callable[[], None]] = [
            lambda: save_for_ever(path, report, "steady", "os"),
            *[lambda: read_for_ever(path, report)] * readers,
        ]
        others = [spawn(report, work) for work in works]
        follower = spawn(report, lambda: follow_to_the_end(path, report))
        victims = [self._start(SAVERS[at % len(SAVERS)]) for at in range(writers)]
        try:
            while time.monotonic() < end and (kills is None or self._counts.kills < kills):
                at = self._chance.randrange(writers)
                self._kill(*victims[at])
                victims[at] = self._start(self._chance.choice(SAVERS))
            for child in [*others, *(victim for victim, _ in victims)]:
                self._end(child)
            self._counts.violations += self._examine(follower)
        finally:
            for child in [*others, follower, *(victim for victim, _ in victims)]:
                child.kill()

    def _start(self, saver: Saver) -> tuple[Child, Gate]:
        """A saver, and the gate that it opens after its first acknowledgement."""
        gate = Gate()
        label = f"{saver.__name__}{next(self._numbers)}"

        def work() -> None:
            first = f"{label}-first"
            with FileMessageStore(self._path, durability="os") as store:
                store.save_messages("stream-0", batch_of(first, 2))
            self._report.tell("saved", first)
            gate.open()
            saver(self._path, self._report, label)

        return spawn(self._report, work), gate

    def _kill(self, victim: Child, gate: Gate) -> None:
        gate.wait(victim)
        gate.close()
        time.sleep(self._chance.random() * 0.03)
        self._end(victim)
        self._counts.kills += 1

    def _end(self, child: Child) -> None:
        if not child.is_running:
            self._counts.violations.append("a process ended by itself")
        child.kill()

    def _examine(self, follower: Child) -> list[str]:
        """The store is whole, holds all that was told, and the follower has seen every message."""
        saved = self._report.about("saved")
        try:
            with FileMessageStore(self._path, create=False) as store:
                last = store.save_messages("stream-0", batch_of(END, 2)).last_position
                problems = examine(store, [*saved, END])
            follower.wait()
        except (MsgStoreError, AssertionError) as error:
            return [f"at the end: {error!r}", *self._told()]
        if (followed := self._report.about("followed")) != [str(last)]:
            problems.append(f"the follower saw {followed} of {last} messages")
        self._counts.saves += len(saved)
        self._counts.messages += last
        return [*problems, *self._told()]

    def _told(self) -> list[str]:
        return [*self._report.about("wrong"), *self._report.about("bug")]


# ---------------------------------------------------------------- those who save


def save_for_ever(path: Path, report: Report, label: str, durability: str) -> None:
    """Saves batches and transactions; a line follows each acknowledgement."""
    chance = random.Random(label)
    small_journal()
    store = FileMessageStore(path, durability=durability)
    for number in count():
        name, size = f"{label}-{number}", chance.choice(SIZES)
        batch = batch_of(name, size, number % 400)
        streams = [f"stream-{chance.randrange(STREAMS)}" for _ in batch]
        if number % 3:
            store.save_messages(streams[0], batch)
        else:
            with store.transaction() as together:
                for stream, message in zip(streams, batch, strict=True):
                    together.save_message(stream, message)
        report.tell("saved", name)


def always(path: Path, report: Report, label: str) -> None:
    save_for_ever(path, report, label, "always")


def later(path: Path, report: Report, label: str) -> None:
    save_for_ever(path, report, label, "os")


def threads(path: Path, report: Report, label: str) -> None:
    """One object that saves in two threads, reads in another and follows in a fourth."""
    store = FileMessageStore(path, durability="os")

    def save(name: str) -> None:
        for number in count():
            batch = batch_of(f"{name}-{number}", 3)
            store.save_messages(f"stream-{number % STREAMS}", batch)
            report.tell("saved", f"{name}-{number}")

    def read() -> None:
        while True:
            tell_wrong(report, "a reading thread", look_over(store))

    def follow() -> None:
        watch = Watch()
        for stored in store.follow():
            watch.see(stored)
            tell_wrong(report, "a following thread", watch)

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            report.tell("bug", repr(error))

    works = [lambda: save(f"{label}a"), lambda: save(f"{label}b"), read, follow]
    crew = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()


def commands(path: Path, report: Report, label: str) -> None:
    """`save -`, one call after the other: exit code 0 says that all its lines were saved."""
    for descriptor in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
    for number in count():
        names = [f"{label}-{number}.{line}" for line in range(8)]
        feed_stdin(b"".join(line_of(name) for name in names))
        code = run(["--store", str(path), "save", "-", "--batch-size", "3"])
        if code:
            report.tell("bug", f"exit code {code}")
        for name in names:
            report.tell("saved", name)


SAVERS: tuple[Saver, ...] = (always, later, commands, threads)


def line_of(label: str) -> bytes:
    """A line for `save -`: a batch of one message."""
    (message,) = batch_of(label, 1)
    stream = f"stream-{len(label) % STREAMS}"
    return orjson.dumps({"streamId": stream, "type": message.type, "data": message.data}) + b"\n"


def feed_stdin(data: bytes) -> None:
    """Puts a pipe with `data` in the place of this process's stdin; it must fit into the pipe."""
    stdin, feed = os.pipe()
    os.set_blocking(feed, False)
    assert os.write(feed, data) == len(data)
    os.close(feed)
    os.dup2(stdin, 0)
    os.close(stdin)


# ---------------------------------------------------------------- those who look


def tell_wrong(report: Report, who: str, watch: Watch) -> None:
    for violation in watch.violations:
        report.tell("wrong", f"{who}: {violation}")
    watch.violations.clear()


def read_for_ever(path: Path, report: Report) -> None:
    store = FileMessageStore(path)
    while True:
        tell_wrong(report, "a reader", look_over(store))


def follow_to_the_end(path: Path, report: Report) -> None:
    """Follows until the last batch, and tells how many messages came."""
    watch = Watch()
    for seen, stored in enumerate(FileMessageStore(path).follow(), 1):
        watch.see(stored)
        tell_wrong(report, "the follower", watch)
        if END in watch.batches:
            report.tell("followed", seen)
            return
