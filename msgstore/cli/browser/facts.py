"""What the title says of the store: how many there are, how many match, whether it is followed."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from msgstore.analysis.paging import Pager
from msgstore.model.filter import EVERYTHING, MessageFilter

if TYPE_CHECKING:
    from msgstore.backends.protocol import LocalMessageStore


class Counted(NamedTuple):
    """How many match up to a position; `begun` is the filter's own number."""

    begun: int
    matches: int
    total: int
    end: int


class Facts:
    """Counts what matches once, and then only what came. Asked by one thread, read by another."""

    def __init__(self, store: "LocalMessageStore") -> None:
        self.is_followed = True
        self._store = store
        self._filter = EVERYTHING
        self._begun = 0
        self._counted: Counted | None = None
        self._has_failed = False

    def find_end(self) -> int:
        """The newest position; 0 in an empty store."""
        page = Pager(self._store, EVERYTHING).before(None, 1)
        return page.entries[-1].position if page.entries else 0

    def begin(self, filter: MessageFilter) -> Callable[[], Counted]:
        """From now on it is about this filter; returns what counts."""
        self._filter, self._counted, self._has_failed = filter, None, False
        self._begun += 1
        return self.count_more

    def count_more(self) -> Counted:
        before = self._counted or Counted(self._begun, 0, 0, 0)
        begun, filter = self._begun, self._filter
        end = self.find_end()
        if end <= before.end:
            return before._replace(begun=begun)
        total = self._store.count_messages()
        low = max(before.end + 1, filter.from_position or 1)
        high = end if filter.to_position is None else min(end, filter.to_position)
        matches = before.matches
        if filter == EVERYTHING:
            matches = total
        elif low <= high:
            part = replace(filter, from_position=low, to_position=high)
            matches += self._store.count_messages(part)
        return Counted(begun, matches, total, end)

    def take(self, counted: Counted) -> None:
        if counted.begun == self._begun:
            self._counted = counted

    def stop_counting(self) -> None:
        """It cannot be counted; the title says so."""
        self._has_failed = True

    def title(self, store: str, position: int | None, is_at_newest: bool, width: int) -> str:
        """As much as there is room for; the store's name gives way first."""
        facts = []
        if self._counted is not None:
            total, matches = self._counted.total, self._counted.matches
            facts.append(
                f"{total:,} messages" if self._filter == EVERYTHING else f"{matches:,} of {total:,}"
            )
        else:
            facts.append("not counted" if self._has_failed else "counting …")
        if position is not None:
            facts.append(f"at {position:,}")
        facts.append(self._state(is_at_newest))
        right = "  ".join(facts)
        room = max(8, width - len(right) - 2)
        left = store if len(store) <= room else f"…{store[-(room - 1) :]}"
        return f"{left}{' ' * max(2, width - len(left) - len(right))}{right}"

    def _state(self, is_at_newest: bool) -> str:
        if not self.is_followed:
            return "not followed"
        return "● live" if is_at_newest else "○ held"
