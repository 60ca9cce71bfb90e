"""Walking a file of frames: whole frames in order, from the front."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

from msgstore.disk.files import Disk
from msgstore.format.frame import HEAD, frame_length, frame_problem
from msgstore.model.errors import CorruptRecord

_WINDOW_BYTES = 256 * 1024
FRAME_BYTES_MAX = 1024 * 1024
"""No stream's entry and no event of a session is longer."""


def walk_frames(disk: Disk, path: str, start: int, end: int) -> Iterator[tuple[int, memoryview]]:
    """Offset and bytes of every frame between two frame borders. Raises CorruptRecord."""
    offset = start
    while offset < end:
        window = disk.read(path, offset, min(_WINDOW_BYTES, end - offset))
        at = 0
        while at + HEAD.size <= len(window) and at + frame_length(window, at) <= len(window):
            if problem := frame_problem(window, at):
                raise CorruptRecord(path, offset + at, problem)
            length = frame_length(window, at)
            yield offset + at, memoryview(window)[at : at + length]
            at += length
        if at == 0:
            at = yield from _walk_long_frame(disk, path, offset, end, window)
        offset += at


@contextmanager
def as_damage(path: str, offset: int, **place: Any) -> Iterator[None]:
    """What a decoder refuses is raised as CorruptRecord: the frame is whole, but nothing we write."""
    try:
        yield
    except ValueError as error:
        raise CorruptRecord(path, offset, str(error), **place) from None


def _walk_long_frame(
    disk: Disk, path: str, offset: int, end: int, window: bytes
) -> Generator[tuple[int, memoryview], None, int]:
    """One frame that is longer than the window; returns its length."""
    if len(window) < HEAD.size or frame_length(window) > min(FRAME_BYTES_MAX, end - offset):
        raise CorruptRecord(path, offset, "the file ends inside a frame")
    frame = disk.read(path, offset, frame_length(window))
    if problem := frame_problem(frame):
        raise CorruptRecord(path, offset, problem)
    yield offset, memoryview(frame)
    return len(frame)
