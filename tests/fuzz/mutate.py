"""A plain mutator: the same inputs for the same seed, on every machine."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

INPUT_BYTES_MAX = 16384
_BOUNDARIES = (
    0,
    1,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0xFFFF,
    2**31 - 1,
    2**32 - 1,
    2**62,
    2**63,
    2**64 - 1,
)


def mutations(corpus: Sequence[bytes], tokens: Sequence[bytes], seed: int | str) -> Iterator[bytes]:
    """The corpus itself, and then changes of it without end."""
    yield from corpus
    chance = random.Random(seed)
    while True:
        data = bytearray(chance.choice(corpus))
        for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
            _change(data, corpus, tokens, chance)
        yield bytes(data[:INPUT_BYTES_MAX])


def _change(
    data: bytearray, corpus: Sequence[bytes], tokens: Sequence[bytes], chance: random.Random
) -> None:
    at = chance.randrange(len(data) + 1)
    end = min(len(data), at + chance.choice((1, 1, 2, 4, 8, 64)))
    match chance.randrange(8):
        case 0 if at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        case 1 if at < len(data):
            data[at] = chance.randrange(256)
        case 2:
            del data[at:end]
        case 3:
            data[at:at] = data[at:end] * chance.choice((1, 2, 50))
        case 4:
            width = chance.choice((1, 2, 4, 8))
            number = chance.choice(_BOUNDARIES) & (256**width - 1)
            data[at : at + width] = number.to_bytes(width, chance.choice(("little", "big")))
        case 5:
            other = chance.choice(corpus)
            start = chance.randrange(len(other) + 1)
            data[at : chance.choice((at, end, len(data)))] = other[start : start + 256]
        case 6 if tokens:
            data[at : chance.choice((at, end))] = chance.choice(tokens)
        case _:
            data[at:at] = chance.randbytes(chance.choice((1, 2, 8)))
