"""Which columns fit, and how wide each may be. Plain numbers; knows nothing of rich."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

GAP = 2
ESSENTIAL = 10
"""From this rank on a column is worth more than comfort; below, it is an extra."""


class Wish(NamedTuple):
    """What a column would like. Columns of the lowest rank are dropped first; rank 0 never is."""

    name: str
    natural: int
    comfortable: int
    """What it should have before extras take room from it."""
    least: int
    rank: int
    whole: bool
    """Either its natural width or its least: nothing between is of use."""


def fit(wishes: Sequence[Wish], width: int | None) -> dict[str, int]:
    """The width of each column that is shown, so that all stand within `width` (None: no limit).

    Extras give way first, then columns shrink, then more are dropped; only when nothing is left to
    drop are the others cut, the widest most.
    """
    if width is None:
        return {wish.name: wish.natural for wish in wishes}
    shown = _drop(wishes, width, lambda wish: wish.comfortable, range(1, ESSENTIAL))
    shown = _drop(shown, width, lambda wish: wish.least, range(1, 100))
    if _total([wish.least for wish in shown]) > width:
        return _cut({wish.name: wish.least for wish in shown}, width)
    return _grow(shown, width)


def _drop(
    wishes: Sequence[Wish], width: int, size: Callable[[Wish], int], ranks: range
) -> list[Wish]:
    shown = list(wishes)
    while _total([size(wish) for wish in shown]) > width:
        droppable = [wish for wish in shown if wish.rank in ranks]
        if not droppable:
            break
        shown.remove(min(droppable, key=lambda wish: wish.rank))
    return shown


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _grow(shown: Sequence[Wish], width: int) -> dict[str, int]:
    """Gives the room that is left to the columns that shrank; those of fixed sizes take theirs first."""
    spare = width - _total([wish.least for wish in shown])
    widths = {wish.name: wish.least for wish in shown}
    for wish in sorted(shown, key=lambda wish: (not wish.whole, wish.rank)):
        wanted = wish.natural - wish.least
        more = 0 if wish.whole and wanted > spare else min(spare, wanted)
        widths[wish.name] += more
        spare -= more
    return widths


def _cut(widths: dict[str, int], width: int) -> dict[str, int]:
    while _total([*widths.values()]) > width and max(widths.values()) > 1:
        widest = max(widths, key=lambda name: widths[name])
        widths[widest] -= 1
    return widths
