"""What may be stored: texts and JSON values, checked before anything else happens to them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeAlias

from msgstore.model.errors import InvalidMessage, InvalidText

Json: TypeAlias = Any
"""None, bool, int, float, str, list[Json] or dict[str, Json]."""

TEXT_BYTES_MAX = 1024
NESTING_MAX = 100
INTEGER_MIN = -(2**63)
INTEGER_MAX = 2**64 - 1
MESSAGE_BYTES_MAX = 16 * 1024 * 1024

_CONTROL = r"[\x00-\x1f\x7f-\x9f]"
_SHOWN_BELOW = 10**40
_PLAIN_KEY = r"[A-Za-z_][A-Za-z0-9_-]*\Z"


def check_text(value: object, what: str) -> str:
    """A stream id, type or id: non-empty, at most 1,024 bytes of UTF-8, no control characters."""
    if not isinstance(value, str):
        raise InvalidText(what, f"must be text, not {_kind_of(value)}")
    if not value:
        raise InvalidText(what, "must not be empty")
    if len(value) <= TEXT_BYTES_MAX and value.isascii() and value.isprintable():
        return value
    try:
        size_bytes = len(value.encode())
    except UnicodeEncodeError:
        raise InvalidText(what, "holds a lone surrogate, which is not Unicode text") from None
    if size_bytes > TEXT_BYTES_MAX:
        raise InvalidText(what, f"takes {size_bytes:,} bytes; the limit is {TEXT_BYTES_MAX:,}")
    if control := re.search(_CONTROL, value):
        raise InvalidText(what, f"holds the control character U+{ord(control[0]):04X}")
    return value


def check_json(value: object, path: str) -> None:
    """Raises InvalidMessage with the path of the first part of `value` that JSON cannot hold."""
    if _is_plain(value, NESTING_MAX):
        return
    try:
        _check(value, NESTING_MAX)
    except _Offence as offence:
        for step in reversed(offence.steps):
            path = f"{path}[{step}]" if isinstance(step, int) else join_key(path, step)
        raise InvalidMessage(_shorten_path(path), offence.reason) from None


def _is_plain(value: Any, depth_left: int) -> bool:
    """Whether a list or an object is JSON beyond doubt: what most are, found out with few calls.

    False says nothing: subclasses, texts that are not ASCII and all else are looked at closely.
    """
    items = value
    if value.__class__ is dict:
        for key in value:
            if key.__class__ is not str or not key.isascii():
                return False
        items = value.values()
    elif value.__class__ is not list:
        return False
    if not depth_left:
        return False
    for item in items:
        kind = item.__class__
        if kind is str:
            if not item.isascii():
                return False
        elif kind is int:
            if not INTEGER_MIN <= item <= INTEGER_MAX:
                return False
        elif kind is float:
            if item - item != 0.0:
                return False
        elif kind is dict or kind is list:
            if not _is_plain(item, depth_left - 1):
                return False
        elif item is not None and kind is not bool:
            return False
    return True


_PLAIN = frozenset((str, int, bool, type(None)))


def is_json(value: object, depth_left: int = NESTING_MAX) -> bool:
    """Whether a value that was read back is JSON: as `check_json`, but quick, and without a reason.

    Texts and integers are taken as they are: what decodes them gives only those that can be saved.
    """
    kind = value.__class__
    if kind in _PLAIN:
        return True
    if kind is float:
        number: Any = value
        return bool(number - number == 0.0)  # false of NaN and of both infinities
    if not depth_left:
        return False
    items: Any = value
    if kind is dict:
        if not {str}.issuperset(map(type, items)):
            return False
        items = items.values()
    elif kind is not list:
        return False
    return all(item.__class__ in _PLAIN or is_json(item, depth_left - 1) for item in items)


class _Offence(Exception):
    """What is wrong, and the steps to it, innermost first: put together only when it is needed."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.steps: list[str | int] = []


def _check(value: object, depth_left: int) -> None:
    if value is None or value is True or value is False:
        return
    if isinstance(value, str):
        if not value.isascii():
            _check_unicode(value)
    elif isinstance(value, int):
        if not INTEGER_MIN <= value <= INTEGER_MAX:
            raise _Offence("the integer does not fit into 64 bits")
    elif isinstance(value, float):
        if value - value != 0.0:  # true of NaN and of both infinities only
            name = "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
            raise _Offence(f"{name} is not JSON")
    elif isinstance(value, dict):
        _check_object(value, depth_left)
    elif isinstance(value, list | tuple):
        _check_list(value, depth_left)
    else:
        raise _Offence(f"{_kind_of(value)} is not JSON")


def _check_object(value: dict[object, object], depth_left: int) -> None:
    if not depth_left:
        raise _Offence(f"nested deeper than {NESTING_MAX}")
    for key, item in value.items():
        if not isinstance(key, str):
            shown = excerpt(key) if isinstance(key, int) else f"{key!r:.40}"
            raise _Offence(f"key {shown} is {_kind_of(key)}, not text")
        if not key.isascii():
            _check_unicode(key)
        try:
            _check(item, depth_left - 1)
        except _Offence as offence:
            offence.steps.append(key)
            raise


def _check_list(value: list[object] | tuple[object, ...], depth_left: int) -> None:
    if not depth_left:
        raise _Offence(f"nested deeper than {NESTING_MAX}")
    for index, item in enumerate(value):
        try:
            _check(item, depth_left - 1)
        except _Offence as offence:
            offence.steps.append(index)
            raise


def _check_unicode(value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        surrogate = f"U+{ord(value[error.start]):04X}"
        raise _Offence(f"lone surrogate {surrogate} is not Unicode text") from None


def join_key(path: str, key: str) -> str:
    """`data` and `total` -> `data.total`; a key that is not a plain name goes into brackets."""
    if re.match(_PLAIN_KEY, key):
        return f"{path}.{key}"
    return f"{path}[{key!a}]"


def excerpt(value: object) -> str:
    """For an error: a number, or the beginning of a text; of anything else only what it is."""
    if isinstance(value, int) and abs(value) >= _SHOWN_BELOW:
        return "a number of more than 40 digits"  # Python refuses to write thousands of them
    return f"{value!r:.42}" if isinstance(value, str | int | float) else _kind_of(value)


def _kind_of(value: object) -> str:
    return {"bytes": "bytes", "set": "a set", "datetime": "a datetime"}.get(
        type(value).__name__, f"a value of type {type(value).__name__}"
    )


def _shorten_path(path: str) -> str:
    return path if len(path) <= 80 else path[:77] + "..."


def json_equal(left: Json, right: Json) -> bool:
    """Deep equality as JSON has it: `true` is not `1`; `1` and `1.0` are the same number."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return len(left) == len(right) and all(
            key in right and json_equal(item, right[key]) for key, item in left.items()
        )
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(json_equal, left, right))
    return bool(left == right)


MISSING: Any = object()
"""What `look_up` returns when there is nothing at the path: distinct from a stored null."""


def look_up(data: Json, path: str) -> Json:
    """The value at `path` in `data`, or MISSING.

    A key that is literally `path` wins; else dots part the steps, and a step into a list is an
    index: `items.0.sku`.
    """
    if isinstance(data, Mapping) and path in data:
        return data[path]
    value = data
    for step in path.split("."):
        if isinstance(value, dict):
            value = value.get(step, MISSING)
        elif isinstance(value, list) and step.isascii() and step.isdecimal():
            value = value[int(step)] if len(step) < 10 and int(step) < len(value) else MISSING
        else:
            return MISSING
        if value is MISSING:
            return MISSING
    return value
