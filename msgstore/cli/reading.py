"""Which part of what matches is printed: the first N, the last N, newest first."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from msgstore.cli.damage import Damage
from msgstore.cli.errors import BadUsage
from msgstore.cli.output import records_output
from msgstore.cli.settings import Settings
from msgstore.cli.shapes import MESSAGE

if TYPE_CHECKING:
    from msgstore.backends.protocol import LocalMessageStore
    from msgstore.model.arguments import Direction
    from msgstore.model.filter import MessageFilter
    from msgstore.model.message import PositionalMessage

_HELD_MAX = 10_000


class Read(Protocol):
    """Reads messages: at most `count`, and from `first` on where that is given."""

    def __call__(
        self,
        count: int | None,
        direction: "Direction",
        first: "PositionalMessage | None" = None,
    ) -> Iterator["PositionalMessage"]: ...


class Window:
    """`-n N`: the first N, and with `-r` the newest N, newest first; `--last N`: the newest N in order."""

    def __init__(self, limit: int | None, last: int | None, reverse: bool) -> None:
        if limit is not None and last is not None:
            raise BadUsage(
                "-n and --last exclude each other", "-n for the first, --last for the last"
            )
        self._count = limit if last is None else last
        self._turned = last is not None and not reverse
        self._direction: Direction = "backwards" if reverse else "forwards"

    def cap(self, found: int) -> int:
        return found if self._count is None else min(found, self._count)

    def of(self, read: Read) -> Iterator["PositionalMessage"]:
        if self._turned:
            return last_messages(self._count or 0, read)
        return read(self._count, self._direction)


def matching(store: "LocalMessageStore", filter: "MessageFilter", damage: Damage) -> Read:
    """Reads what matches in the whole store."""

    def read(
        count: int | None, direction: "Direction", first: "PositionalMessage | None" = None
    ) -> Iterator["PositionalMessage"]:
        part = filter if first is None else replace(filter, from_position=first.position)
        return store.get_all_messages(part, count, direction=direction, **damage.options)

    return read


def of_stream(
    store: "LocalMessageStore",
    stream_id: str,
    from_revision: int | None,
    to_revision: int | None,
    damage: Damage,
) -> Read:
    """Reads one stream between two revisions."""

    def read(
        count: int | None, direction: "Direction", first: "PositionalMessage | None" = None
    ) -> Iterator["PositionalMessage"]:
        start = from_revision if first is None else first.revision
        return store.get_messages(
            stream_id,
            start,
            count,
            to_revision=to_revision,
            direction=direction,
            **damage.options,
        )

    return read


def last_messages(count: int, read: Read) -> Iterator["PositionalMessage"]:
    """The last `count`, in order. They are found backwards: held if few, else read a second time."""
    held: list[PositionalMessage] = []
    first = None
    for first in read(count, "backwards"):
        if len(held) <= _HELD_MAX:
            held.append(first)
    if len(held) <= _HELD_MAX:
        return reversed(held)
    return islice(read(count, "forwards", first), count)


def print_messages(settings: Settings, messages: Iterable["PositionalMessage"]) -> int:
    """Prints them as they come, and returns how many there were."""
    output = records_output(settings, MESSAGE)
    output.put_all(messages)
    return output.count
