"""What must stand in the bytes of a record whose data match: so most are told apart without unpacking.

msgpack writes a map's value right behind its key, and msgstore writes every value in one form only
(docs/format.md, "Segments"): of a number the shortest integer or a float 64. So of `total` being 7
one of two short byte strings must be there. What has them may still not match; the filter decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TypeAlias

from msgstore.format.frame import pack_elements
from msgstore.model.filter import MessageFilter
from msgstore.model.values import Json

Forms: TypeAlias = tuple[bytes, ...]
"""One of these stands in every record that matches."""

ANYTHING: Forms = (b"",)
_INTEGER_MIN, _INTEGER_MAX = -(1 << 63), (1 << 64) - 1


def needle_of(wanted: MessageFilter) -> Forms:
    """The rarest that is known, which is taken to be the longest; `ANYTHING` where none is."""
    return max(_needles(wanted), key=lambda forms: min(map(len, forms)), default=ANYTHING)


def _needles(wanted: MessageFilter) -> Iterator[Forms]:
    pairs = chain(
        (wanted.json_filter or {}).items(),
        ((one.path, one.value) for one in wanted.conditions if one.op == "="),
    )
    for path, value in pairs:
        if isinstance(value, dict | list | tuple):
            yield from ((text.encode(),) for text in _texts(value) if text)
        else:
            key = _end_of_key(path)
            yield tuple(key + form for form in _forms_of(value))


def _end_of_key(path: str) -> bytes:
    """How the key ends under which the value stands, whichever way `path` is understood."""
    last = path.rpartition(".")[2]
    return b"" if last.isascii() and last.isdecimal() else last.encode()  # may be a place in a list


def _forms_of(value: Json) -> Forms:
    """All that compares equal to a value that is no list and no map, as it is packed."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return (pack_elements([value]),)
    if value == 0:
        return tuple(pack_elements([zero]) for zero in (0, 0.0, -0.0))
    numbers: list[int | float] = []
    if value == int(value) and _INTEGER_MIN <= value <= _INTEGER_MAX:
        numbers.append(int(value))
    if float(value) == value:
        numbers.append(float(value))
    return tuple(pack_elements([number]) for number in numbers)


def _texts(value: Json) -> Iterator[str]:
    """What is packed as it is, wherever it stands: maps may have their keys in any order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
