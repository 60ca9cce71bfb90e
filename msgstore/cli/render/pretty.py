"""Indented JSON in colour."""

import re

import orjson
from rich.text import Text

from msgstore.cli.encoders import dump_json
from msgstore.cli.escape import visible_json
from msgstore.cli.render.screen import Screen
from msgstore.cli.settings import Settings
from msgstore.cli.shapes import Picker, Record

TOKEN = re.compile(
    r'(?P<key>"(?:\\.|[^"\\])*")(?=:)|(?P<text>"(?:\\.|[^"\\])*")'
    r"|(?P<number>-?\d[\d.eE+-]*)|(?P<word>true|false|null)"
)
_STYLES = {"key": "color(31)", "text": "color(29)", "number": "color(130)", "word": "color(133)"}


class ColoredJson:
    """An encoder; the characters are those of `-o pretty` without colour."""

    def __init__(self, settings: Settings, pick: Picker | None) -> None:
        self._screen = Screen(settings)
        self._pick = pick

    def add(self, record: Record) -> bytes:
        json = record.to_json()
        data = dump_json(self._pick(json) if self._pick else json, orjson.OPT_INDENT_2)
        text = Text(visible_json(data.decode()))
        for token in TOKEN.finditer(text.plain):
            text.stylize(_STYLES[token.lastgroup or ""], *token.span())
        return self._screen.draw([text])

    def release(self) -> bytes:
        return b""

    def end(self) -> bytes:
        return b""
