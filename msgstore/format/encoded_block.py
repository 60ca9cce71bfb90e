"""Encoded messages as one string of bytes, for the way from one process of msgstore to another.

A msgpack array of columns, in the byte order of the machine; nothing on a disk looks like this.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import accumulate, pairwise

import msgpack

from msgstore.format.record import Encoded


def pack_block(messages: Sequence[Encoded]) -> bytes:
    """What `unpack_block` makes the same messages of."""
    if not messages:
        return b""
    stream_ids, bodies, are_commands, types, hashes = zip(*messages, strict=True)
    numbers = {stream_id: number for number, stream_id in enumerate(dict.fromkeys(stream_ids))}
    columns = (
        list(numbers),
        array("I", map(numbers.__getitem__, stream_ids)).tobytes(),
        array("I", map(len, bodies)).tobytes(),
        bytes(are_commands),
        array("Q", types).tobytes(),
        *(array("I", column).tobytes() for column in zip(*hashes, strict=True)),
        b"".join(bodies),
    )
    packed: bytes = msgpack.packb(columns)
    return packed


def unpack_block(block: bytes) -> list[Encoded]:
    if not block:
        return []
    names, streams, lengths, are_commands, types, *hashes, bodies = msgpack.unpackb(block)
    return list(
        zip(
            map(names.__getitem__, array("I", streams)),
            [
                bodies[start:end]
                for start, end in pairwise(accumulate(array("I", lengths), initial=0))
            ],
            map(bool, are_commands),
            array("Q", types),
            zip(*(array("I", column) for column in hashes), strict=True),
            strict=True,
        )
    )
