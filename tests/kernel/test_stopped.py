"""A process that holds the lock and is stopped, killed or forked in the middle of a save."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from msgstore import FileMessageStore, StoreLocked

from .ledger import batch_of, examine, look_over
from .points import POINTS, once_at
from .processes import Child, Report, spawn

MSGSTORE = str(Path(sys.executable).parent / "msgstore")


@pytest.fixture
def report(tmp_path: Path) -> Report:
    return Report(tmp_path / "report")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with FileMessageStore(tmp_path / "store") as store:
        store.save_messages("a", batch_of("first", 2))
    return tmp_path / "store"


@pytest.fixture(params=POINTS)
def stopped(path: Path, report: Report, request: pytest.FixtureRequest) -> Iterator[Child]:
    """A process that was stopped in the middle of saving the batch `stopped`."""

    def work() -> None:
        store = FileMessageStore(path)
        store.save_messages("a", batch_of("before", 1))
        with once_at(request.param, lambda: os.kill(os.getpid(), signal.SIGSTOP)):
            store.save_messages("a", batch_of("stopped", 3))
        report.tell("saved", "stopped")

    child = spawn(report, work)
    child.wait_until_stopped()
    yield child
    child.kill()


def save_by_command(path: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [MSGSTORE, "--store", path, "save", "a", "-t", "Step", *flags]
    return subprocess.run(command, capture_output=True, text=True)


def test_a_stopped_holder(path: Path, report: Report, stopped: Child) -> None:
    """Others wait and are then told who holds the lock; readers go on; nothing is lost."""
    with pytest.raises(StoreLocked) as caught, FileMessageStore(path, lock_timeout_s=0.05) as store:
        store.save_messages("a", batch_of("refused", 1))
    assert caught.value.holder_pid == stopped.pid
    done = save_by_command(path, "--lock-timeout", "0.05")
    assert done.returncode == 75
    assert f"still locked by process {stopped.pid} after 0.05 s" in done.stderr

    watch = look_over(FileMessageStore(path))
    assert watch.violations == []
    assert set(watch.batches) - {"stopped"} == {"first", "before"}

    patient = FileMessageStore(path)
    waiting = threading.Thread(target=patient.save_messages, args=("a", batch_of("patient", 2)))
    waiting.start()
    stopped.signal(signal.SIGCONT)
    stopped.wait()
    waiting.join()
    saved = [*report.about("saved"), "first", "before", "patient"]
    assert "stopped" in saved
    assert examine(patient, saved, ["refused"]) == []
    patient.close()


def test_a_holder_that_is_stopped_and_killed(path: Path, stopped: Child) -> None:
    """The lock goes with it, at once; its save is there whole or not at all."""
    stopped.kill()
    with FileMessageStore(path, lock_timeout_s=0) as store:
        store.save_messages("a", batch_of("next", 2))
        assert examine(store, ["first", "before", "next"]) == []


@pytest.mark.parametrize("point", POINTS)
def test_a_fork_in_the_middle_of_a_save(path: Path, report: Report, point: str) -> None:
    """A child waits for its parent's save as anybody does, and neither unlocks it nor repeats it."""
    children: list[Child] = []
    told: list[str] = []

    def in_the_child() -> None:
        store._lock_timeout_s = 0.02
        store._connect()
        with pytest.raises(StoreLocked):
            store.save_messages("a", batch_of("early", 1))
        report.tell("waits", "!")
        store._lock_timeout_s = 60
        store._connect()
        store.save_messages("a", batch_of("child", 2))
        report.tell("saved", "child")

    def fork() -> None:
        children.append(spawn(report, in_the_child))
        while not report.about("waits") and children[0].is_running:
            pass
        # Whatever the child did, the lock is still held: a stranger does not get it.
        told.append(save_by_command(path, "--lock-timeout", "0").stderr)

    store = FileMessageStore(path)
    store.save_messages("a", batch_of("before", 1))
    with once_at(point, fork):
        store.save_messages("a", batch_of("parent", 3))
    store.save_messages("a", batch_of("after", 1))
    children[0].wait()
    assert report.about("bug") == []
    assert f"still locked by process {os.getpid()}" in told[0]
    saved = ["first", "before", "parent", "after", *report.about("saved")]
    assert "child" in saved
    assert examine(store, saved, ["early"]) == []
    store.close()


def test_a_fork_while_another_thread_saves(path: Path, report: Report) -> None:
    """A child of one thread saves on its own while the save of another thread goes on."""
    inside, forked = threading.Event(), threading.Event()
    store = FileMessageStore(path)

    def hold() -> None:
        inside.set()
        forked.wait()

    def save() -> None:
        store.save_messages("a", batch_of("thread", 3))

    def in_the_child() -> None:
        store.save_messages("b", batch_of("child", 2))
        report.tell("saved", "child")

    with once_at("before its rows", hold):
        saver = threading.Thread(target=save)
        saver.start()
        inside.wait()
        child = spawn(report, in_the_child)
        forked.set()
        saver.join()
    child.wait()
    assert report.about("bug") == []
    assert examine(store, ["first", "thread", *report.about("saved")]) == []
    assert look_over(store).batches.keys() == {"first", "thread", "child"}
    store.close()
