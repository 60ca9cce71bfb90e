"""What can happen to the files of a store."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple
from zlib import crc32

from damage.disk import Files

BLOCK_BYTES = 4096


class Change(NamedTuple):
    """`files` are those it leaves; `paths` the ones that it changed."""

    name: str
    paths: tuple[str, ...]
    files: Files


def flip(files: Files, path: str, at: int, bit: int) -> Change:
    old = files[path]
    new = b"".join((old[:at], bytes([old[at] ^ 1 << bit]), old[at + 1 :]))
    return Change(f"{path} byte {at} bit {bit}", (path,), {**files, path: new})


def cut(files: Files, path: str, size: int) -> Change:
    return Change(f"{path} cut to {size}", (path,), {**files, path: files[path][:size]})


def whole_files(files: Files) -> Iterator[Change]:
    """Each file deleted, zeroed, doubled, grown, and put in the place of each other one."""
    for path, old in files.items():
        rest = {name: data for name, data in files.items() if name != path}
        yield Change(f"{path} deleted", (path,), rest)
        for name, new in _changed(path, old):
            yield Change(f"{path} {name}", (path,), {**files, path: new})
        for other, data in files.items():
            if other != path:
                yield Change(f"{other} copied over {path}", (path,), {**files, path: data})
            if other < path:
                both = {**files, path: data, other: old}
                yield Change(f"{path} and {other} swapped", (path, other), both)


def _changed(path: str, old: bytes) -> Iterator[tuple[str, bytes]]:
    yield "zeroed", bytes(len(old))
    yield "all ones", b"\xff" * len(old)
    for at in range(0, len(old), BLOCK_BYTES):
        length = len(old[at : at + BLOCK_BYTES])
        yield f"block at {at} zeroed", old[:at] + bytes(length) + old[at + length :]
    yield "doubled", old + old
    for size in (1, 96, 512, 5000):
        noise = random.Random(crc32(path.encode()) + size).randbytes(size)
        for name, more in (("zeros", bytes(size)), ("ones", b"\xff" * size), ("noise", noise)):
            yield f"grown by {size} {name}", old + more
