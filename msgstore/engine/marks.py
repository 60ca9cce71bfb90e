"""Marks: files that stand in a store while something is under way, and tell whoever comes next."""

from __future__ import annotations

from msgstore.disk.files import Disk
from msgstore.format.names import REPAIRING, RESETTING


def is_swapping(disk: Disk) -> bool:
    """A repair is putting its files in place; `swap.finish_swap` carries that to its end."""
    return disk.size(REPAIRING) >= 0


def is_resetting(disk: Disk) -> bool:
    """The store is being emptied; `create.reset` carries that to its end."""
    return disk.size(RESETTING) >= 0
