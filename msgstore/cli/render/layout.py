"""Which columns fit, and how wide each may be. Plain numbers; knows nothing of rich."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

GAP = 2


class Wish(NamedTuple):
    """What a column would like: its natural width, the least it can do with, and how dear it is."""

    name: str
    natural: int
    least: int
    rank: int
    """Columns of the lowest rank are dropped first; 0: never dropped."""


def fit(wishes: Sequence[Wish], width: int | None) -> dict[str, int]:
    """The width of each column that is shown, so that all stand within `width`.

    First those that can shrink do so, then columns are dropped, lowest rank first; only when nothing
    is left to drop are the others cut, the widest most.
    """
    if width is None:
        return {wish.name: wish.natural for wish in wishes}
    shown = list(wishes)
    while _total([wish.least for wish in shown]) > width:
        droppable = [wish for wish in shown if wish.rank]
        if not droppable:
            return _cut({wish.name: wish.least for wish in shown}, width)
        shown.remove(min(droppable, key=lambda wish: wish.rank))
    return _grow(shown, width)


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _grow(shown: Sequence[Wish], width: int) -> dict[str, int]:
    """Gives the room that is left to the columns that shrank, in their order."""
    spare = width - _total([wish.least for wish in shown])
    widths = {}
    for wish in shown:
        more = min(spare, wish.natural - wish.least)
        widths[wish.name] = wish.least + more
        spare -= more
    return widths


def _cut(widths: Mapping[str, int], width: int) -> dict[str, int]:
    cut = dict(widths)
    while _total([*cut.values()]) > width and max(cut.values()) > 1:
        widest = max(cut, key=lambda name: cut[name])
        cut[widest] -= 1
    return cut
