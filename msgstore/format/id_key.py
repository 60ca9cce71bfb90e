"""Keys of the run of ids: which column, the front of the hash that stands in it, and in which row.

A key is also a normal, positive double of the same bits, and doubles sort as their bits do: so lists
of floats are sorted in the place of lists of large integers, which takes Python half the time.
"""

from __future__ import annotations

import struct
from array import array

from msgstore.format.row import (
    CAUSATION_ID_WORD,
    CORRELATION_ID_WORD,
    MESSAGE_ID_WORD,
    REQUEST_ID_WORD,
)

# 63   61  59      31         0
# | 01  | c | hash  | position |      the number of the column, and the upper 28 bits of the hash
_MARK = 1 << 61
_COLUMN_SHIFT = 59
_POSITION_BITS = 31
_HASH_CUT = 4
_CUT_SHIFT = 5
assert (32 - _HASH_CUT) + _POSITION_BITS == _COLUMN_SHIFT
assert 32 + 32 - _CUT_SHIFT == _COLUMN_SHIFT
ID_POSITION_MAX = (1 << _POSITION_BITS) - 1
ID_COLUMNS = (MESSAGE_ID_WORD, REQUEST_ID_WORD, CORRELATION_ID_WORD, CAUSATION_ID_WORD)
"""Words of a row whose hashes are in keys, in the order of their numbers."""
_ONE_HASH = (0xFFFF_FFFF >> _HASH_CUT << _POSITION_BITS).to_bytes(8, "little")


def id_key(word: int, hash_32: int, position: int) -> int:
    """The key of a row at `position` in whose 4-byte `word` this hash stands."""
    column = ID_COLUMNS.index(word)
    return _MARK | column << _COLUMN_SHIFT | hash_32 >> _HASH_CUT << _POSITION_BITS | position


def position_of(key: int) -> int:
    return key & ID_POSITION_MAX


def id_keys(hashes: memoryview, first_position: int, word: int) -> list[float]:
    """The keys of all rows that have such an id, rising, as doubles; `hashes` are their column.

    Worked out for all rows at once, as one large integer with 64 bits a row.
    """
    count = len(hashes)
    present = hashes.tolist()
    absent = present.count(0)
    if absent == count:
        return []
    first_key = id_key(word, 0, first_position)
    lanes = bytearray(8 * count)
    memoryview(lanes).cast("I")[1::2] = hashes
    places = array("Q", range(first_key, first_key + count)).tobytes()
    keys = (
        int.from_bytes(lanes, "little") >> _CUT_SHIFT & int.from_bytes(_ONE_HASH * count, "little")
    ) | int.from_bytes(places, "little")
    doubles = to_doubles(memoryview(keys.to_bytes(8 * count, "little")))
    if absent:
        doubles = [double for double, hash_32 in zip(doubles, present, strict=True) if hash_32]
    doubles.sort()
    return doubles


def from_doubles(doubles: list[float]) -> array[int]:
    """The same keys as integers."""
    return array("Q", array("d", doubles).tobytes())


def to_doubles(keys: memoryview | array[int]) -> list[float]:
    """The same keys as doubles."""
    doubles: list[float] = memoryview(keys).cast("B").cast("d").tolist()  # type: ignore[assignment]
    return doubles


def to_double(key: int) -> float:
    return float(struct.unpack("<d", key.to_bytes(8, "little"))[0])
