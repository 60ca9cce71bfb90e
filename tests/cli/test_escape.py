"""Texts are shown, never obeyed."""

from __future__ import annotations

import json
import sys
import unicodedata

import pytest

from msgstore.cli.escape import visible, visible_json

ACTING = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def test_every_acting_character_is_escaped() -> None:
    """Of all of Unicode, each control, format, surrogate and separator character is escaped."""
    missed = [
        hex(code)
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) in ACTING and visible(chr(code)) == chr(code)
    ]
    assert missed == []


def test_no_other_character_is() -> None:
    """Assigned characters of all other kinds are left as they are."""
    changed = [
        hex(code)
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) not in (*ACTING, "Cn")
        and visible(chr(code)) != chr(code)
    ]
    assert changed == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31m", "\\x1b[31m"),
        ("a\tb\r\n", "a\\tb\\r\\n"),
        ("\u202e", "\\u202e"),
        ("\U000e0041", "\\U000e0041"),
        ("ä 日本 🛒", "ä 日本 🛒"),
    ],
)
def test_visible(text: str, shown: str) -> None:
    """Escapes are those of Python."""
    assert visible(text) == shown


@pytest.mark.parametrize("text", ["\x9b2J", "\u202e", "\U000e0041", "\x7f", "plain"])
def test_json_keeps_its_value(text: str) -> None:
    """Escaped JSON means the same, and its layout stays."""
    shown = visible_json(json.dumps({"a": text}, ensure_ascii=False, indent=2))
    assert json.loads(shown) == {"a": text}
    assert visible(shown.replace("\n", "")) == shown.replace("\n", "")
