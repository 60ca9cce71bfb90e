"""Time and identity, handed in wherever they are needed so that a test can hold them still."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# What datetime can hold: years 1 to 9999.
TIME_US_MIN = -62_135_596_800_000_000
TIME_US_MAX = 253_402_300_799_999_999

Clock = Callable[[], int]
"""Returns microseconds since 1970-01-01 UTC."""


def system_clock_us() -> int:
    return time.time_ns() // 1000


@lru_cache(maxsize=256)
def to_datetime(time_us: int) -> datetime:
    """Cached, for all messages of a commit have one time."""
    return EPOCH + timedelta(0, 0, time_us)


def to_us(moment: datetime) -> int:
    """`moment` must be aware. Exact: no floating point on the way."""
    return (moment - EPOCH) // _MICROSECOND


def format_time(moment: datetime) -> str:
    """ISO 8601 UTC with `Z`: three digits of a second, six where it needs them."""
    utc = moment.astimezone(UTC)
    timespec = "microseconds" if utc.microsecond % 1000 else "milliseconds"
    return utc.replace(tzinfo=None).isoformat(timespec=timespec) + "Z"


_last_ms = 0
_last_counter = 0


def uuid7() -> bytes:
    """A new UUIDv7 (RFC 9562, 5.7), 16 bytes: 48 bits of milliseconds, 12 of a counter, 62 random.

    Rising within a process, by the counter of RFC 9562, 6.2, method 1: it starts at a random value
    below half its range in each millisecond, and runs over into the next one.
    """
    global _last_ms, _last_counter
    now_ms = time.time_ns() // 1_000_000
    random_bytes = os.urandom(10)
    if now_ms > _last_ms:
        _last_ms, _last_counter = now_ms, int.from_bytes(random_bytes[:2], "big") & 0x7FF
    else:
        _last_counter += 1
        if _last_counter > 0xFFF:
            _last_ms, _last_counter = _last_ms + 1, 0
    low = int.from_bytes(random_bytes[2:], "big") & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
    high = _last_ms << 16 | 0x7000 | _last_counter
    return (high << 64 | low).to_bytes(16, "big")


_HIGH = struct.Struct(">Q")
_CLEARED, _SET = b"\x3f" + b"\xff" * 7, b"\x80" + b"\0" * 7
"""Of the second half of a UUID: what its two bits for the variant leave, and these bits."""


def uuid7s(count: int) -> list[tuple[bytes, bytes]]:
    """So many new UUIDv7, as `uuid7` makes them, at once: of each the 16 bytes, and the text in ASCII.

    Rising, from the counter's present value on; one question to the system for all random bits.
    """
    global _last_ms, _last_counter
    if count == 0:
        return []
    now_ms = time.time_ns() // 1_000_000
    first = (_last_ms << 12 | _last_counter) + 1
    if now_ms > _last_ms:
        first = now_ms << 12 | int.from_bytes(os.urandom(2), "big") & 0x7FF
    last = first + count - 1
    _last_ms, _last_counter = last >> 12, last & 0xFFF
    # All random halves are one number: it has its bits set in one step.
    random = int.from_bytes(os.urandom(8 * count), "big")
    lows = random & int.from_bytes(_CLEARED * count, "big") | int.from_bytes(_SET * count, "big")
    low_bytes = lows.to_bytes(8 * count, "big")
    pack = _HIGH.pack
    raw_ids = [
        pack(number >> 12 << 16 | 0x7000 | number & 0xFFF) + low_bytes[at : at + 8]
        for at, number in zip(range(0, 8 * count, 8), range(first, last + 1), strict=True)
    ]
    return list(zip(raw_ids, _texts_of(raw_ids).split(b"\n"), strict=True))


def format_uuid(raw: bytes) -> str:
    """The canonical text of a UUID's 16 bytes."""
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def format_uuids(many: list[bytes]) -> list[str]:
    """`format_uuid` of each, a third of the price: dashes are set, and taken out, in all at once.

    Raises ValueError where one is not 16 bytes long.
    """
    if not many:
        return []
    if set(map(len, many)) != {16}:
        raise ValueError("a UUID has 16 bytes")
    return _texts_of(many).decode("ascii").split("\n")


def _texts_of(raw_ids: list[bytes]) -> bytes:
    """Their texts, a line each. There is at least one, and each has 16 bytes."""
    # ….hex gives `0123-4567-89ab-cdef-0123-4567-89ab-cdef-` for each: three dashes too many.
    text = bytearray(b"".join(raw_ids).hex("-", 2), "ascii")
    marks = b"*" * len(raw_ids)
    text[4::40] = text[29::40] = text[34::40] = marks
    text[39::40] = b"\n" * (len(raw_ids) - 1)
    return bytes(text).translate(None, b"*")


def parse_uuid(text: str) -> bytes | None:
    """The 16 bytes of a UUID in canonical text, or None: `format_uuid` gives `text` back exactly."""
    if len(text) != 36 or text[8] != "-" or text[13] != "-":
        return None
    try:
        raw = bytes.fromhex(text.replace("-", ""))
    except ValueError:
        return None
    return raw if len(raw) == 16 and format_uuid(raw) == text else None


_SESSION_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"


def new_session_id(now_us: int) -> str:
    """`session-<unix ms>-<8 random>`."""
    tail = "".join(_SESSION_ALPHABET[b % 36] for b in os.urandom(8))
    return f"session-{now_us // 1000}-{tail}"
