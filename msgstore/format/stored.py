"""What is read back is held to the rules for what is saved: a store may be somebody else's work."""

from __future__ import annotations

from typing import Any

from msgstore.model.clock import TIME_US_MAX
from msgstore.model.errors import InvalidText
from msgstore.model.values import check_text

UUID_BYTES = 16
NUMBER_MAX = 2**62
"""No position, sequence or count of a store comes near it; 8 bytes hold more than one can go on with."""


def stored_text(value: object, what: str) -> str:
    """A text of the kind that ids and types are. Raises ValueError."""
    try:
        return check_text(value, what)
    except InvalidText as error:
        raise ValueError(f"the {what} {error.problem}") from None


def stored_number(value: object, what: str, least: int = 0) -> int:
    """Raises ValueError."""
    if type(value) is not int or not least <= value <= NUMBER_MAX:
        raise ValueError(f"the {what} is no number of {least} or more")
    return value


def stored_uuid(value: object) -> bytes:
    """The 16 bytes of a store's uuid. Raises ValueError."""
    if not isinstance(value, bytes) or len(value) != UUID_BYTES:
        raise ValueError("the uuid is none")
    return value


def stored_time(value: object) -> int:
    """A moment that a datetime can hold, in microseconds since 1970. Raises ValueError."""
    if type(value) is not int or not 0 <= value <= TIME_US_MAX:
        raise ValueError("the time is not within the years 1970 to 9999")
    return value


def stored_labels(value: Any) -> dict[str, str]:
    """Raises ValueError."""
    if not isinstance(value, dict):
        raise ValueError("the labels are no object")
    return {stored_text(k, "label"): stored_text(v, "label") for k, v in value.items()}
