"""What is done to a store while strace fails or kills it: each a way to prepare, and the deed.

Both run in one forked process. The deed tells of each batch how it ended: `saved`, `refused`,
`unknown`. `bug` is whatever no caller should ever see.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import orjson

from msgstore import (
    CorruptStore,
    FileMessageStore,
    MsgStoreError,
    OutcomeUnknown,
)
from msgstore.cli.app import run
from msgstore.disk.files import RealDisk
from msgstore.engine import create, journal, recorder
from msgstore.format.hint import LOCK_FILE_BYTES
from msgstore.format.journal import ENTRIES_START

from .ledger import batch_of, look_over
from .processes import Report, spawn

Step = Callable[[Path, Report], None]

BASE_STREAMS = 3
SMALL_JOURNAL_BYTES = 8192


@dataclass(frozen=True, slots=True)
class Scenario:
    name: str
    prepare: Step
    act: Step
    may_empty: bool = False
    """Whether what was there before may be gone afterwards, all of it at once."""


# ---------------------------------------------------------------- telling


def attempt(report: Report, label: str, deed: Callable[[], object]) -> None:
    """Does it, and tells how it ended for the batch `label`."""
    try:
        deed()
    except OutcomeUnknown:
        report.tell("unknown", label)
    except CorruptStore as error:
        report.tell("bug", f"{label}: damage where there is none: {error}")
    except MsgStoreError as error:
        report.tell("refused", label, type(error).__name__)
    except Exception:
        report.tell("bug", traceback.format_exc().replace("\n", " | "))
    else:
        report.tell("saved", label)


def save(report: Report, store: FileMessageStore, label: str, stream: str, size: int = 1) -> None:
    attempt(report, label, lambda: store.save_messages(stream, batch_of(label, size, 300)))


def save_across(report: Report, store: FileMessageStore, label: str, streams: int) -> None:
    """One transaction over many streams, old and new."""

    def deed() -> None:
        with store.transaction() as together:
            for number, message in enumerate(batch_of(label, streams)):
                together.save_message(f"s{number}", message)

    attempt(report, label, deed)


# ---------------------------------------------------------------- preparing


def nothing(path: Path, report: Report) -> None:
    """There is no store yet."""


def base(path: Path, report: Report) -> None:
    """A store with a few streams, left in good order."""
    with FileMessageStore(path) as store:
        for number in range(BASE_STREAMS):
            save(report, store, f"base{number}", f"s{number}", number + 1)


def small_journal() -> None:
    """Checkpoints after a few commits; for the rest of this process, which is short."""
    for module in (recorder, journal):
        module.JOURNAL_BYTES_CHECKPOINT = SMALL_JOURNAL_BYTES  # type: ignore[attr-defined]
    for module in (journal, create):
        module.JOURNAL_BYTES_FIRST = 16384  # type: ignore[attr-defined]


def full_generation(path: Path, report: Report, streams: int = 5) -> None:
    """The next commit has to end the journal's generation first."""
    small_journal()
    base(path, report)
    with FileMessageStore(path) as store:
        save_across(report, store, "wide", streams)
        fills = count()
        while store._writer.tail.hint.journal_end < ENTRIES_START + SMALL_JOURNAL_BYTES:
            save(report, store, f"fill{next(fills)}", "s0")


def wide_generation(path: Path, report: Report) -> None:
    """As above, with so many files that they are synced by one syncfs."""
    full_generation(path, report, streams=70)


def killed_before(file: str) -> Step:
    """A writer was killed after its entry was in the journal, before it wrote to `file`."""

    def prepare(path: Path, report: Report) -> None:
        base(path, report)
        spawn(report, lambda: die_before(path, file)).wait()

    return prepare


def die_before(path: Path, file: str) -> None:
    real = RealDisk.write

    def write(disk: RealDisk, path: str, offset: int, data: bytes) -> None:
        if path.startswith(file):
            os._exit(0)
        real(disk, path, offset, data)

    store = FileMessageStore(path)
    # Entered once, so that the holder's name is in place and the hint is all that is written there.
    store.flush()
    with store._writer.exclusive():
        RealDisk.write = write  # type: ignore[method-assign]
    store.save_messages("fresh", batch_of("killed", 2))


def forgotten(path: Path, report: Report) -> None:
    """As after another boot: nothing says where the journal ends."""
    base(path, report)
    (path / "write.lock").write_bytes(bytes(LOCK_FILE_BYTES))


# ---------------------------------------------------------------- the deeds

Deed = Callable[[Report, FileMessageStore], None]


def then_again(deed: Deed, **options: Any) -> Step:
    """Opens the store for a deed, and uses it once more: it goes on, or says that it will not."""

    def act(path: Path, report: Report) -> None:
        try:
            store = FileMessageStore(path, **options)
        except CorruptStore:
            raise
        except MsgStoreError as error:
            report.tell("refused", "deed", type(error).__name__)
            return
        deed(report, store)
        save(report, store, "again", "s1")
        with suppress(MsgStoreError):
            store.close()

    return act


def saving(stream: str, size: int = 1) -> Step:
    return then_again(lambda report, store: save(report, store, "deed", stream, size))


def across(streams: int) -> Step:
    return then_again(lambda report, store: save_across(report, store, "deed", streams))


def session(report: Report, store: FileMessageStore) -> None:
    attempt(report, "session", lambda: report.tell("started", store.create_session("run")))
    save(report, store, "deed", "s0", 2)
    if run := store.current_session:
        attempt(report, "end", lambda: store.end_session(run, "ok"))


def flush(report: Report, store: FileMessageStore) -> None:
    """A save that does not wait for the disk, and the wait afterwards."""
    save(report, store, "deed", "s0", 2)
    attempt(report, "flush", store.flush)


def read(report: Report, store: FileMessageStore) -> None:
    """A reader finds the store in need of recovery."""

    def deed() -> None:
        watch = look_over(store)
        assert not watch.violations, watch.violations
        assert {f"base{n}" for n in range(BASE_STREAMS)} <= set(watch.batches)

    attempt(report, "reading", deed)


def empty(report: Report, store: FileMessageStore) -> None:
    attempt(report, "reset", store.reset)


# ---------------------------------------------------------------- the command line

CLI_BATCHES = 3
CLI_BATCH_LINES = 2


def ready_for_command(path: Path, report: Report) -> None:
    """The store, and lines on stdin; what is said goes to a file beside the store."""
    base(path, report)
    for number in range(3):
        os.dup2(os.open(os.devnull, os.O_RDWR), number)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    assert save_lines(path) == 0  # nothing; but now all modules are there
    lines = [
        orjson.dumps({"streamId": "s0", "type": message.type, "data": message.data})
        for number in range(CLI_BATCHES)
        for message in batch_of(f"deed{number}", CLI_BATCH_LINES)
    ]
    stdin, feed = os.pipe()
    os.write(feed, b"\n".join(lines))
    os.close(feed)
    said = os.open(path.with_name("said"), os.O_WRONLY | os.O_CREAT)
    for number, descriptor in enumerate((stdin, said, said)):
        os.dup2(descriptor, number)


def command_line(path: Path, report: Report) -> None:
    """`save -` of three commits. Its exit code is told."""
    code = save_lines(path)
    sys.stderr.flush()
    report.tell("exit", code)


def save_lines(path: Path) -> int:
    return run(["--store", str(path), "save", "-", "--batch-size", str(CLI_BATCH_LINES)])


# ---------------------------------------------------------------- all of them

SCENARIOS = (
    Scenario("create", nothing, saving("s0")),
    Scenario("save", base, saving("s0")),
    Scenario("new stream", base, saving("fresh")),
    Scenario("batch", base, saving("s1", 20)),
    Scenario("transaction", base, across(12)),
    Scenario("command line", ready_for_command, command_line),
    Scenario("session", base, then_again(session)),
    Scenario("flush", base, then_again(flush, durability="os")),
    Scenario("checkpoint", full_generation, saving("s0")),
    Scenario("wide checkpoint", wide_generation, saving("s0")),
    Scenario("killed before its files", killed_before("streams/"), saving("s0")),
    Scenario("killed before its rows", killed_before("index"), saving("s0")),
    Scenario("killed before its hint", killed_before("write.lock"), saving("s0")),
    Scenario("forgotten", forgotten, saving("s0")),
    Scenario("forgotten, then read", forgotten, then_again(read, create=False)),
    Scenario("reset", base, then_again(empty), may_empty=True),
)
