"""The elements of a JSON array, one after the other, however long the array is.

Only as much is looked at as it takes to tell where an element ends: brackets, commas and texts.
Whether what stands between them is JSON is for whoever reads the element.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from msgstore.model.errors import MessageTooLarge, RequestError

Read = Callable[[int], bytes]
"""Up to so many bytes; none at the end."""

_CHUNK_BYTES = 1 << 18
_BLANKS = b" \t\r\n"
_NO_BLANK = re.compile(rb"[^ \t\r\n]")
_TOKEN = re.compile(rb'[\[\]{},"]')
# The rest of a text, up to the quote that ends it: possessive, so that it never tries again.
_IN_TEXT = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)


class NotAnArray(RequestError):
    """The text stops to be a JSON array; the reason says where."""

    advice = "the file must be one JSON array of objects, and nothing after it"


class Element(NamedTuple):
    line: int
    """On which it begins, from 1."""
    text: bytes


class ArrayReader:
    """Iterates over the elements; memory is bounded by the largest, and that by `bytes_max`.

    Raises NotAnArray, and MessageTooLarge for an element of more than `bytes_max`.
    """

    def __init__(self, read: Read, bytes_max: int) -> None:
        self._read = read
        self._bytes_max = bytes_max
        self._buffer = b""
        self._start = 0  # what stands before it in the buffer is done with
        self._line = 1  # at the start
        self._is_over = False

    def __iter__(self) -> Iterator[Element]:
        self._skip_blanks()
        if self._buffer[self._start : self._start + 1] != b"[":
            raise self._wrong("no '[' begins it")
        self._take(1)
        is_first = True
        while True:
            self._skip_blanks()
            end, mark = self._element_end()
            text = self._buffer[self._start : end].rstrip(_BLANKS)
            if text:
                yield Element(self._line, text)
            elif mark == b"," or not is_first:
                raise self._wrong("an element is missing")
            self._take(end + 1 - self._start)
            is_first = False
            if mark == b"]":
                break
        self._skip_blanks()
        if self._start < len(self._buffer):
            raise self._wrong("something stands behind the array")

    def _element_end(self) -> tuple[int, bytes]:
        """Where the comma or bracket stands that ends the element at the start."""
        depth, at, in_text = 0, self._start, False
        while True:
            if in_text:
                at = _IN_TEXT.match(self._buffer, at).end()  # type: ignore[union-attr]
                if self._buffer[at : at + 1] == b'"':
                    in_text, at = False, at + 1
                    continue
            elif token := _TOKEN.search(self._buffer, at):
                mark, at = token[0], token.end()
                if mark == b'"':
                    in_text = True
                elif mark in (b"[", b"{"):
                    depth += 1
                elif depth:
                    depth -= mark != b","
                elif mark == b"}":
                    raise self._wrong("a '}' closes nothing")
                else:
                    return token.start(), mark
                continue
            else:
                at = len(self._buffer)
            at -= self._start  # the start goes to the front when there is more
            if not self._more():
                raise self._wrong("it ends before the array does")

    def _skip_blanks(self) -> None:
        """Goes on to what is no blank, or to the end of the input."""
        while True:
            match = _NO_BLANK.search(self._buffer, self._start)
            if match:
                self._take(match.start() - self._start)
                return
            self._take(len(self._buffer) - self._start)
            if not self._more():
                return

    def _more(self) -> bool:
        """Reads on; what is done with goes, and the start is then at 0."""
        rest = self._buffer[self._start :]
        if len(rest) > self._bytes_max:
            error = MessageTooLarge("an element", len(rest), self._bytes_max)
            error.reason = f"line {self._line:,}: {error.reason}"
            raise error
        # As much again as is held, so that a long element is not copied for every piece of it.
        chunk = b"" if self._is_over else self._read(max(_CHUNK_BYTES, len(rest)))
        self._is_over = not chunk
        self._buffer, self._start = rest + chunk, 0
        return bool(chunk)

    def _take(self, size: int) -> None:
        self._line += self._buffer.count(b"\n", self._start, self._start + size)
        self._start += size

    def _wrong(self, reason: str) -> NotAnArray:
        return NotAnArray(f"line {self._line:,}: not a JSON array: {reason}")
