"""Data in a line: `orderId=ord-1 total=100 items=[{"sku":"abc"}]`."""

import re
from collections.abc import Iterator

import orjson

from msgstore.cli.escape import visible
from msgstore.model.values import Json

# Texts that cannot be taken for anything else go without quotes.
_PLAIN = re.compile(r"""(?!-?\d[\d.]*\Z|true\Z|false\Z|null\Z)[^\s"'={}\[\],]+""")


def brief(data: Json, limit: int | None) -> list[tuple[str, str]]:
    """Pieces of text and what they are: `key`, `text`, `number`, `word`, `json` or `space`.

    With a limit, pieces after that many characters are left out, so that large data costs no more.
    """
    pieces: list[tuple[str, str]] = []
    size = 0
    for piece in _pieces(data):
        pieces.append((visible(piece[0][: limit or None]), piece[1]))
        size += len(piece[0])
        if limit is not None and size > limit:
            break
    return pieces


def _pieces(data: Json) -> Iterator[tuple[str, str]]:
    if not isinstance(data, dict):
        yield _value(data)
        return
    space = ""
    for key, value in data.items():
        if space:
            yield space, "space"
        yield f"{_name(key)}=", "key"
        yield _value(value)
        space = " "


def _name(key: str) -> str:
    return key if _PLAIN.fullmatch(key) else orjson.dumps(key).decode()


def _value(value: Json) -> tuple[str, str]:
    if isinstance(value, str):
        return (value if _PLAIN.fullmatch(value) else orjson.dumps(value).decode()), "text"
    if value is None or isinstance(value, bool):
        return orjson.dumps(value).decode(), "word"
    if isinstance(value, int | float):
        return orjson.dumps(value).decode(), "number"
    return orjson.dumps(value).decode(), "json"
