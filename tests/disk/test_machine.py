"""Facts about this machine."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from msgstore.disk import machine

linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@linux_only
def test_the_boot_id_is_the_kernels() -> None:
    """On Linux it is what the kernel made up when it booted."""
    expected = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert machine.boot_id.__wrapped__() == expected
    assert len(expected) == 36


@linux_only
@pytest.mark.parametrize("case", ["missing", "empty"])
def test_no_boot_id(monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    """Where the system has none to offer there is None, not an empty text."""

    def fake_open(path: str, mode: str = "r") -> io.StringIO:
        if case == "missing":
            raise FileNotFoundError(2, "no such file", path)
        return io.StringIO("\n")

    monkeypatch.setattr(machine, "open", fake_open, raising=False)
    assert machine.boot_id.__wrapped__() is None


MOUNTS: dict[str, tuple[list[str], str | None]] = {
    "ext4": (["/ / rw - ext4 /dev/vda rw"], None),
    "tmpfs": (["/ /tmp rw shared:1 - tmpfs tmpfs rw"], None),
    "nfs4": (["/ /home rw,noatime shared:7 master:2 - nfs4 host:/home rw"], "nfs4"),
    "SMB": (["/ /mnt rw - cifs //host/share rw"], "cifs"),
    "the host of a virtual machine": (["/ /mnt rw - virtiofs tag rw"], "virtiofs"),
    "9p": (["/ /mnt rw - 9p tag rw"], "9p"),
    "FUSE": (["/ /mnt rw - fuse.sshfs host: rw"], "fuse.sshfs"),
    "FUSE on a block device": (["/ /mnt rw - fuseblk /dev/sdb rw"], "fuseblk"),
    "the last mount of a device counts": (["/ /a rw - ext4 d rw", "/ /b rw - nfs h:/ rw"], "nfs"),
    "the other way round": (["/ /a rw - nfs h:/ rw", "/ /b rw - ext4 d rw"], None),
    "no such device": ([], None),
}


@linux_only
@pytest.mark.parametrize("case", MOUNTS)
def test_the_type_of_a_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, case: str) -> None:
    """The type of file system is named if its locks and syncs cannot be relied on."""
    mounts, expected = MOUNTS[case]
    device = tmp_path.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    lines = ["20 1 0:999 / /proc rw - nfs other rw"]
    lines += [f"{30 + at} 1 {number} {rest}" for at, rest in enumerate(mounts)]
    content = "\n".join(lines).encode() + b"\n"
    monkeypatch.setattr(machine, "open", lambda path, mode: io.BytesIO(content), raising=False)
    assert machine.network_type(str(tmp_path)) == expected


@linux_only
@pytest.mark.parametrize("content", [b"", b"\n", b"nonsense\n", b"1 2\n"])
def test_mounts_that_tell_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes
) -> None:
    """A list of mounts that cannot be understood names no network."""
    monkeypatch.setattr(machine, "open", lambda path, mode: io.BytesIO(content), raising=False)
    assert machine.network_type(str(tmp_path)) is None


def test_this_folder_is_local(tmp_path: Path) -> None:
    """Where the tests run is no network, or nothing here would mean anything."""
    assert machine.network_type(str(tmp_path)) is None
