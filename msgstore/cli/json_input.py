"""JSON from the outside: `--data`, `key:=json`, lines of `save -`.

orjson reads it, except where orjson would be quietly wrong or too brief. It turns integers beyond 64
bits into floats, so text with a long run of digits goes to the standard library; and what orjson
refuses is read again there, so that NaN or a lone surrogate is refused by the model, with its path.
"""

import sys
from collections.abc import Callable
from typing import Any

import orjson

from msgstore.cli.errors import BadUsage
from msgstore.model.errors import InvalidMessage, RequestError
from msgstore.model.values import MESSAGE_BYTES_MAX, NESTING_MAX, Json

# Six bytes of JSON (`\u0041`) can stand for one of a message.
INPUT_BYTES_MAX = 6 * MESSAGE_BYTES_MAX
_LONG_NUMBER = b"0" * 19
_DIGITS_TO_ZERO = bytes(ord("0") if chr(code).isdecimal() else code for code in range(256))


class NotJson(RequestError):
    """The text is not JSON; the reason says where it stops to be."""

    advice = "write JSON: double quotes around texts and keys, no comma at the end"


def json_reader(text: bytes) -> Callable[[bytes], Json]:
    """What reads every piece of `text` rightly, and as fast as that allows."""
    return read_json_slowly if has_long_number(text) else orjson.loads


def has_long_number(text: bytes) -> bool:
    """Whether a number in `text` may be beyond 64 bits: as long as that is a run of digits in it."""
    return _LONG_NUMBER in text.translate(_DIGITS_TO_ZERO)


def read_json(text: bytes) -> Json:
    """The value of `text`, of which a key that stands twice counts as it stands last.

    Raises NotJson; NaN, infinities, lone surrogates and integers beyond 64 bits are given back for
    the model to refuse.
    """
    try:
        return json_reader(text)(text)
    except orjson.JSONDecodeError:
        return read_json_slowly(text)


def read_json_slowly(text: bytes) -> Json:
    """As `read_json`, by the standard library."""
    import json

    try:
        return json.loads(text.decode(), parse_int=_read_integer)
    except json.JSONDecodeError as error:
        raise NotJson(f"not JSON: {error.msg} at {_place(error.lineno, error.colno)}") from None
    except UnicodeDecodeError as error:
        raise NotJson(
            f"not UTF-8: byte 0x{text[error.start]:02x} at offset {error.start}"
        ) from None
    except RecursionError:
        raise InvalidMessage("JSON", f"nested deeper than {NESTING_MAX}") from None


def _place(line: int, column: int) -> str:
    return f"column {column}" if line == 1 else f"line {line} column {column}"


def _read_integer(digits: str) -> int:
    """Python refuses to convert thousands of digits; such a number only needs to be as large."""
    if len(digits) < 100:
        return int(digits)
    size = 1 << int(len(digits) * 3.3219)
    return -size if digits.startswith("-") else size


# ---------------------------------------------------------------- flags


def read_data(value: str) -> Json:
    """`--data`: JSON, `@FILE`, or `-` for stdin."""
    text = _fetch(value)
    if len(text) > INPUT_BYTES_MAX:
        raise BadUsage(f"--data: more than {INPUT_BYTES_MAX:,} bytes", "store a reference instead")
    try:
        return read_json(text.removeprefix(b"\xef\xbb\xbf"))
    except NotJson as error:
        raise BadUsage(
            f"--data: {error.reason}", """quote it for the shell: --data '{"total": 1}'"""
        ) from None


def _fetch(value: str) -> bytes:
    if value == "-":
        return sys.stdin.buffer.read(INPUT_BYTES_MAX + 1)
    if not value.startswith("@"):
        return value.encode("utf-8", "surrogateescape")
    try:
        with open(value[1:], "rb") as file:
            return file.read(INPUT_BYTES_MAX + 1)
    except OSError as error:
        raise BadUsage(
            f"--data: {value[1:]}: {error.strerror}", "name a file that can be read"
        ) from None


def read_pairs(pairs: list[str], flag: str) -> dict[str, Any]:
    """`key=text` and `key:=json`; of a key that stands twice the last counts."""
    return dict(_read_pair(pair, flag) for pair in pairs)


def read_labels(labels: list[str] | None) -> dict[str, str]:
    """`key=text`, whatever the text looks like."""
    pairs = [label.partition("=") for label in labels or ()]
    for key, equals, text in pairs:
        if not key or not equals:
            raise BadUsage(f"--label: {key + equals + text!r} is not a pair", "--label host=web-1")
    return {key: text for key, _, text in pairs}


def _read_pair(pair: str, flag: str) -> tuple[str, Json]:
    key, equals, value = pair.partition("=")
    hint = "key=text or key:=json, as in note=hello total:=100"
    if not equals or key in ("", ":"):
        raise BadUsage(f"{flag}: {pair[:40]!r} is not a pair", hint)
    if not key.endswith(":"):
        return key, value
    try:
        return key[:-1], read_json(value.encode("utf-8", "surrogateescape"))
    except NotJson as error:
        raise BadUsage(f"{flag}: {key[:-1]}: {error.reason}", hint) from None
