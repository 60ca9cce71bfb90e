"""Where things are in a store. See docs/format.md, "The format of a store on disk"."""

from __future__ import annotations

import re
from functools import lru_cache

try:  # the interpreter's own module: importing hashlib would load OpenSSL, 3 ms of every start
    from _blake2 import blake2b
except ImportError:  # an interpreter that keeps it elsewhere
    from hashlib import blake2b

STORE_JSON = "store.json"
LOCK = "write.lock"
JOURNAL = "journal"
INDEX = "index"
CATALOG = "catalog"
SESSIONS = "sessions"
STREAMS = "streams"
QUARANTINE = "quarantine"
RESETTING = "resetting"
BACKING_UP = "backing-up"
REPAIRING = "repairing"
REPAIR_NEW = "repair.new"
LOOKUP = "lookup"

SEGMENT_BYTES_ROLL = 64 * 1024 * 1024
"""A segment that has reached this size takes no more records."""
_READABLE_CHARS_MAX = 40
_READABLE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")
_SEGMENT = (
    r"streams/([0-9a-f]{2})/[A-Za-z0-9_-][A-Za-z0-9_.-]{0,39}~([0-9a-f]{32})"
    r"(?:\.([1-9][0-9]{0,4}))?\.msgpack\Z"
)


@lru_cache(maxsize=65536)
def stream_stem(stream_id: str) -> str:
    """`streams/3f/orders-1~3f2c…`: the path of a stream's segments without number and suffix."""
    digest = blake2b(stream_id.encode(), digest_size=16).hexdigest()
    readable = "".join(c if c in _READABLE else "_" for c in stream_id[:_READABLE_CHARS_MAX])
    bare = readable.lstrip(".")
    readable = "_" * (len(readable) - len(bare)) + bare
    return f"{STREAMS}/{digest[:2]}/{readable}~{digest}"


def segment_path(stream_id: str, segment_number: int) -> str:
    """The path of one segment, relative to the store; never outside of it."""
    number = f".{segment_number}" if segment_number else ""
    return f"{stream_stem(stream_id)}{number}.msgpack"


def split_segment_path(path: str) -> tuple[str, int] | None:
    """The stem and the number in the path of a segment; None for any other path."""
    match = re.match(_SEGMENT, path)
    if match is None or not match[2].startswith(match[1]):
        return None
    return path[: match.end(2)], int(match[3] or 0)


def is_data_path(path: str) -> bool:
    """Whether a journal entry may write to `path`."""
    if path in (INDEX, CATALOG, SESSIONS):
        return True
    match = re.match(_SEGMENT, path)
    return match is not None and match[2].startswith(match[1])


@lru_cache(maxsize=1024)
def hash64(text: str) -> int:
    """BLAKE2b with a digest of 8 bytes, as a little-endian number."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")
