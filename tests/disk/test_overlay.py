"""OverlayDisk: changes over a disk that stays as it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgstore.disk.files import Disk, RealDisk
from msgstore.disk.overlay import OverlayDisk

SIZES = st.integers(0, 40)
DATA = st.binary(max_size=20)
PATHS = st.sampled_from(["below", "streams/2c/new"])
CHANGES = st.lists(
    st.tuples(st.just("write"), PATHS, SIZES, DATA)
    | st.tuples(st.just("truncate"), PATHS, SIZES, st.just(b""))
    | st.tuples(st.just("replace"), PATHS, st.just(0), DATA),
    max_size=12,
)
Change = tuple[str, str, int, bytes]


class PlainFiles:
    """What a disk should do, in the plainest words."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = {path: bytearray(data) for path, data in files.items()}

    def apply(self, change: Change) -> None:
        verb, path, number, data = change
        file = self.files.setdefault(path, bytearray())
        if verb == "write" and data:
            file.extend(bytes(max(0, number - len(file))))
            file[number : number + len(data)] = data
        elif verb == "truncate":
            del file[number:]
            file.extend(bytes(number - len(file)))
        elif verb == "replace":
            file[:] = data


def apply(disk: Disk, change: Change) -> None:
    verb, path, number, data = change
    if verb == "write":
        disk.write(path, number, data)
    elif verb == "truncate":
        disk.truncate(path, number)
    else:
        disk.replace(path, data)


@given(DATA, CHANGES, SIZES, SIZES)
def test_an_overlay_is_a_disk(below: bytes, changes: list[Change], offset: int, size: int) -> None:
    """After any changes it reads as plain files would, and what is below has not changed."""
    with TemporaryDirectory() as folder:
        real = RealDisk(folder)
        real.write("below", 0, below)
        overlay, plain = OverlayDisk(real), PlainFiles({"below": below})
        for change in changes:
            apply(overlay, change)
            plain.apply(change)
            for path in ("below", "streams/2c/new"):
                expected = plain.files.get(path)
                assert overlay.size(path) == (-1 if expected is None else len(expected))
                if expected is not None:
                    assert overlay.read(path, 0, 99) == expected
                    assert overlay.read(path, offset, size) == expected[offset : offset + size]
        assert real.list("") == ["below"]
        assert real.read("below", 0, 99) == below
        real.forget()


@given(DATA, CHANGES)
def test_the_plain_files_are_like_real_ones(below: bytes, changes: list[Change]) -> None:
    """The model of the test above is true of RealDisk too."""
    with TemporaryDirectory() as folder:
        real, plain = RealDisk(folder), PlainFiles({"below": below})
        real.write("below", 0, below)
        for change in changes:
            if change[0] == "replace":
                real.make_folder("streams")
                real.make_folder("streams/2c")
            apply(real, change)
            plain.apply(change)
        for path, expected in plain.files.items():
            assert real.size(path) == len(expected)
            assert real.read(path, 0, 99) == expected
        real.forget()


@pytest.fixture
def below(tmp_path: Path) -> Iterator[RealDisk]:
    disk = RealDisk(str(tmp_path))
    disk.write("index", 0, b"0123456789")
    yield disk
    disk.forget()


def test_what_was_cut_off_does_not_come_back(below: RealDisk) -> None:
    """A file that is cut and grows again holds zeros where the file below holds data."""
    overlay = OverlayDisk(below)
    overlay.truncate("index", 4)
    overlay.write("index", 8, b"X")
    assert overlay.read("index", 0, 99) == b"0123\0\0\0\0X"


def test_what_is_untouched_is_read_from_below(below: RealDisk) -> None:
    """Other files are those below, also as they grow."""
    overlay = OverlayDisk(below)
    assert overlay.read("index", 2, 3) == b"234"
    below.write("index", 10, b"AB")
    assert overlay.size("index") == 12
    assert overlay.identity("index") == below.identity("index")
    assert overlay.root == below.root
    with pytest.raises(FileNotFoundError):
        overlay.read("catalog", 0, 1)


def test_nothing_is_removed_through_an_overlay(below: RealDisk) -> None:
    """Removing is refused: there is no need for it, and no way back."""
    with pytest.raises(PermissionError):
        OverlayDisk(below).remove("index")
    assert below.size("index") == 10
