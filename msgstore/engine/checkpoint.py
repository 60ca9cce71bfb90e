"""Ending a generation of the journal: everything it holds is flushed, then its room is used again."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from functools import cache

from msgstore.disk.files import Disk
from msgstore.engine.journal import Tail, entries_of_generation, write_hint
from msgstore.format.hint import FLAG_DIRTY
from msgstore.format.names import CATALOG, INDEX, SESSIONS

_FILES_ONE_BY_ONE_MAX = 64
"""Up to so many files are synced singly; more of them by one syncfs, where it can be relied on."""


def mark_dirty(disk: Disk, tail: Tail) -> None:
    """From now on the hint is not believed: the next writer replays the whole generation."""
    write_hint(disk, tail.hint._replace(flags=FLAG_DIRTY))


def flush_generation(disk: Disk, tail: Tail) -> None:
    """On return every file that the generation wrote to is on the disk, with its folder's entry."""
    files = {INDEX, CATALOG, SESSIONS}
    for entry in entries_of_generation(disk, tail.slot):
        files.update(write.path for write in entry.writes)
        if _flush_all(disk, files):
            return  # that was all there is: the other entries need not be read
    flush_files(disk, files)


def flush_files(disk: Disk, files: Iterable[str]) -> None:
    """Syncs files and the folders they are in."""
    paths = sorted(files)
    if _flush_all(disk, paths):
        return
    folders = {""}
    for path in paths:
        disk.sync(path)
        folder = os.path.dirname(path)
        while folder:
            folders.add(folder)
            folder = os.path.dirname(folder)
    for folder in sorted(folders, reverse=True):
        disk.sync_folder(folder)


def _flush_all(disk: Disk, files: Collection[str]) -> bool:
    """Syncs the whole file system where so many files are to be synced; False where they are not."""
    return len(files) > _FILES_ONE_BY_ONE_MAX and _syncfs_reports_errors() and disk.sync_all()


@cache
def _syncfs_reports_errors() -> bool:
    """syncfs(2): write-back errors are reported from Linux 5.8 on."""
    numbers = os.uname().release.split(".")[:2]
    try:
        major, minor = (int("".join(c for c in n if c.isdigit()) or "0") for n in numbers)
    except ValueError:
        return False
    return os.uname().sysname == "Linux" and (major, minor) >= (5, 8)
