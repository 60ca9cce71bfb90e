"""Being told of writes to a file."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from msgstore.disk import watch as watch_module
from msgstore.disk.watch import FileWatch

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")

LONG_S = 60.0


def test_a_write_is_told(tmp_path: Path) -> None:
    """Also one that happened between `start` and `wait`; and each of them once."""
    file = tmp_path / "index"
    file.write_bytes(b"a")
    watch = FileWatch(str(file))
    assert watch.start()
    with file.open("ab") as opened:
        opened.write(b"b")
    assert watch.wait(LONG_S)
    assert not watch.wait(0)
    watch.close()


@pytest.mark.parametrize("deed", ["remove", "replace", "truncate"])
def test_what_else_happens_is_told(tmp_path: Path, deed: str) -> None:
    """A file that is cut, is removed while it is open, or makes room for another."""
    file = tmp_path / "index"
    file.write_bytes(b"a")
    watch = FileWatch(str(file))
    with file.open("rb"):
        assert watch.start()
        if deed == "truncate":
            file.write_bytes(b"")
        elif deed == "remove":
            file.unlink()
        else:
            (tmp_path / "new").write_bytes(b"b")
            (tmp_path / "new").rename(file)
        assert watch.wait(LONG_S)
    watch.close()


def test_nothing_to_watch(tmp_path: Path) -> None:
    """Where there is no file it says so."""
    assert not FileWatch(str(tmp_path / "index")).start()


def test_no_inotify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no such call, and on a network file system, it says so."""
    (tmp_path / "index").write_bytes(b"")
    with monkeypatch.context() as patch:
        patch.setattr(watch_module, "_c_library", lambda: None)
        assert not FileWatch(str(tmp_path / "index")).start()
    monkeypatch.setattr(watch_module, "network_type", lambda _: "nfs")
    assert not FileWatch(str(tmp_path / "index")).start()
