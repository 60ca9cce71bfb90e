"""Moments in the middle of a save, at which something can be done to the process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from msgstore.disk.files import RealDisk

POINTS = {
    "before its entry": ("write", "journal"),
    "before the sync": ("sync", "journal"),
    "before its records": ("write", "streams/"),
    "before its rows": ("write", "index"),
    "before the hint": ("write", "write.lock"),
}
"""What a save is about to ask of the disk: the call, and the beginning of the path."""


@contextmanager
def once_at(point: str, deed: Callable[[], object]) -> Iterator[None]:
    """Does the deed in the first save that comes to this point; the save then goes on."""
    name, prefix = POINTS[point]
    real = getattr(RealDisk, name)
    todo = [deed]

    def call(disk: RealDisk, path: str, *arguments: object) -> object:
        if path.startswith(prefix) and todo:
            todo.pop()()
        return real(disk, path, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RealDisk, name, call)
        yield
