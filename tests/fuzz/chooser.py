"""Bytes taken for choices: any input is some structured value, and a small change a small other one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Chooser:
    """Hands out the bytes of an input, zeros once there are no more."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def is_empty(self) -> bool:
        return self._at >= len(self._data)

    def byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def choose(self, options: Sequence[T]) -> T:
        return options[self.byte() % len(options)]

    def maybe(self) -> bool:
        return bool(self.byte() & 1)

    def bytes(self, size_max: int) -> bytes:
        size = self.byte() % (size_max + 1)
        out = self._data[self._at : self._at + size]
        self._at += size
        return out

    def text(self, size_max: int = 40) -> str:
        """As a command line has it: any bytes but NUL, what is no UTF-8 as lone surrogates."""
        return os.fsdecode(self.bytes(size_max).replace(b"\0", b""))
