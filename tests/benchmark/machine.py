"""Which machine the figures are from, and with what on it."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_LOAD_MAX = 0.5
PACKAGES = (
    *("msgstore", "typer", "rich", "msgpack", "portalocker", "orjson"),
    *("sqlite-utils", "eventsourcing", "lmdb"),
)


def describe(folder: Path) -> dict[str, Any]:
    """Facts by name; `file system` is the one that `folder` is on."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "memory GiB": memory_gib(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "file system": file_system(folder),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "load before": round(os.getloadavg()[0], 1),
        "versions": versions(),
    }


def sentence(machine: dict[str, Any]) -> str:
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory GiB']} GiB, "
        f"{machine['file system']}, {machine['system']}, {machine['python']}, {machine['date']}"
    )


def versions_sentence(machine: dict[str, Any]) -> str:
    known = machine["versions"]
    return ", ".join(f"{name} {number}" for name, number in known.items())


def doubts(machine: dict[str, Any]) -> Iterator[str]:
    """Why figures from here and now should not be trusted."""
    if machine["load before"] >= _LOAD_MAX:
        yield f"something else was running: load {machine['load before']}"
    if machine["file system"] in ("tmpfs", "ramfs"):
        yield f"nothing was durable: {machine['file system']}; --cache names a folder elsewhere"


def processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith(("model name", "Model")):
                    return " ".join(line.partition(":")[2].split())
    except OSError:
        pass
    return platform.processor() or platform.machine()


def memory_gib() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)


def file_system(folder: Path) -> str:
    """The kind of file system that a folder is on; `unknown` where the kernel does not say."""
    place = str(folder.resolve())
    best, kind = "", "unknown"
    try:
        with open("/proc/self/mounts", encoding="utf-8") as file:
            mounts = [line.split()[1:3] for line in file]
    except OSError:
        return kind
    for mount, one in mounts:
        is_above = mount == "/" or place == mount or place.startswith(mount + "/")
        if is_above and len(mount) >= len(best):
            best, kind = mount, one
    return kind


def versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    found["SQLite"] = sqlite3.sqlite_version
    if jq := shutil.which("jq"):
        said = subprocess.run([jq, "--version"], capture_output=True, text=True).stdout.strip()
        found["jq"] = said.removeprefix("jq-")
    return found
