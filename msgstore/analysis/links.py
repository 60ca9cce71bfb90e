"""What leads from one message to another: causation, a request and its answer, a child correlation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Literal

from msgstore.model.clock import to_us
from msgstore.model.message import PositionalMessage

# The ids that the TypeScript package of the same name gives to what a correlation begins itself.
_CHILD = re.compile(r"(?s)(.+)-[0-9]{13}-[0-9A-Za-z]{1,36}\Z")

Clock = Literal["recorded", "produced"]
"""Whose time counts: the store's, or the producer's own."""


class Link(StrEnum):
    """How a message came to its place below another, the most certain first."""

    CAUSATION = "causation"
    REQUEST = "request"
    CORRELATION = "correlation"


def parents_of(correlation_id: str) -> Iterator[str]:
    """The correlations above `<parent>-<ms>-<random>`, the nearest first; none for any other id."""
    while match := _CHILD.match(correlation_id):
        correlation_id = match[1]
        yield correlation_id


def time_us(stored: PositionalMessage, clock: Clock) -> int | None:
    """Microseconds since 1970 by that clock; None where the producer gave no time."""
    moment: datetime | None = stored.timestamp
    if clock == "produced":
        moment = stored.message.timestamp
    return None if moment is None else to_us(moment)
