"""What `trace` does: find where to begin, gather what is linked to it, show it."""

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING

from msgstore.analysis.closure import Closure, Part, find_closure, having
from msgstore.analysis.lanes import lanes_of
from msgstore.analysis.links import Clock
from msgstore.analysis.tree import Tree, build_tree
from msgstore.cli.durations import duration
from msgstore.cli.errors import BadUsage
from msgstore.cli.output import check_message, records_output
from msgstore.cli.settings import Settings
from msgstore.cli.shapes import LANE, TRACED
from msgstore.cli.show import is_position
from msgstore.cli.tally import counted

if TYPE_CHECKING:
    from msgstore.backends.protocol import LocalMessageStore
    from msgstore.model.filter import MessageFilter
    from msgstore.model.message import PositionalMessage


class Trace:
    """One run of `trace`."""

    def __init__(self, store: "LocalMessageStore", filter: "MessageFilter", clock: Clock) -> None:
        self._store = store
        self._filter = filter
        self._clock = clock
        self._closure = Closure((), False)
        self._tree = Tree((), None)

    @property
    def is_broken(self) -> bool:
        """Whether a cause is missing, or causes go round in a circle."""
        return any(node.is_orphan or node.cycle for node in self._tree.nodes)

    def find(self, target: str | None, limit: int, look_ahead: int) -> None:
        """Raises BadUsage where the target names no message that matches."""
        starts: frozenset[int] = frozenset()
        if target is None:
            found = [*islice(self._store.get_all_messages(self._filter), limit + 1)]
            self._closure = Closure(tuple(found[:limit]), len(found) > limit)
        else:
            single, many = self._named(target)
            starts = frozenset(stored.position for stored in single)
            # One more than the limit, so that the search notices that there are more.
            begin = [*single, *islice(many, limit + 1)]
            if not begin:
                raise BadUsage(
                    f"no message has {target!r} for its id, correlation or request",
                    "`msgstore tail` shows the last ones; filters must hold too",
                )
            self._closure = find_closure(self._store, begin, self._filter, limit, look_ahead)
        messages = map(check_message, self._closure.messages)
        self._tree = build_tree(messages, self._clock, starts)

    def _named(self, target: str) -> "tuple[list[PositionalMessage], Iterable[PositionalMessage]]":
        """The message with this position or id; and those with this correlation, else this request."""
        if is_position(target):
            stored = self._store.get_message(int(target)) if int(target) else None
            if stored is not None and self._filter.matches(stored):
                return [stored], ()
        single = [*self._having("message_id", target)]
        many = self._having("correlation_id", target)
        if (first := next(many, None)) is not None:
            return single, chain([first], many)
        return single, () if single else self._having("request_id", target)

    def _having(self, part: Part, text: str) -> "Iterator[PositionalMessage]":
        wanted = having(self._filter, part, text)
        return iter(()) if wanted is None else self._store.get_all_messages(wanted)

    def print(self, settings: Settings, timeline: bool) -> None:
        if timeline:
            records_output(settings, LANE).put_all(lanes_of(self._tree))
        else:
            records_output(settings, TRACED).put_all(self._tree.nodes)
        if self._closure.is_cut:
            shown = counted(len(self._tree.nodes), "message")
            settings.say(
                f"there is more than these {shown}: raise --limit, or narrow it by filters"
            )
        if settings.output_format("table") in ("table", "wide") and self._tree.nodes:
            settings.say(self._summary())

    def _summary(self) -> str:
        nodes = self._tree.nodes
        parts = [
            counted(len(nodes), "message"),
            counted(len({node.stored.stream_id for node in nodes}), "stream"),
        ]
        offsets = [node.offset_us for node in nodes if node.offset_us is not None]
        if offsets:
            parts.append(f"{duration(max(offsets))} from first to last")
        orphans = sum(node.is_orphan for node in nodes)
        cycles = sum(bool(node.cycle) for node in nodes)
        parts += [counted(orphans, "orphan")] if orphans else []
        parts += [counted(cycles, "cycle")] if cycles else []
        if (slow := self._tree.slowest) is not None:
            took = duration(slow.gap_us or 0)
            parts.append(f"slowest #{slow.parent} to #{slow.stored.position}: {took}")
        return ", ".join(parts)
