"""What `stats --watch` does: count what is there, then follow what comes, and show it."""

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import tzinfo
from threading import Condition, Thread
from typing import TYPE_CHECKING, Protocol

from msgstore.analysis.rates import LiveCounts, Rate
from msgstore.backends.base import group_key, in_group_order
from msgstore.cli.errors import BadUsage
from msgstore.cli.output import records_output
from msgstore.cli.records import Count, zone_of
from msgstore.cli.settings import Settings
from msgstore.cli.shapes import count_shape
from msgstore.model.errors import MsgStoreError

if TYPE_CHECKING:
    from msgstore.backends.protocol import Group, LocalMessageStore
    from msgstore.model.filter import MessageFilter

_REDRAW_S = 0.1
"""However many messages come, it is drawn no more often than this."""


class View(Protocol):
    """Where counts go; used by one thread."""

    def begin(self, counts: dict[str, int]) -> None: ...

    def add(self, name: str) -> None: ...

    def clear(self) -> None: ...

    def end(self) -> None: ...


def watch_counts(
    settings: Settings, store: "LocalMessageStore", filter: "MessageFilter", group: "Group"
) -> None:
    """Goes on until it is interrupted; the output is closed then."""
    view = _view(settings, group)
    zone = zone_of(settings)
    try:
        _follow(store, filter, group, zone, view)
    except (KeyboardInterrupt, MsgStoreError):
        view.end()
        raise


def _follow(
    store: "LocalMessageStore",
    filter: "MessageFilter",
    group: "Group",
    zone: tzinfo,
    view: View,
) -> None:
    latest = next(store.get_all_messages(None, 1, direction="backwards"), None)
    last = 0 if latest is None else latest.position
    end = last if filter.to_position is None else min(last, filter.to_position)
    view.begin(store.count_by(group, replace(filter, to_position=end), zone=zone))
    for stored in store.follow(filter, last + 1):
        if stored.position <= last:  # the store was emptied, and positions began anew
            view.clear()
        last = stored.position
        view.add(group_key(stored, group, zone))


def _view(settings: Settings, group: "Group") -> View:
    if settings.output_format("table") not in ("table", "wide"):
        return Lines(settings, group)
    if not sys.stdout.isatty():
        raise BadUsage("--watch draws a table on a terminal only", "-o jsonl")
    if settings.fields:
        raise BadUsage("--fields: --watch draws all columns", "-o jsonl")
    from msgstore.cli.render.rates import Board

    return Screenful(Board(settings, group).draw, group)


class Lines:
    """A record for each count that there is, and then one for each that changes."""

    def __init__(self, settings: Settings, group: str) -> None:
        self._output = records_output(settings, count_shape(group))
        self._group = group
        self._counts: dict[str, int] = {}

    def begin(self, counts: dict[str, int]) -> None:
        self._counts = dict(counts)
        for name in counts:
            self._put(name)
        self._output.flush()

    def add(self, name: str) -> None:
        self._counts[name] = self._counts.get(name, 0) + 1
        self._put(name)
        self._output.flush()

    def clear(self) -> None:
        """Counts of names that come again begin at 1."""
        self._counts.clear()

    def end(self) -> None:
        self._output.end()

    def _put(self, name: str) -> None:
        number = self._counts[name]
        self._output.put(Count(self._group, name, number, number, number))


class Screenful:
    """A table that a thread of its own draws: when something came, and while rates are sinking."""

    def __init__(self, draw: Callable[[list[Rate]], None], group: "Group") -> None:
        self._draw = draw
        self._group = group
        self._counts = LiveCounts({})
        self._changed = Condition()
        self._is_dirty = True
        self._is_over = False
        self._painter = Thread(target=self._paint, daemon=True)
        self._failure: OSError | None = None

    def begin(self, counts: dict[str, int]) -> None:
        self._counts = LiveCounts(counts)
        self._painter.start()

    def add(self, name: str) -> None:
        with self._changed:
            if self._failure is not None:
                raise self._failure
            self._counts.add(name, _second())
            self._is_dirty = True
            self._changed.notify()

    def clear(self) -> None:
        with self._changed:
            self._counts.clear()

    def end(self) -> None:
        """On return the last picture is drawn, and stays."""
        if not self._painter.is_alive():
            return
        with self._changed:
            self._is_over = self._is_dirty = True
            self._changed.notify()
        self._painter.join()

    def _paint(self) -> None:
        is_over = False
        try:
            while not is_over:
                with self._changed:
                    while not self._is_dirty and self._wait():
                        pass
                    self._is_dirty, is_over = False, self._is_over
                    rates = self._rates()
                self._draw(rates)
                with self._changed:
                    self._changed.wait_for(lambda: self._is_over, _REDRAW_S)
        except OSError as error:  # the terminal is gone; the follower is told at its next message
            self._failure = error

    def _wait(self) -> bool:
        """Whether to go on waiting: while something moves it is drawn again every second."""
        return self._changed.wait(1.0 if self._counts.is_moving(_second()) else None)

    def _rates(self) -> list[Rate]:
        rates = {rate.name: rate for rate in self._counts.rates(_second())}
        ordered = in_group_order({name: rate.number for name, rate in rates.items()}, self._group)
        return [rates[name] for name in ordered]


def _second() -> int:
    return int(time.monotonic())
