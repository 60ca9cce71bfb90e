"""What `tail` does: print what is there, go on with what comes, remember how far it came."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from msgstore.cli.cursor import Cursor
from msgstore.cli.damage import Damage
from msgstore.cli.errors import DONE, TIMED_OUT, BadUsage
from msgstore.cli.output import records_output
from msgstore.cli.reading import last_messages, matching
from msgstore.cli.settings import Settings
from msgstore.cli.shapes import MESSAGE
from msgstore.model.errors import MsgStoreError

if TYPE_CHECKING:
    from msgstore.backends.protocol import LocalMessageStore
    from msgstore.model.filter import MessageFilter
    from msgstore.model.message import PositionalMessage

_DEFAULT_COUNT = 10
_CHUNK = 500


def narrow(filter: "MessageFilter", stream_id: str | None) -> "MessageFilter":
    """The filter for one stream only. Raises BadUsage where it names streams itself."""
    if stream_id is None:
        return filter
    if filter.stream_id is not None or filter.stream_pattern is not None:
        raise BadUsage("STREAM and --stream exclude each other", "give one of them")
    return replace(filter, stream_id=stream_id)


class Tail:
    """One run of `tail`, in two parts: the messages up to where the store ends now, and those after."""

    def __init__(
        self,
        settings: Settings,
        store: "LocalMessageStore",
        filter: "MessageFilter",
        cursor_file: str | None,
        until_count: int | None,
        damage: Damage,
    ) -> None:
        self._store = store
        self._damage = damage
        self._filter = filter
        self._until_count = until_count
        self._output = records_output(settings, MESSAGE)
        self._cursor = Cursor(cursor_file, store) if cursor_file is not None else None
        latest = store.get_all_messages(None, 1, direction="backwards", **damage.options)
        self._end = max((message.position for message in latest), default=0)

    def run(self, count: int | None, follow: bool, timeout_s: float | None) -> int:
        """Returns the exit code. An interrupted output is closed too."""
        try:
            self._print(self._present(count))
            if self._cursor and not self._is_complete():
                self._cursor.keep(self._end)
            if follow and not self._is_complete():
                self._output.flush()
                self._print(self._arriving(timeout_s), at_once=True)
            self._output.end()
        except (KeyboardInterrupt, MsgStoreError):
            self._output.end()
            raise
        return TIMED_OUT if follow and not self._is_complete() else DONE

    def _arriving(self, timeout_s: float | None) -> Iterator["PositionalMessage"]:
        return self._store.follow(self._filter, self._end + 1, timeout_s, **self._damage.options)

    def _present(self, count: int | None) -> Iterator["PositionalMessage"]:
        """The last `count`; without a number 10, or all from a given position on.

        After a cursor all, whatever `count` says: it is about the first time.
        """
        kept = self._cursor.load() if self._cursor else None
        first = max(self._filter.from_position or 0, 0 if kept is None else kept + 1)
        last = min(self._filter.to_position or self._end, self._end)
        present = replace(self._filter, from_position=first, to_position=last)
        if kept is not None or (count is None and self._filter.from_position is not None):
            return self._store.get_all_messages(present, **self._damage.options)

        return last_messages(
            _DEFAULT_COUNT if count is None else count,
            matching(self._store, present, self._damage),
        )

    def _is_complete(self) -> bool:
        return self._until_count is not None and self._output.count >= self._until_count

    def _print(self, messages: Iterator["PositionalMessage"], at_once: bool = False) -> None:
        if self._until_count is not None:
            messages = islice(messages, self._until_count - self._output.count)
        if self._cursor:
            size = 1 if at_once else _CHUNK
            while chunk := list(islice(messages, size)):
                self._print_and_keep(chunk, self._cursor)
        else:
            for message in messages:
                self._output.put(message)
                if at_once:
                    self._output.flush()

    def _print_and_keep(self, messages: "list[PositionalMessage]", cursor: Cursor) -> None:
        with uninterrupted():
            for message in messages:
                self._output.put(message)
            self._output.flush()
            cursor.keep(messages[-1].position)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C is obeyed after the block, so that what is printed and what is kept agree."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
