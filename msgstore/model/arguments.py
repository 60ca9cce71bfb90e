"""The arguments of a read, checked before anything is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgstore.model.errors import InvalidArgument, InvalidFilter
from msgstore.model.values import excerpt

if TYPE_CHECKING:
    from msgstore.model.filter import MessageFilter

Direction = Literal["forwards", "backwards"]


def is_whole(value: object) -> bool:
    """An integer of 0 or more; `True` is none."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def check_count(value: object, name: str = "count") -> int | None:
    """None, or an integer of 0 or more; raises InvalidArgument."""
    if value is None or is_whole(value):
        return value  # type: ignore[return-value]
    raise InvalidArgument(name, f"{excerpt(value)} is not a number of 0 or more")


def check_direction(value: object) -> Direction:
    """Raises InvalidArgument unless `value` names a direction."""
    if value != "forwards" and value != "backwards":
        raise InvalidArgument(
            "direction", f"{excerpt(value)} is neither 'forwards' nor 'backwards'"
        )
    return value


def check_revision(value: object, name: str) -> int | None:
    """None, or the revision of a message: an integer of 0 or more; raises InvalidArgument."""
    if value is None or is_whole(value):
        return value  # type: ignore[return-value]
    raise InvalidArgument(name, f"{excerpt(value)} is not a revision")


def check_timeout(value: object) -> float | None:
    """None, or seconds: a number of 0 or more; raises InvalidArgument."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise InvalidArgument(
            "timeout", f"{excerpt(value)} is not a number of seconds of 0 or more"
        )
    return value


def check_filter(value: object) -> MessageFilter:
    """The filter itself, EVERYTHING for None; raises InvalidFilter for what is no MessageFilter."""
    # Here, because a save has no filter: making the class is most of what this module would cost.
    from msgstore.model.filter import EVERYTHING, MessageFilter

    if value is None:
        return EVERYTHING
    if not isinstance(value, MessageFilter):
        raise InvalidFilter("filter", f"{type(value).__name__} is not a MessageFilter")
    return value
