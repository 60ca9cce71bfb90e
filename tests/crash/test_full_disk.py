"""A full disk: the save fails as a whole, the store stays usable and goes on when there is room."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from msgstore import FileMessageStore, Message, WriteFailed

KILOBYTE = "x" * 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("mounting a tmpfs takes root on Linux")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", tmp_path], capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"no tmpfs here: {mounted.stderr.decode()}")
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


def fill_until_refused(store: FileMessageStore) -> tuple[int, str]:
    """How many messages were acknowledged before the first was refused, and in what words."""
    for count in range(10_000):
        message = Message("Filled", {"n": count, "x": KILOBYTE})
        try:
            store.save_message(f"stream-{count % 7}", message)
        except WriteFailed as error:
            return count, str(error)
    raise AssertionError("the disk never filled up")


def test_full_disk(small_disk: Path) -> None:
    """What was acknowledged before is there, nothing else is, and room brings the store back."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(200_000))
    with FileMessageStore(small_disk / "store") as store:
        count, words = fill_until_refused(store)
        assert "No space left" in words
        assert [m.message.data["n"] for m in store.get_all_messages()] == list(range(count))
        with pytest.raises(WriteFailed):
            store.save_messages("batch", [Message("Filled", {"x": KILOBYTE})] * 100)
        assert store.get_stream_info("batch") is None
        ballast.unlink()
        saved = store.save_message("stream-0", Message("Filled", {"n": count}))
        assert saved.first_position == count + 1
    with FileMessageStore(small_disk / "store", create=False) as store:
        assert [m.message.data["n"] for m in store.get_all_messages()] == list(range(count + 1))
        assert store.verify().findings == ()


def test_no_room_for_a_store(small_disk: Path) -> None:
    """A store that cannot be made is an error, and can be made once there is room."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1_000_000))
    with FileMessageStore(small_disk / "store") as store:
        with pytest.raises(WriteFailed):
            store.save_message("a", Message("First"))
        ballast.unlink()
        assert store.save_message("a", Message("First")).first_position == 1
