"""Following: told of writes by the system, or by looking."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from time import sleep

import pytest

from msgstore import FileMessageStore, Message
from msgstore.disk import watch as watch_module
from msgstore.engine import follow as follow_module

LONG_S = 60.0


@pytest.fixture(params=["told", "not told"])
def store(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[FileMessageStore]:
    if request.param == "not told":
        monkeypatch.setattr(watch_module, "_c_library", lambda: None)
    with FileMessageStore(tmp_path / "store", durability="os") as store:
        yield store


def later(deed: object) -> Thread:
    def wait_and_do() -> None:
        sleep(0.05)
        deed()  # type: ignore[operator]

    thread = Thread(target=wait_and_do)
    thread.start()
    return thread


def test_what_arrives_comes(store: FileMessageStore) -> None:
    """Each message once, whether the store was there before or not."""
    arriving = store.follow(timeout=LONG_S)
    for number in range(5):
        thread = later(lambda n=number: store.save_message("s", Message("T", {"n": n})))
        assert next(arriving).message.data == {"n": number}
        thread.join()


def test_a_store_that_is_emptied(store: FileMessageStore) -> None:
    """After a reset by somebody else the new messages come."""
    store.save_message("s", Message("Old"))
    arriving = store.follow(timeout=LONG_S)
    assert next(arriving).message.type == "Old"

    def empty_and_save() -> None:
        with FileMessageStore(store.path) as other:
            other.reset()
            other.save_message("s", Message("New"))

    thread = later(empty_and_save)
    assert next(arriving).message.type == "New"
    thread.join()


@pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")
def test_who_is_told_does_not_look(
    store: FileMessageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two glances there are 50 ms, also behind rows that no commit has completed."""
    looks = []
    store.save_message("s", Message("T"))
    with open(Path(store.path) / "index", "ab") as index:
        index.write(bytes(96))
    real = store._snapshot
    monkeypatch.setattr(store, "_snapshot", lambda: looks.append(1) or real())
    if not follow_module.FileWatch(str(Path(store.path) / "index")).start():
        pytest.skip("nothing is told here")
    assert len(list(store.follow(timeout=0.3))) == 1
    assert len(looks) <= 12


def test_the_watch_is_given_back(store: FileMessageStore) -> None:
    """A follower that is closed leaves no open file behind."""
    store.save_message("s", Message("T"))
    fds = Path("/proc/self/fd")
    if not fds.exists():
        pytest.skip("no /proc here")
    assert len(list(store.follow(timeout=0.01))) == 1
    before = len(list(fds.iterdir()))
    assert len(list(store.follow(timeout=0.01))) == 1
    assert len(list(fds.iterdir())) == before
