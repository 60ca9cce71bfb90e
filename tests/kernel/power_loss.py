"""Power losses on file systems of the kernel: any moment of a recording, with any part unwritten.

Processes save to a store on ext4, xfs or btrfs, whose every write and flush is recorded below the
kernel (recorder.py). A power loss is a moment of that recording: all writes before the last flush
are on the disk, and of those behind it, which the disk had only in its cache, any part, torn
or not, in no order. Such an image is mounted, the kernel replays its own journal, and the store is
opened by a process of another boot. That is fair in both directions: nothing is lost that the disk
had said was safe, and what was in the kernel's memory alone is gone. (Copying the image of a
mounted file system would not be: a copy takes time and shows different places at different moments.)

What must be there: every save of durability `always` that had returned by then, and all before it;
what was saved with `os` behind that may be gone. The store must take saves again, and lose none of
them if the power fails once more.
"""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from msgstore import FileMessageStore
from msgstore.engine import place as store_place

from .ledger import batch_of, examine
from .mounts import (
    FILE_SYSTEMS,
    FileSystem,
    Unmountable,
    copy_image,
    make_image,
    mounted,
    recorded,
)
from .processes import Report, spawn
from .recorder import Record, read_log
from .scenarios import small_journal

STREAMS = 12
WIDE_STREAMS = 80
"""More files than a checkpoint syncs one by one."""

SECOND_CUTS = 3


@dataclass
class Counts:
    """Images that were looked at after one power loss, and after a `second`; saves recorded."""

    images: int = 0
    second: int = 0
    saves: int = 0
    unmountable: int = 0
    violations: list[str] = field(default_factory=list)

    def add(self, problems: list[str] | None, *, is_second: bool = False) -> None:
        """One image, and what was wrong with its store; None where it could not be mounted."""
        self.images += not is_second
        self.second += is_second
        self.unmountable += problems is None
        self.violations += problems or []


class Saved(NamedTuple):
    """An acknowledgement: by then the log had come to `log_end`."""

    label: str
    last_position: int
    log_end: int
    is_always: bool


def power_loss_images(
    rounds: int, file_system: str = "ext4", *, seed: int = 0, saves: int = 250
) -> Counts:
    """Records one run of about `saves` saves, and cuts the power at `rounds` moments of it.

    After every fourth of them the power fails again while the store is opened and saved to.
    """
    chance = random.Random(seed)
    counts = Counts()
    with tempfile.TemporaryDirectory() as folder:
        run = Recording(FILE_SYSTEMS[file_system], Path(folder, "run"))
        make_image(run.system, run.image)
        acknowledged = record_savers(run, saves, chance.randrange(1 << 30))
        counts.saves = len(acknowledged)
        for number, (cut, image) in enumerate(cuts(run, rounds, chance)):
            told = [saved for saved in acknowledged if saved.log_end <= cut]
            again = Recording(run.system, Path(folder, "again"))
            copy_image(image, again.image)
            counts.add(revive(run.system, image, told, f"cut {number} of seed {seed}"))
            if number % 4 == 3:
                _second_power_loss(again, told, chance, counts)
    return counts


# ---------------------------------------------------------------- the run that is recorded


class Recording:
    """The files of one recording: the image as it was before, as it is now, and the log between."""

    def __init__(self, system: FileSystem, image: Path) -> None:
        self.system = system
        self.image = image
        self.before = image.with_name(f"{image.name}.before")
        self.log = image.with_name(f"{image.name}.log")

    @contextmanager
    def running(self) -> Iterator[Path]:
        """The image's folder, while it is recorded."""
        copy_image(self.image, self.before)
        self.log.unlink(missing_ok=True)
        with recorded(self.system, self.image, self.log) as place:
            yield place


def record_savers(run: Recording, saves: int, seed: int) -> list[Saved]:
    """Two processes that save, `always` and `os`, and one that syncs other files meanwhile."""
    report = Report(run.image.with_name("acknowledged"))
    with run.running() as place:

        def saver(durability: str, number: int) -> Callable[[], None]:
            return lambda: save_and_tell(
                report, place / "store", run.log, durability, number, random.Random(seed)
            )

        others = [
            spawn(report, lambda: neighbour(place / "other", seed)),
            spawn(report, saver("os", 1 << 30)),
        ]
        spawn(report, saver("always", saves)).wait()
        for other in others:
            other.kill()
    assert not report.about("bug"), report.about("bug")
    return [
        Saved(label, int(position), int(log_end), durability == "always")
        for label, position, log_end, durability in (
            words[1:] for words in report.read() if words[0] == "saved"
        )
    ]


def save_and_tell(
    report: Report, path: Path, log: Path, durability: str, saves: int, chance: random.Random
) -> None:
    """Saves batches, transactions and sessions; a line follows each acknowledgement."""
    small_journal()
    store = FileMessageStore(path, durability=durability)
    for number in range(saves):
        label, size = f"{durability}-{number}", chance.choice([1, 1, 2, 5])
        if number % 50 == 20:
            size = WIDE_STREAMS
        batch = batch_of(label, size, chance.choice([0, 10, 400, 2000]))
        if number % 3:
            last = store.save_messages(f"s{chance.randrange(STREAMS)}", batch).last_position
        else:
            with store.transaction() as together:
                for at, message in enumerate(batch):
                    together.save_message(f"{label if at % 9 == 0 else 's'}{at}", message)
            last = together.results[-1].last_position
        report.tell("saved", label, last, os.stat(log).st_size, durability)
        if number % 40 == 10:
            store.end_session(store.create_session(label))


def neighbour(path: Path, seed: int) -> None:
    """Makes the file system write its own journal at odd moments."""
    chance = random.Random(seed)
    fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    while True:
        os.write(fd, b"x" * chance.randrange(3000))
        os.fsync(fd)
        if chance.random() < 0.1:
            os.ftruncate(fd, 0)


# ---------------------------------------------------------------- the power goes


def cuts(run: Recording, rounds: int, chance: random.Random) -> Iterator[tuple[int, Path]]:
    """Moments of the log in their order, each with an image of what the disk held then."""
    ends = [record.end for record in read_log(run.log)]
    moments = sorted(chance.sample(ends, min(rounds, len(ends))))
    image = run.image.with_name(f"{run.image.name}.cut")
    pending: list[Record] = []
    with run.before.open("r+b", buffering=0) as disk:
        for record in read_log(run.log):
            pending.append(record)
            if record.is_flush:
                write(disk.fileno(), pending)
                pending.clear()
            if moments and record.end == moments[0]:
                moments.pop(0)
                copy_image(run.before, image)
                with image.open("r+b", buffering=0) as torn:
                    write(torn.fileno(), kept(pending, chance, run.system.tears_at))
                yield record.end, image


def write(fd: int, records: Sequence[Record]) -> None:
    for record in records:
        os.pwrite(fd, record.data, record.offset)


def kept(pending: list[Record], chance: random.Random, unit: int) -> list[Record]:
    """What the disk had written of its cache: all, nothing, some writes, or some sectors."""
    way = chance.choice(["all", "nothing", "writes", "writes", "sectors"])
    likely = chance.choice([0.15, 0.5, 0.85])
    if way == "all":
        return pending
    if way == "nothing":
        return []
    if way == "sectors":
        pending = [part for record in pending for part in sectors(record, unit)]
    return [record for record in pending if chance.random() < likely]


def sectors(record: Record, unit: int) -> Iterator[Record]:
    for at in range(0, len(record.data), unit):
        yield record._replace(offset=record.offset + at, data=record.data[at : at + unit])


# ---------------------------------------------------------------- the power is back


def revive(
    system: FileSystem, image: Path, acknowledged: Sequence[Saved], where: str
) -> list[str] | None:
    """Mounts the image and looks the store over after another boot; what is wrong with it.

    None if the image cannot be mounted.
    """
    report = Report(image.with_name("revived"))
    try:
        with mounted(system, image) as place:
            spawn(report, lambda: look_and_save(report, place / "store", acknowledged)).wait()
    except Unmountable:
        return None
    problems = [*report.about("wrong"), *report.about("bug")]
    report.path.unlink()
    return [f"{system.name}, {where}: {problem}" for problem in problems]


def look_and_save(report: Report, path: Path, acknowledged: Sequence[Saved]) -> None:
    """Examines the store as the first to open it, saves, and examines it again."""
    another_boot()
    required = owed(acknowledged)
    store = FileMessageStore(path)
    before = examine(store, required)
    store.save_messages("s0", batch_of("after", 3))
    store.close()
    with FileMessageStore(path) as opened:
        for problem in [*before, *examine(opened, [*required, "after"])]:
            report.tell("wrong", problem)


def owed(acknowledged: Sequence[Saved]) -> list[str]:
    """Saves of `always`, and all that stand before them, by whomever."""
    safe = max((saved.last_position for saved in acknowledged if saved.is_always), default=0)
    return [saved.label for saved in acknowledged if saved.last_position <= safe]


def another_boot() -> None:
    """For the rest of this process the machine has been started anew."""
    boot = f"the boot of process {os.getpid()}"
    store_place.boot_id = lambda: boot  # type: ignore[attr-defined]


def _second_power_loss(
    run: Recording, acknowledged: Sequence[Saved], chance: random.Random, counts: Counts
) -> None:
    """Records how the store is recovered after a first loss and saved to, and cuts that short."""
    report = Report(run.image.with_name("recovered"))
    try:
        with run.running() as place:
            path = place / "store"
            spawn(report, lambda: recover_and_tell(report, path, run.log)).wait()
    except Unmountable:
        return
    counts.violations += report.about("bug")
    told = [Saved("recovered", 0, int(end), True) for end in report.about("saved")]
    report.path.unlink()
    # What was owed after the first loss is owed still.
    owing = [Saved(label, 0, 0, True) for label in owed(acknowledged)]
    for cut, image in cuts(run, SECOND_CUTS, chance):
        returned = [saved for saved in told if saved.log_end <= cut]
        problems = revive(run.system, image, [*owing, *returned], f"second cut at byte {cut}")
        counts.add(problems, is_second=True)


def recover_and_tell(report: Report, path: Path, log: Path) -> None:
    another_boot()
    with FileMessageStore(path, durability="always") as store:
        store.save_messages("s1", batch_of("recovered", 2))
        report.tell("saved", log.stat().st_size)
