"""What a stored text contains is shown, never obeyed.

Control and format characters (Unicode categories Cc, Cf, Cs, Zl, Zp: escape sequences, bidirectional
overrides, zero-width characters) can move the cursor, recolour, reorder or hide what stands on a
terminal.
"""

import re

# The ranges of these categories as of Unicode 15; tab and the line breaks stand apart, because the
# layout of JSON text is made of them.
_LAYOUT = r"\t\n\r"
_ACTING = (
    r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e"
    r"\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    r"\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U000e0001\U000e0020-\U000e007f"
)
_NAMED = {"\t": r"\t", "\n": r"\n", "\r": r"\r"}


def visible(text: str) -> str:
    """`text` with each character that could act on a terminal written as `\\x1b`, `\\u202e` …"""
    if text.isprintable():
        return text
    return re.sub(f"[{_LAYOUT}{_ACTING}]", _as_python, text)


def visible_json(text: str) -> str:
    """JSON text with such characters as `\\u001b`: it remains the same JSON value."""
    return re.sub(f"[{_ACTING}]", _as_json, text)


def _as_python(match: re.Match[str]) -> str:
    character, code = match[0], ord(match[0])
    if character in _NAMED:
        return _NAMED[character]
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _as_json(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))
