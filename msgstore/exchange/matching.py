"""Whether a store holds the messages of another, in their order: both are read once, side by side."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING

import orjson

from msgstore.model.errors import CorruptStore
from msgstore.model.filter import MessageFilter
from msgstore.model.message import PositionalMessage

if TYPE_CHECKING:
    from msgstore.backends.protocol import MessageStore

_AHEAD_MAX = 1024
"""How far the target is read ahead for a message before its index is asked for it."""
_PLACES_MAX = 3


def canonical(stored: PositionalMessage) -> bytes:
    """All of a message that a copy has too, as bytes that are the same in every store.

    JSON of its stream, kind and message, with the keys of objects in order. Raises CorruptStore.
    """
    parts = [stored.stream_id, str(stored.message_type), stored.message.to_json()]
    try:
        return orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        place = f"stream {stored.stream_id}, position {stored.position}"
        raise CorruptStore(f"the data of a message is not JSON ({place})") from None


@dataclass(slots=True)
class Matched:
    """What was found so far of the messages that were looked for. Places are positions in the source."""

    found: int = 0
    missing: int = 0
    different: int = 0
    out_of_order: int = 0
    """Stand before one that comes before them in the source."""
    revisions_kept: int = 0
    positions_kept: int = 0
    wrong_places: list[int] = field(default_factory=list)
    """The first few positions of what is missing or different."""

    @property
    def is_whole(self) -> bool:
        """Every message is there, and is the same."""
        return not self.missing and not self.different


class Matching:
    """Looks for messages, one after the other, in `target`; None: a store that is not there yet.

    `streams` is a filter that every copy matches: it bounds what is read. Constant memory.
    """

    def __init__(self, target: MessageStore | None, streams: MessageFilter) -> None:
        self.matched = Matched()
        self._target = target
        self._streams = streams
        self._digest = blake2b(digest_size=16)
        self._position = 0
        self._messages: Iterator[PositionalMessage] | None = None
        self._back: deque[PositionalMessage] = deque()
        self._ahead = 1

    @property
    def checksum(self) -> str:
        """Of the messages that were taken, in their order."""
        return f"blake2b:{self._digest.hexdigest()}"

    def rewind(self) -> None:
        """What was saved to the target meanwhile is seen from now on."""
        self._messages = None
        self._back.clear()

    def find(self, stored: PositionalMessage) -> PositionalMessage | None:
        """The message of this id in the target, quickly where it stands behind the last one found."""
        message_id = stored.message.id
        if self._target is None or message_id is None:
            return None
        passed = []
        for candidate in self._next(self._ahead):
            if candidate.message.id == message_id:
                self._position = candidate.position
                self._ahead = min(self._ahead * 2, _AHEAD_MAX)
                return candidate
            passed.append(candidate)
        found = next(self._target.get_all_messages(MessageFilter(message_id=message_id), 1), None)
        if found is not None and found.position > self._position:
            self._position = found.position
            self._ahead = min(self._ahead * 2, _AHEAD_MAX)
            self.rewind()
        else:  # elsewhere, or nowhere: what was passed is still to come
            self._back.extendleft(reversed(passed))
            self._ahead = 1
        return found

    def take(self, stored: PositionalMessage, found: PositionalMessage | None) -> bool:
        """Counts what `find` gave; False if it is not the same message. In order of the source."""
        content = canonical(stored)
        self._digest.update(len(content).to_bytes(4, "little") + content)
        matched = self.matched
        if found is None or canonical(found) != content:
            matched.missing += found is None
            matched.different += found is not None
            matched.wrong_places = [*matched.wrong_places, stored.position][:_PLACES_MAX]
            return False
        matched.found += 1
        matched.out_of_order += found.position < self._position
        matched.revisions_kept += found.revision == stored.revision
        matched.positions_kept += found.position == stored.position
        return True

    def _next(self, count: int) -> Iterator[PositionalMessage]:
        """So many messages of the target behind those that were given before."""
        for _ in range(count):
            if self._back:
                yield self._back.popleft()
                continue
            if self._messages is None:
                self._messages = self._from_position(self._position + 1)
            if (candidate := next(self._messages, None)) is None:
                return
            yield candidate

    def _from_position(self, position: int) -> Iterator[PositionalMessage]:
        assert self._target is not None, "find has returned"
        streams = self._streams
        behind = MessageFilter(
            stream_id=streams.stream_id,
            stream_pattern=streams.stream_pattern,
            from_position=position,
        )
        return self._target.get_all_messages(behind)
