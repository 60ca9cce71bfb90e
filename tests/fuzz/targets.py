"""All targets, by name."""

from __future__ import annotations

from fuzz import exchange, formats, inputs, lines, stores
from fuzz.target import TARGETS, Target

__all__ = ["TARGETS", "Target", "exchange", "formats", "inputs", "lines", "stores"]
