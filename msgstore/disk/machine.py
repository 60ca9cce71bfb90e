"""Facts about this machine: which boot it is, and whether a folder is on a local file system."""

from __future__ import annotations

import os
import sys
from functools import cache

# File systems whose locks or syncs do not mean what the journal needs them to mean.
_NETWORK_TYPES = frozenset(
    {
        "9p", "afpfs", "afs", "ceph", "cifs", "coda", "davfs", "glusterfs", "lustre", "ncpfs",
        "nfs", "nfs4", "smb2", "smb3", "smbfs", "virtiofs", "webdav",
    }
)  # fmt: skip


@cache
def boot_id() -> str | None:
    """A text that is another after every boot; None where the system has none to offer."""
    if sys.platform.startswith("linux"):
        try:
            with open("/proc/sys/kernel/random/boot_id") as file:
                return file.read().strip() or None
        except OSError:
            return None
    if sys.platform == "darwin":
        return _sysctl_text("kern.bootsessionuuid")
    return None


def network_type(path: str) -> str | None:
    """The type of the file system under `path` if it is one of a network or of FUSE, else None."""
    kind = _linux_type(path) if sys.platform.startswith("linux") else _macos_type(path)
    if kind is None:
        return None
    return kind if kind in _NETWORK_TYPES or kind.startswith("fuse") else None


def _linux_type(path: str) -> str | None:
    """From /proc/self/mountinfo (proc(5)): the last mount whose device is that of `path`."""
    device = os.stat(path).st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}".encode()
    try:
        with open("/proc/self/mountinfo", "rb") as file:
            for line in reversed(file.readlines()):
                fields, _, tail = line.partition(b" - ")
                if fields.split()[2] == wanted:
                    return tail.split()[0].decode()
    except (OSError, IndexError):
        return None
    return None


def _macos_type(path: str) -> str | None:
    """statfs(2) through the C library: `f_fstypename` stands at byte 72, 16 bytes long."""
    import ctypes

    buffer = ctypes.create_string_buffer(4096)
    statfs = getattr(ctypes.CDLL(None), "statfs", None)
    if statfs is None or statfs(os.fsencode(path), buffer) != 0:
        return None
    return buffer.raw[72:88].split(b"\0")[0].decode("ascii", "replace") or None


def _sysctl_text(name: str) -> str | None:
    import ctypes

    buffer = ctypes.create_string_buffer(256)
    size = ctypes.c_size_t(len(buffer))
    sysctl = getattr(ctypes.CDLL(None), "sysctlbyname", None)
    if sysctl is None or sysctl(name.encode(), buffer, ctypes.byref(size), None, 0) != 0:
        return None
    return buffer.value.decode("ascii", "replace") or None
