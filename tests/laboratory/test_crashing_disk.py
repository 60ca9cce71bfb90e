"""The crashing disk keeps what was synced, and of the rest exactly what it is told to keep."""

from __future__ import annotations

import errno

import pytest

from msgstore.testing.crashing_disk import (
    CrashingDisk,
    Fault,
    Killed,
    Piece,
    keep_all,
    keep_nothing,
)


@pytest.fixture
def disk() -> CrashingDisk:
    """`a` holds 1,024 bytes of 1, synced with its name."""
    made = CrashingDisk()
    made.write("a", 0, b"\1" * 1024)
    made.sync("a")
    made.sync_folder("")
    return made


def test_a_sync_keeps_bytes_and_size(disk: CrashingDisk) -> None:
    """What was synced survives every power loss, what was not none that keeps nothing."""
    disk.write("a", 1000, b"\2" * 100)
    assert disk.power_loss(keep_nothing).content() == {"a": b"\1" * 1024}
    disk.sync("a")
    assert disk.power_loss(keep_nothing).content() == {"a": b"\1" * 1000 + b"\2" * 100}


def test_writes_are_torn_by_sectors(disk: CrashingDisk) -> None:
    """Each sector of a write is kept or lost on its own, in any order of time."""
    disk.write("a", 256, b"\2" * 512)
    disk.write("a", 0, b"\3" * 4)
    second = disk.power_loss(lambda piece: piece.offset == 512)
    assert second.content()["a"] == b"\1" * 512 + b"\2" * 256 + b"\1" * 256
    later = disk.power_loss(lambda piece: piece == Piece("data", "a", 0, 4))
    assert later.content()["a"] == b"\3" * 4 + b"\1" * 1020


def test_a_size_is_lost_without_its_bytes_and_bytes_without_their_size(disk: CrashingDisk) -> None:
    """A file that grew may have its new size and zeros, or its old size."""
    disk.write("a", 1024, b"\2" * 8)
    assert disk.power_loss(lambda p: p.kind == "size").content()["a"][1024:] == bytes(8)
    assert disk.power_loss(lambda p: p.kind == "data").content()["a"] == b"\1" * 1024
    disk.truncate("a", 10)
    assert len(disk.power_loss(lambda p: p.kind != "truncate").content()["a"]) == 1032
    assert len(disk.power_loss(keep_all).content()["a"]) == 10


def test_names_are_durable_with_their_folder_only(disk: CrashingDisk) -> None:
    """A synced file without a synced name is gone, and so is one in a folder without a name."""
    disk.write("f/b", 0, b"b")
    disk.sync("f/b")
    assert "f/b" not in disk.power_loss(keep_nothing).content()
    disk.sync_folder("f")
    assert "f/b" not in disk.power_loss(keep_nothing).content()
    disk.sync_folder("")
    assert disk.power_loss(keep_nothing).content()["f/b"] == b"b"
    assert disk.list("") == ["a", "f"]


def test_a_removal_may_be_undone(disk: CrashingDisk) -> None:
    """A removed file comes back with its bytes unless its folder was synced after."""
    disk.remove("a")
    assert disk.content() == {}
    assert disk.power_loss(keep_nothing).content() == {"a": b"\1" * 1024}
    disk.sync_folder("")
    assert disk.power_loss(keep_nothing).content() == {}


def test_replace_is_the_old_file_or_the_new(disk: CrashingDisk) -> None:
    """Killed after any step, or cut off there, the file is whole, and is the new one at the end."""
    steps = 0
    while True:
        one = disk.killed()
        one.kill_after(steps)
        try:
            one.replace("a", b"new")
        except Killed:
            for end in (one.killed(), one.power_loss(keep_nothing), one.power_loss(keep_all)):
                assert end.content()["a"] in (b"\1" * 1024, b"new")
            steps += 1
        else:
            break
    assert one.power_loss(keep_nothing).content() == {"a": b"new"}
    assert [op.kind for op in one.log] == ["create", "write", "sync", "rename", "sync_folder"]


def test_killed_in_the_middle_of_a_write(disk: CrashingDisk) -> None:
    """After the budget every call ends the process; of the write that met it a part is there."""
    disk.kill_after(1, torn_bytes=3)
    disk.write("a", 0, b"\2" * 8)
    with pytest.raises(Killed):
        disk.write("a", 100, b"\3" * 8)
    with pytest.raises(Killed):
        disk.read("a", 0, 1)
    with pytest.raises(Killed):
        disk.write("a", 200, b"\4" * 8)
    content = disk.killed().content()["a"]
    assert content == b"\2" * 8 + b"\1" * 92 + b"\3" * 3 + b"\1" * 921


def test_a_failed_sync_leaves_clean_pages(disk: CrashingDisk) -> None:
    """What it lost a second sync does not write; writing it again and syncing does."""
    disk.write("a", 1024, b"\2" * 8)
    disk.fault = lambda asked: Fault(errno.EIO) if asked.kind == "sync" else None
    with pytest.raises(OSError, match="Input/output error"):
        disk.sync("a")
    disk.fault = None
    disk.sync("a")
    assert disk.read("a", 1024, 8) == b"\2" * 8
    assert disk.power_loss(keep_all).content()["a"] == b"\1" * 1024
    disk.write("a", 1024, b"\2" * 8)
    disk.sync("a")
    assert disk.power_loss(keep_nothing).content()["a"][1024:] == b"\2" * 8


def test_a_short_write(disk: CrashingDisk) -> None:
    """A refused write may have been carried out in part."""
    disk.fault = lambda asked: Fault(errno.ENOSPC, written=2)
    with pytest.raises(OSError, match="No space left"):
        disk.write("a", 0, b"\2" * 8)
    disk.fault = None
    assert disk.read("a", 0, 4) == b"\2\2\1\1"


def test_a_read_is_refused(disk: CrashingDisk) -> None:
    """Calls that change nothing can fail too."""
    disk.fault = lambda asked: Fault(errno.EIO) if asked.kind == "read" else None
    with pytest.raises(OSError, match="Input/output error"):
        disk.read("a", 0, 1)


def test_sync_all(disk: CrashingDisk) -> None:
    """Everything is on the disk afterwards: bytes, names and removals."""
    disk.write("f/b", 0, b"b")
    disk.remove("a")
    disk.sync_all()
    assert disk.power_loss(keep_nothing).content() == {"f/b": b"b"}


def test_copies_are_apart(disk: CrashingDisk) -> None:
    """What is done to a copy does not show in the original, nor the other way round."""
    copy = disk.killed()
    copy.write("a", 0, b"\2")
    disk.write("b", 0, b"b")
    assert disk.read("a", 0, 1) == b"\1"
    assert copy.size("b") == -1
    assert copy.identity("a") == disk.identity("a") != disk.power_loss(keep_all).identity("a")


def test_the_log_can_be_read(disk: CrashingDisk) -> None:
    """Each line has number, kind, path, offset and size."""
    assert [str(operation) for operation in disk.log] == [
        "   1 create a",
        "   2 write a 0+1024",
        "   3 sync a",
        "   4 sync_folder .",
    ]
