"""RedirectedDisk: a store as it will be once files are put in place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from msgstore.disk.files import RealDisk
from msgstore.disk.redirected import RedirectedDisk


@pytest.fixture
def below(tmp_path: Path) -> Iterator[RealDisk]:
    disk = RealDisk(str(tmp_path))
    disk.write("index", 0, b"old")
    disk.write("streams/2c/gone", 0, b"gone")
    disk.write("streams/2c/kept", 0, b"kept")
    disk.write("new/index", 0, b"new one")
    disk.write("new/streams/3f/a", 0, b"a")
    yield disk
    disk.forget()


@pytest.fixture
def disk(below: RealDisk) -> RedirectedDisk:
    return RedirectedDisk(
        below,
        {"index": "new/index", "streams/2c/gone": None, "streams/3f/a": "new/streams/3f/a"},
    )


def test_new_files_are_read(disk: RedirectedDisk) -> None:
    """A path that gets a new file has its size and bytes; the others are as they are."""
    assert (disk.size("index"), disk.read("index", 0, 9)) == (7, b"new one")
    assert disk.read("streams/3f/a", 0, 9) == b"a"
    assert disk.read("streams/2c/kept", 0, 9) == b"kept"


def test_what_will_be_gone_is_not_there(disk: RedirectedDisk) -> None:
    """A path that gets none has neither size nor bytes nor identity."""
    assert (disk.size("streams/2c/gone"), disk.identity("streams/2c/gone")) == (-1, None)
    with pytest.raises(FileNotFoundError):
        disk.read("streams/2c/gone", 0, 1)


def test_folders_hold_what_they_will_hold(disk: RedirectedDisk) -> None:
    """New files and new folders are listed, and what will be gone is not."""
    assert disk.list("streams") == ["2c", "3f"]
    assert disk.list("streams/2c") == ["kept"]
    assert disk.list("streams/3f") == ["a"]


def test_files_that_arrive_meanwhile(disk: RedirectedDisk, below: RealDisk) -> None:
    """While others put the files in place, the view stays what it was."""
    below.move("index", "aside")
    assert disk.read("index", 0, 9) == b"new one"
    below.move("new/index", "index")
    assert disk.read("index", 0, 9) == b"new one"


def test_nothing_can_be_changed(disk: RedirectedDisk) -> None:
    """Every verb that changes is refused."""
    for change in (
        lambda: disk.write("index", 0, b"x"),
        lambda: disk.truncate("index", 0),
        lambda: disk.replace("index", b"x"),
        lambda: disk.make_folder("x"),
        lambda: disk.remove("index"),
        lambda: disk.move("index", "x"),
    ):
        with pytest.raises(PermissionError):
            change()
    assert disk.read("index", 0, 9) == b"new one"
