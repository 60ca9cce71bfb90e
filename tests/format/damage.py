"""What can happen to bytes: each way as bytes to look at, none left out."""

from __future__ import annotations

from collections.abc import Iterator


def flipped(whole: bytes) -> Iterator[tuple[str, bytes]]:
    """Every copy of `whole` in which one bit is another, with the name of the bit."""
    for at in range(len(whole)):
        for bit in range(8):
            other = bytearray(whole)
            other[at] ^= 1 << bit
            yield f"byte {at} bit {bit}", bytes(other)


def cut(whole: bytes) -> Iterator[bytes]:
    """Every beginning of `whole` that is shorter than it."""
    for size in range(len(whole)):
        yield whole[:size]
