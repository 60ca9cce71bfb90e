"""What one save asks of the system, seen by strace: one fdatasync, and never more as it grows."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from msgstore import FileMessageStore, Message

SAVE = """
import os, sys
from msgstore import FileMessageStore, Message
store = FileMessageStore(sys.argv[1], durability="always", create=False)
warm = sys.argv[2] == "warm"
if warm:
    store.save_message("orders-1", Message("Warm"))
import portalocker  # imports are not what is counted
message = Message("Placed", {"n": 1})
os.path.exists("/begin")
store.save_message("orders-1", message)
os.path.exists("/end")
"""
CALL = re.compile(r"^(?:\d+ +)?(\w+)\(", re.MULTILINE)
SYNCS = ("fsync", "fdatasync", "syncfs", "sync", "sync_file_range", "msync")


pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


def calls_of_a_save(store: Path, how: str, trace: Path) -> Counter[str]:
    """System calls between the two marks, by name."""
    command = ["strace", "-f", "-o", trace, sys.executable, "-c", SAVE, store, how]
    subprocess.run(command, check=True, capture_output=True)
    text = trace.read_text()
    begin, end = text.rindex('"/begin"'), text.rindex('"/end"')
    return Counter(CALL.findall(text[begin:end]))


def fill(path: Path, messages: int, streams: int) -> None:
    with FileMessageStore(path, durability="os") as store:
        for first in range(0, messages, 1000):
            with store.transaction() as together:
                for number in range(first, first + 1000):
                    together.save_message(f"orders-{number % streams}", Message("Placed", {"n": 1}))
        store.flush()  # else the first save with `always` pays for all of these


@pytest.mark.parametrize("how", ["cold", "warm"])
def test_one_save_into_an_existing_stream(how: str, tmp_path: Path) -> None:
    """One fdatasync and no other sync; in a large store no more reads than its few runs take."""
    fill(tmp_path / "small", 1000, 10)
    fill(tmp_path / "large", 40_000, 400)
    small = calls_of_a_save(tmp_path / "small", how, tmp_path / "trace")
    large = calls_of_a_save(tmp_path / "large", how, tmp_path / "trace")
    for calls in (small, large):
        assert {name: calls[name] for name in SYNCS if calls[name]} == {"fdatasync": 1}
        assert calls["pwrite64"] <= 5
        assert calls["ftruncate"] == 0
    runs = len(list((tmp_path / "large" / "lookup").glob("ends-*")))
    assert 1 <= runs <= 4
    more = {"cold": runs, "warm": 0}[how]
    assert large["pread64"] <= small["pread64"] + 6 * more
    assert large["openat"] <= small["openat"] + 2 * more
    assert large["pread64"] <= {"cold": 30, "warm": 8}[how]
