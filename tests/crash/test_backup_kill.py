"""Backups in processes of their own: while others write, killed at any instant, on a full disk."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_full_disk import KILOBYTE, small_disk  # noqa: F401

from msgstore import FileMessageStore, Message, StoreUnavailable, WriteFailed, backup_store
from msgstore.model.message import PositionalMessage

KILLS = 20
WORKERS = Path(__file__).with_name("backup_workers.py")


def start(*args: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, str(WORKERS), *map(str, args)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def stop(process: subprocess.Popen[str]) -> None:
    assert process.poll() is None, "a worker ended by itself"
    process.send_signal(signal.SIGKILL)
    process.communicate()


def messages_of(path: Path) -> list[PositionalMessage]:
    """All that a store holds, by position and by stream, and nothing damaged."""
    with FileMessageStore(path, create=False) as store:
        found = list(store.get_all_messages())
        for stream in store.get_streams():
            own = [m for m in found if m.stream_id == stream.stream_id]
            assert list(store.get_messages(stream.stream_id)) == own
        assert store.verify().findings == ()
    return found


def ends_whole(messages: list[PositionalMessage]) -> bool:
    """Whether the last commit is there to its end; see backup_workers.py."""
    data = messages[-1].message.data
    return bool(data["at"] == data["size"] - 1)


def test_while_others_write(tmp_path: Path) -> None:
    """Each of many backups of a store in use is a beginning of it, and of the next one."""
    path, copy = tmp_path / "store", tmp_path / "copy"
    with FileMessageStore(path) as store:
        store.save_message("stream-0", Message("Step", {"size": 1, "at": 0}))
    writers = [start("saver", path, name) for name in ("one", "two")]
    before: list[PositionalMessage] = []
    positions: set[int] = set()
    while len(positions) < 6 or max(positions) < 400:
        done = backup_store(path, copy)
        found = messages_of(copy)
        assert found[: len(before)] == before
        assert len(found) == done.position
        assert ends_whole(found)
        before = found
        positions.add(done.position)
    for writer in writers:
        stop(writer)
    assert messages_of(path)[: len(before)] == before


def test_killed_backups(tmp_path: Path) -> None:
    """kill -9 of a backup at any instant: the copy never goes back, and the next run completes it."""
    chance = random.Random(3)
    path, copy = tmp_path / "store", tmp_path / "copy"
    with FileMessageStore(path) as store:
        store.save_message("stream-0", Message("Step", {"size": 1, "at": 0}))
    writer = start("saver", path, "one")
    known = 0
    for _ in range(KILLS):
        process = start("backups", path, copy)
        assert process.stdout is not None
        known = max(known, int(process.stdout.readline()))
        end = time.monotonic() + chance.random() * 0.02
        while time.monotonic() < end:
            pass
        process.send_signal(signal.SIGKILL)
        said, _ = process.communicate()
        known = max([known, *map(int, said.split())])
        with FileMessageStore(copy, create=False) as store:
            last = list(store.get_all_messages(count=1, direction="backwards"))
        assert ends_whole(last)
        assert last[0].position >= known
    stop(writer)
    backup_store(path, copy, verify="all")
    assert messages_of(copy) == messages_of(path)


def test_killed_first_backups(tmp_path: Path) -> None:
    """A first copy that was killed is no store, or a whole one; and can be completed."""
    chance = random.Random(4)
    path = tmp_path / "store"
    with FileMessageStore(path, durability="os") as store:
        for number in range(300):
            store.save_messages(f"s-{number}", [Message("Step", {"n": number})] * 9)
    expected = messages_of(path)
    unfinished = 0
    for number in range(20):
        copy = tmp_path / f"copy-{number}"
        process = start("backups", path, copy)
        while not (copy / "backing-up").exists() and not (copy / "store.json").exists():
            assert process.poll() is None
        end = time.monotonic() + chance.random() * 0.15
        while time.monotonic() < end:
            pass
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if (copy / "store.json").exists():
            assert messages_of(copy) == expected
        else:
            unfinished += 1
            with pytest.raises(StoreUnavailable, match="was not finished"):
                FileMessageStore(copy).save_message("a", Message("A"))
        backup_store(path, copy)
        assert messages_of(copy) == expected
    assert unfinished


def test_a_full_disk(small_disk: Path, tmp_path_factory: pytest.TempPathFactory) -> None:  # noqa: F811
    """Without room the backup fails and an earlier one stays a store; with room it goes on."""
    path, copy = tmp_path_factory.mktemp("source") / "store", small_disk / "copy"
    with FileMessageStore(path, durability="os") as store:
        for number in range(100):
            store.save_message(f"s-{number % 7}", Message("Filled", {"n": number, "x": KILOBYTE}))
        backup_store(store, copy)
        before = messages_of(copy)
        ballast = small_disk / "ballast"
        ballast.write_bytes(bytes(400_000))
        for number in range(100, 400):
            store.save_message(f"s-{number % 7}", Message("Filled", {"n": number, "x": KILOBYTE}))
        for _ in range(2):
            with pytest.raises(WriteFailed, match="No space left"):
                backup_store(store, copy)
            assert messages_of(copy) == before
        ballast.unlink()
        backup_store(store, copy)
    assert messages_of(copy) == messages_of(path)
