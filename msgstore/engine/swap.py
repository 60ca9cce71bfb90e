"""Putting whole new files in place of others, all of them or none. Under the lock, crash-safe.

The new files are prepared in `repair.new/` and synced. Then the mark `repairing` counts, which lists
the moves: from there on every reader sees the new files, and whoever has the lock finishes what is
left to be moved. Nothing is deleted: what stood there goes to `quarantine/`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from msgstore.disk.files import Disk
from msgstore.disk.redirected import RedirectedDisk
from msgstore.engine.checkpoint import flush_files
from msgstore.format.hint import HINT_BYTES
from msgstore.format.names import LOCK, QUARANTINE, REPAIR_NEW, REPAIRING
from msgstore.format.repair import Move, Swap, decode_swap, encode_swap
from msgstore.model.errors import CorruptRecord

_SWAP_BYTES_MAX = 1 << 30


def next_quarantine(disk: Disk) -> str:
    """The folder for what the next repair puts aside."""
    taken = set(disk.list(QUARANTINE))
    return next(f"{QUARANTINE}/repair-{n}" for n in count(1) if f"repair-{n}" not in taken)


def swap(disk: Disk, wanted: Swap) -> None:
    """Carries out the moves; on return they are on the disk. The new files are written, not synced.

    An OSError before the mark counts leaves the store as it was; one behind it leaves the rest to
    the next writer.
    """
    flush_files(disk, [move.prepared for move in wanted.moves if move.has_new])
    disk.replace(REPAIRING, encode_swap(wanted))
    finish_swap(disk)


def read_swap(disk: Disk) -> Swap | None:
    """The swap under way, or None. Raises CorruptRecord for a mark that is not whole."""
    if disk.size(REPAIRING) < 0:
        return None
    found = decode_swap(disk.read(REPAIRING, 0, _SWAP_BYTES_MAX))
    if found is None:
        raise CorruptRecord(REPAIRING, 0, "is not what msgstore wrote")
    return found


def swapped_view(disk: Disk, wanted: Swap | None) -> Disk:
    """The disk as it will be when the swap is done; `disk` itself where there is none."""
    if wanted is None:
        return disk
    places = {move.path: move.prepared if move.has_new else None for move in wanted.moves}
    return RedirectedDisk(disk, places)


def finish_swap(disk: Disk) -> None:
    """Carries out what is left of a swap, if there is one. Doing it twice changes nothing.

    The hint goes first: whoever knew the store attaches anew from then on, and meets the mark. All
    old files are aside, and that is synced, before the first new one takes its place.
    """
    wanted = read_swap(disk)
    if wanted is None:
        return
    disk.write(LOCK, 0, bytes(HINT_BYTES))
    places = [move.path for move in wanted.moves]
    aside = [f"{wanted.quarantine}/{path}" for path in places]
    _make_folders(disk, [*places, *aside])
    for move in wanted.moves:
        if _is_due(disk, move) and _stands(disk, move.path):
            disk.move(move.path, f"{wanted.quarantine}/{move.path}")
    _sync_folders(disk, [*places, *aside])
    for move in wanted.moves:
        if move.has_new and _stands(disk, move.prepared):
            disk.move(move.prepared, move.path)
    _sync_folders(disk, places)
    disk.remove(REPAIR_NEW)
    disk.remove(REPAIRING)
    disk.sync_folder("")


def _is_due(disk: Disk, move: Move) -> bool:
    """Whether what stands at the path is the old file: the new one is still where it was prepared."""
    return not move.has_new or _stands(disk, move.prepared)


def _stands(disk: Disk, path: str) -> bool:
    return disk.identity(path) is not None


def _make_folders(disk: Disk, paths: Sequence[str]) -> None:
    """Makes every folder that leads to one of the paths, durably: what is moved into one stays."""
    for folder in sorted(_folders(paths) - {""}):
        disk.make_folder(folder)
    _sync_folders(disk, paths)


def _sync_folders(disk: Disk, paths: Sequence[str]) -> None:
    """Syncs every folder that leads to one of the paths, the deepest first."""
    for folder in sorted(_folders(paths), reverse=True):
        disk.sync_folder(folder)


def _folders(paths: Sequence[str]) -> set[str]:
    folders = {""}
    for path in paths:
        while path := path.rpartition("/")[0]:
            folders.add(path)
    return folders
