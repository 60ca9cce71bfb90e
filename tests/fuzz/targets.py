"""All targets, by name."""

from __future__ import annotations

from fuzz import formats, inputs, lines, stores
from fuzz.target import TARGETS, Target

__all__ = ["TARGETS", "Target", "formats", "inputs", "lines", "stores"]
