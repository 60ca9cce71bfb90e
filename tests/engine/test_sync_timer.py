"""Durability `batch`: one sync for what was saved within a moment, and none forgotten at the end."""

from __future__ import annotations

import threading
from pathlib import Path
from threading import Barrier, Event, Thread

import pytest

from msgstore import FileMessageStore, Message
from msgstore.backends.sync_timer import SyncTimer

WAIT_S = 30


def test_threads_that_start_it_at_once_get_one_call() -> None:
    for _ in range(50):
        calls: list[str] = []
        errors: list[BaseException] = []
        is_called = Event()

        def call(calls: list[str] = calls, is_called: Event = is_called) -> None:
            calls.append("call")
            is_called.set()

        timer = SyncTimer(call)
        barrier = Barrier(4)

        def start(
            timer: SyncTimer = timer,
            barrier: Barrier = barrier,
            errors: list[BaseException] = errors,
        ) -> None:
            barrier.wait(WAIT_S)
            try:
                timer.start()
            except BaseException as error:
                errors.append(error)

        threads = [Thread(target=start) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT_S)
        assert errors == []
        due = timer.cancel()
        assert due or is_called.wait(WAIT_S)
        assert len(calls) <= 1


def test_a_call_under_way_is_still_the_closers_to_make_sure_of() -> None:
    begun, may_end = Event(), Event()

    def call() -> None:
        begun.set()
        may_end.wait(WAIT_S)

    timer = SyncTimer(call)
    assert not timer.cancel()
    timer.start()
    assert begun.wait(WAIT_S)
    assert timer.cancel()
    may_end.set()


def test_without_threads_the_call_is_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Timer, "start", refuse)
    calls: list[str] = []
    SyncTimer(lambda: calls.append("call")).start()
    assert calls == ["call"]


def test_a_store_closed_while_its_timer_runs_is_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The timer has begun, and not synced yet, when the store is closed."""
    begun, may_go_on = Event(), Event()

    class Waiting(SyncTimer):
        def __init__(self, sync: object) -> None:
            assert callable(sync)

            def wait_and_sync() -> None:
                begun.set()
                may_go_on.wait(WAIT_S)
                sync()

            super().__init__(wait_and_sync)

    monkeypatch.setattr("msgstore.backends.file.SyncTimer", Waiting)
    store = FileMessageStore(tmp_path / "store", durability="batch")
    store.save_message("orders", Message("OrderPlaced", {}))
    assert begun.wait(WAIT_S)
    synced: list[str] = []
    sync = store._disk.sync

    def watched(path: str) -> None:
        synced.append(path)
        sync(path)

    monkeypatch.setattr(store._disk, "sync", watched)
    store.close()
    may_go_on.set()
    assert "journal" in synced
