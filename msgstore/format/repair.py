"""The mark of a repair: which files are to be put in place. See docs/format.md, "repairing"."""

from __future__ import annotations

import re
from typing import NamedTuple

from msgstore.format import FORMAT_VERSION
from msgstore.format.frame import decode_frame, encode_frame, frame_problem
from msgstore.format.names import (
    INDEX,
    JOURNAL,
    LOOKUP,
    QUARANTINE,
    REPAIR_NEW,
    STORE_JSON,
    STREAMS,
    is_data_path,
)

REPAIR_KIND = "msgstore-repair"
_QUARANTINE = rf"{QUARANTINE}/repair-[1-9][0-9]{{0,8}}"


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
    """The swap, or None where these bytes are no whole one of this version.

    Whoever carries it out may: every path in it is one inside the store.
    """
    if frame_problem(frame):
        return None
    try:
        elements = decode_frame(frame)
        if elements[:2] != [REPAIR_KIND, FORMAT_VERSION]:
            return None
        store_json, quarantine, moves = elements[2:]
        found = Swap(store_json, quarantine, tuple(Move(path, new) for path, new in moves))
    except (ValueError, TypeError):
        return None
    return found if _may_be_carried_out(found) else None


def _may_be_carried_out(swap: Swap) -> bool:
    return (
        isinstance(swap.store_json, bytes)
        and isinstance(swap.quarantine, str)
        and re.fullmatch(_QUARANTINE, swap.quarantine) is not None
        and all(isinstance(has_new, bool) and _may_move(path) for path, has_new in swap.moves)
    )


def _may_move(path: object) -> bool:
    """Segments that stand where no segment should are moved too, so all of `streams/` may be."""
    if not isinstance(path, str):
        return False
    if path in (STORE_JSON, JOURNAL, INDEX, LOOKUP) or is_data_path(path):
        return True
    top, *below = path.split("/")
    return top == STREAMS and bool(below) and "\0" not in path and not {"", ".", ".."} & {*below}
