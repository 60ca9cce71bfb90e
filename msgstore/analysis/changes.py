"""What differs between two JSON values, path by path, but for the paths that are ignored."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from msgstore.model.errors import InvalidArgument
from msgstore.model.values import MISSING, Json, json_equal


class Change(NamedTuple):
    """At `path` one side has `a` and the other `b`; MISSING where there is nothing."""

    path: str
    a: Any
    b: Any

    def to_json(self) -> dict[str, Json]:
        sides = {"a": self.a, "b": self.b}
        return {"path": self.path} | {k: v for k, v in sides.items() if v is not MISSING}


class Ignored:
    """Paths that do not count, with all that is below them.

    A path is keys and indexes parted by dots: `data.items.0.at`. In a pattern `*` is any part of one
    step, `**` any number of steps, `?` one character, `[abc]` one of these.
    """

    def __init__(self, patterns: Sequence[str] = ()) -> None:
        """Raises InvalidArgument for a pattern that is empty or has an empty step."""
        for pattern in patterns:
            if not all(pattern.split(".")):
                raise InvalidArgument("ignore", f"{pattern!r} is not a path")
        self._some = bool(patterns)
        parts = "|".join(map(_translate, patterns))
        self._pattern = re.compile(rf"(?s:{parts})(?:\..*)?\Z", re.DOTALL)

    def __bool__(self) -> bool:
        return self._some

    def covers(self, path: str) -> bool:
        return self._some and self._pattern.match(path) is not None


def _translate(pattern: str) -> str:
    out = ""
    for piece in re.findall(r"\*\*|\*|\?|\[[^]]+\]|.", pattern, re.DOTALL):
        if piece in ("**", "*", "?"):
            out += {"**": ".*", "*": "[^.]*", "?": "[^.]"}[piece]
        elif len(piece) > 1:
            out += _one_of(piece[1:-1])
        else:
            out += re.escape(piece)
    return out


def _one_of(characters: str) -> str:
    negated = characters[0] in "!^" and len(characters) > 1
    inside = re.escape(characters[negated:]).replace(r"\-", "-")
    try:
        re.compile(f"[{inside}]")
    except re.error:  # a range that runs backwards holds nothing
        raise InvalidArgument("ignore", f"[{characters}] is no set of characters") from None
    return f"[^.{inside}]" if negated else f"[{inside}]"


def changes(a: Json, b: Json, path: str, ignored: Ignored) -> Iterator[Change]:
    """The differences in order of path; lists are compared index by index.

    Of an object, list or value that is on one side only, one difference is told.
    """
    waiting: list[tuple[Json, Json, str]] = [(a, b, path)]
    while waiting:
        a, b, path = waiting.pop()
        if ignored.covers(path):
            continue
        inner = _inner(a, b)
        if inner is not None:
            waiting += [(x, y, f"{path}.{step}") for step, x, y in reversed(inner)]
        elif (a is MISSING) is not (b is MISSING) or not json_equal(a, b):
            a, b = without(a, path, ignored), without(b, path, ignored)
            yield Change(path, a, b)


def _inner(a: Json, b: Json) -> list[tuple[str, Json, Json]] | None:
    if isinstance(a, dict) and isinstance(b, dict):
        keys = sorted({*a, *b})
        return [(key, a.get(key, MISSING), b.get(key, MISSING)) for key in keys]
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        size = max(len(a), len(b))
        at = [*a, *[MISSING] * (size - len(a))], [*b, *[MISSING] * (size - len(b))]
        return [(str(i), at[0][i], at[1][i]) for i in range(size)]
    return None


def without(value: Json, path: str, ignored: Ignored) -> Json:
    """`value` without what is ignored in it; in lists null stands in its place."""
    if not ignored:
        return value
    if isinstance(value, dict):
        return {
            key: without(item, f"{path}.{key}", ignored)
            for key, item in value.items()
            if not ignored.covers(f"{path}.{key}")
        }
    if isinstance(value, list | tuple):
        return [
            None if ignored.covers(f"{path}.{i}") else without(item, f"{path}.{i}", ignored)
            for i, item in enumerate(value)
        ]
    return value
