"""The mark of a repair: which files are to be put in place. See docs/format.md, "repairing"."""

from __future__ import annotations

from typing import NamedTuple

from msgstore.format import FORMAT_VERSION
from msgstore.format.frame import decode_frame, encode_frame, frame_problem
from msgstore.format.names import (
    INDEX,
    JOURNAL,
    LOOKUP,
    REPAIR_NEW,
    STORE_JSON,
    STREAMS,
    is_data_path,
)

REPAIR_KIND = "msgstore-repair"


class Move(NamedTuple):
    """A path of the store: what stands there goes to quarantine, and a new file may take its place."""

    path: str
    has_new: bool

    @property
    def prepared(self) -> str:
        """Where the new file stands until it is put in place."""
        return f"{REPAIR_NEW}/{self.path}"


class Swap(NamedTuple):
    """All moves of one repair. `store_json` is the identity of the store, should its file be gone."""

    store_json: bytes
    quarantine: str
    moves: tuple[Move, ...]


def encode_swap(swap: Swap) -> bytes:
    moves = [[move.path, move.has_new] for move in swap.moves]
    return encode_frame([REPAIR_KIND, FORMAT_VERSION, swap.store_json, swap.quarantine, moves])


def decode_swap(frame: bytes) -> Swap | None:
    """The swap, or None where these bytes are no whole one of this version."""
    if frame_problem(frame):
        return None
    elements = decode_frame(frame)
    if elements[:2] != [REPAIR_KIND, FORMAT_VERSION]:
        return None
    store_json, quarantine, moves = elements[2:]
    if not all(_may_move(path) for path, _ in moves):
        return None
    return Swap(store_json, quarantine, tuple(Move(path, has_new) for path, has_new in moves))


def _may_move(path: str) -> bool:
    """Segments that stand where no segment should are moved too, so all of `streams/` may be."""
    if path in (STORE_JSON, JOURNAL, INDEX, LOOKUP) or is_data_path(path):
        return True
    return path.startswith(f"{STREAMS}/") and ".." not in path.split("/")
