"""Threads of one object that save at once share one commit and its sync; each gets its own answer."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Event, Semaphore, Thread
from typing import Any

import pytest

from msgstore import (
    DuplicateMessageId,
    FileMessageStore,
    Message,
    OutcomeUnknown,
    SaveResult,
    WriteFailed,
    WrongExpectedRevision,
)
from msgstore.format.names import JOURNAL

WAIT_S = 60


class Announcing(deque[Any]):
    """A queue that tells when something was put into it."""

    def __init__(self) -> None:
        super().__init__()
        self.added = Semaphore(0)

    def append(self, item: Any) -> None:
        super().append(item)
        self.added.release()


class Crowd:
    """Threads whose saves wait while the first one's sync is held up; then it is let go."""

    def __init__(self, store: FileMessageStore, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store = store
        self.syncs = 0
        self.answers: dict[str, object] = {}
        self._waiting = store._group._waiting = Announcing()
        self._sync = store._disk.sync
        monkeypatch.setattr(store._disk, "sync", self._count_and_hold)
        self._is_held, self._may_go_on = Event(), Event()

    def _count_and_hold(self, path: str) -> None:
        if path == JOURNAL:
            self.syncs += 1
            self._is_held.set()
            assert self._may_go_on.wait(WAIT_S)
        self._sync(path)

    @contextmanager
    def held_up(self) -> Iterator[list[Thread]]:
        """Threads that are made in the block save when the block ends, all in one group."""
        threads: list[Thread] = []
        first = self.saving("first", partial(self.store.save_message, "first", Message("First")))
        first.start()
        assert self._is_held.wait(WAIT_S)
        assert self._waiting.added.acquire(timeout=WAIT_S)
        yield threads
        for thread in threads:
            thread.start()
            assert self._waiting.added.acquire(timeout=WAIT_S)
        self._may_go_on.set()
        for thread in (first, *threads):
            thread.join(WAIT_S)
            assert not thread.is_alive()

    def saving(self, name: str, save: Callable[[], SaveResult]) -> Thread:
        def run() -> None:
            try:
                self.answers[name] = save()
            except BaseException as error:
                self.answers[name] = error

        return Thread(target=run)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FileMessageStore]:
    with FileMessageStore(tmp_path / "store") as store:
        store.save_message("there", Message("Made"))
        yield store


@pytest.fixture
def crowd(store: FileMessageStore, monkeypatch: pytest.MonkeyPatch) -> Crowd:
    return Crowd(store, monkeypatch)


def test_those_who_wait_share_one_sync(store: FileMessageStore, crowd: Crowd) -> None:
    with crowd.held_up() as threads:
        for number in range(7):
            save = partial(store.save_message, f"s{number % 3}", Message("Saved", {"n": number}))
            threads.append(crowd.saving(f"{number}", save))
    assert crowd.syncs == 2
    stored = {one.position: one.message.data for one in store.get_all_messages()}
    for number in range(7):
        answer = crowd.answers[f"{number}"]
        assert isinstance(answer, SaveResult)
        assert stored[answer.first_position] == {"n": number}
    assert len(stored) == 9
    assert store.verify().findings == ()


def test_each_gets_its_own_answer(store: FileMessageStore, crowd: Crowd) -> None:
    """One that is refused takes nobody with it; each sees those before it as stored."""
    with crowd.held_up() as threads:
        for name, stream, message, expected in [
            ("begins", "orders", Message("Placed", id="m1"), -1),
            ("late", "orders", Message("Placed"), -1),
            ("again", "orders", Message("Placed", id="m1"), None),
            ("taken", "orders", Message("Other", id="m1"), None),
            ("next", "orders", Message("Paid"), 0),
        ]:
            save = partial(store.save_message, stream, message, expected)
            threads.append(crowd.saving(name, save))
    answers = crowd.answers
    assert answers["begins"] == SaveResult("orders", 0, 0, 3, 3, 1)
    assert isinstance(answers["late"], WrongExpectedRevision)
    assert answers["late"].actual == 0
    assert answers["again"] == SaveResult("orders", 0, 0, 3, 3, 1, duplicate=True)
    assert isinstance(answers["taken"], DuplicateMessageId)
    assert answers["next"] == SaveResult("orders", 1, 1, 4, 4, 1)
    assert [one.message.type for one in store.get_messages("orders")] == ["Placed", "Paid"]


def test_a_disk_that_fails_fails_all_of_them(
    store: FileMessageStore, crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None of a group is saved, and each is told so with an error of its own."""
    write = store._disk.write

    def full(path: str, offset: int, data: bytes) -> None:
        if crowd.syncs and path == JOURNAL and any(data):
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, offset, data)

    with crowd.held_up() as threads:
        monkeypatch.setattr(store._disk, "write", full)
        for number in range(3):
            save = partial(store.save_message, "s", Message("Saved", {"n": number}))
            threads.append(crowd.saving(f"{number}", save))
    errors = [crowd.answers[f"{number}"] for number in range(3)]
    assert [type(error) for error in errors] == [WriteFailed] * 3
    assert len({id(error) for error in errors}) == 3
    assert len(list(store.get_all_messages())) == 2


def test_an_interrupt_of_the_leading_thread(
    store: FileMessageStore, crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others of its group cannot know what became of theirs; nobody waits for ever."""
    commit = store._writer.commit
    todo = [True]

    def interrupted(*arguments: Any) -> None:
        commit(*arguments)
        if crowd.syncs == 2 and todo:
            todo.pop()
            raise KeyboardInterrupt

    monkeypatch.setattr(store._writer, "commit", interrupted)
    with crowd.held_up() as threads:
        for number in range(3):
            save = partial(store.save_message, "s", Message("Saved", {"n": number}))
            threads.append(crowd.saving(f"{number}", save))
    kinds = sorted(type(crowd.answers[f"{number}"]).__name__ for number in range(3))
    assert kinds == ["KeyboardInterrupt", "OutcomeUnknown", "OutcomeUnknown"]
    assert OutcomeUnknown.exit_code == 5
    store.save_message("s", Message("After"))
    assert store.verify().findings == ()


def test_an_interrupt_while_a_group_is_taken(
    store: FileMessageStore, crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Saves that have left the queue, and did not get to the commit, are answered all the same."""
    take = store._group._take
    todo = [True]

    def interrupted(group: list[Any]) -> None:
        take(group)
        if len(group) == 3 and todo:
            todo.pop()
            raise KeyboardInterrupt

    monkeypatch.setattr(store._group, "_take", interrupted)
    with crowd.held_up() as threads:
        for number in range(3):
            save = partial(store.save_message, "s", Message("Saved", {"n": number}))
            threads.append(crowd.saving(f"{number}", save))
    kinds = sorted(type(crowd.answers[f"{number}"]).__name__ for number in range(3))
    assert kinds == ["KeyboardInterrupt", "OutcomeUnknown", "OutcomeUnknown"]
    assert store.get_stream_info("s") is None
    store.save_message("s", Message("After"))
