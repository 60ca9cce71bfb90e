"""From any store to any other: what is not there yet is saved in order, and then all is compared.

Nothing is kept about how far a copy has come: what stands in the target says it. So it can be broken
off at any moment, and is run again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

from msgstore.exchange.carrying import CarriedSessions
from msgstore.exchange.entries import Entry, stored_entry
from msgstore.exchange.importing import Held, Imported, Importer
from msgstore.exchange.matching import Matched, Matching, canonical
from msgstore.model.errors import CorruptStore, DuplicateMessageId, WrongExpectedRevision
from msgstore.model.expectation import Exactly
from msgstore.model.filter import EVERYTHING, MessageFilter
from msgstore.model.message import PositionalMessage
from msgstore.model.values import Json

if TYPE_CHECKING:
    from msgstore.backends.protocol import LocalMessageStore, MessageStore

Tell = Callable[[str, int], None]
"""Told what is being done, and to how many messages by now."""
_TOLD_EVERY = 1000


class RevisionTaken(WrongExpectedRevision):
    """The revision that a message had is not the next one of its stream in the target."""

    advice = "copy into another store, or let the messages take what revisions come: --renumber"


class CopyDiffers(CorruptStore):
    """What was copied is not what stands in the target."""

    advice = "run it again; if it stays so, look at both stores with `msgstore verify`"


@dataclass(frozen=True, slots=True)
class Selection:
    """What of the source is copied: up to where it ended at the start, whoever writes to it."""

    source: MessageStore
    wanted: MessageFilter
    is_everything: bool

    @classmethod
    def of(cls, source: MessageStore, wanted: MessageFilter) -> Selection:
        last = next(source.get_all_messages(None, 1, direction="backwards"), None)
        end = 0 if last is None else last.position
        if wanted.to_position is not None:
            end = min(end, wanted.to_position)
        return cls(source, replace(wanted, to_position=end), wanted == EVERYTHING)

    def messages(self, from_position: int = 1) -> Iterator[PositionalMessage]:
        first = max(from_position, self.wanted.from_position or 1)
        return self.source.get_all_messages(replace(self.wanted, from_position=first))


def cuts_streams(wanted: MessageFilter) -> bool:
    """Whether of a stream there may be something selected without all that comes before it."""
    rest = replace(wanted, stream_id=None, stream_pattern=None, to_position=None, to_timestamp=None)
    return rest != EVERYTHING


@dataclass(slots=True)
class Copied:
    """What a copy has come to: `saved` are new, `known` were there; `matched` is what was compared."""

    source: str
    target: str
    matched: Matched
    dry_run: bool = False
    saved: int = 0
    known: int = 0
    sessions: int = 0
    first_position: int = 0
    last_position: int = 0
    checksum: str = ""

    def to_json(self) -> dict[str, Json]:
        matched = self.matched
        return {
            "source": self.source,
            "target": self.target,
            "messages": self.saved,
            "duplicates": self.known,
            "missing": matched.missing,
            "different": matched.different,
            "outOfOrder": matched.out_of_order,
            "revisionsKept": matched.revisions_kept,
            "positionsKept": matched.positions_kept,
            "sessions": self.sessions,
            "firstPosition": self.first_position,
            "lastPosition": self.last_position,
            "checksum": self.checksum,
            "dryRun": self.dry_run,
        }


class Comparison:
    """What the target, None where there is none yet, holds of a selection. Changes nothing."""

    def __init__(self, selection: Selection, target: MessageStore | None, copied: Copied) -> None:
        self._selection = selection
        self._matching = Matching(target, selection.wanted)
        self._copied = copied
        copied.matched = self._matching.matched

    def compare(self, tell: Tell) -> None:
        """Looks for every message. The counts are in the report."""
        matching = self._matching
        for number, stored in enumerate(self._selection.messages(), start=1):
            matching.take(stored, matching.find(stored))
            if not number % _TOLD_EVERY:
                tell("compared", number)
        self._copied.known = matching.matched.found
        self._copied.checksum = matching.checksum


class Copying:
    """One copy, in three steps; `copied` says at any time what is on record."""

    def __init__(
        self,
        selection: Selection,
        target: LocalMessageStore,
        copied: Copied,
        *,
        keeps_revisions: bool,
        batch_size: int,
        held: Held = nullcontext,
    ) -> None:
        """`held` is entered around each commit and its being counted."""
        self._selection = selection
        self._target = target
        self._held = held
        self._copied = copied
        self._keeps_revisions = keeps_revisions
        self._batch_size = batch_size
        self._matching = Matching(target, selection.wanted)
        copied.matched = self._matching.matched

    def run(self, sessions: CarriedSessions | None, tell: Tell) -> None:
        """Raises DuplicateMessageId, RevisionTaken, CopyDiffers, and what either store raises."""
        rest = self._pass_known(tell)
        if sessions is not None and self._selection.is_everything:
            sessions.carry_all()
        if rest is not None:
            self._save_from(rest, sessions, tell)
        if sessions is not None:
            sessions.end()
            self._copied.sessions = sessions.count
        self._target.flush()
        if rest is not None:
            self._verify_from(rest, tell)
        self._copied.checksum = self._matching.checksum

    def _pass_known(self, tell: Tell) -> int | None:
        """Compares what stands in the target up to the first message that does not: its position."""
        matching, copied = self._matching, self._copied
        for stored in self._selection.messages():
            if (found := matching.find(stored)) is None:
                return stored.position
            if not matching.take(stored, found):
                error = DuplicateMessageId(
                    stored.message.id or "", "is taken by a message with other content"
                )
                error.reason = f"{_place(stored)}: {error.reason}"
                raise error
            copied.known += 1
            if not copied.known % _TOLD_EVERY:
                tell("found there", copied.known)
        return None

    def _save_from(self, position: int, sessions: CarriedSessions | None, tell: Tell) -> None:
        entries = map(self._entry, self._selection.messages(position))
        if sessions is None:
            self._save(entries, tell)
            return
        for session_id, of_session in groupby(entries, key=lambda entry: entry[0]):
            sessions.use(session_id)
            self._save(of_session, tell)

    def _save(self, entries: Iterator[tuple[str, Entry]], tell: Tell) -> None:
        copied = self._copied
        known, saved = copied.known, copied.saved
        imported = Imported("copy")

        def count() -> None:
            copied.known = known + imported.duplicates
            copied.saved = saved + imported.messages
            copied.first_position = copied.first_position or imported.first_position
            copied.last_position = imported.last_position or copied.last_position
            tell("copied", copied.saved)

        importer = Importer(self._target, imported, self._batch_size, self._held)
        try:
            importer.take((entry for _, entry in entries), count)
        except WrongExpectedRevision as error:
            taken = RevisionTaken(error.stream_id, error.expected, error.actual)
            taken.reason = error.reason
            raise taken from None
        finally:
            count()

    def _entry(self, stored: PositionalMessage) -> tuple[str, Entry]:
        """Its session, and what is to be saved: under the revision that it had, if that is kept."""
        entry = stored_entry(stored, len(canonical(stored)), _place(stored))
        if self._keeps_revisions:
            expected = Exactly(stored.revision - 1)
            entry = entry._replace(request=replace(entry.request, expectation=expected))
        return stored.session_id, entry

    def _verify_from(self, position: int, tell: Tell) -> None:
        """Compares what was saved with what was to be. Raises CopyDiffers."""
        matching = self._matching
        matching.rewind()
        for number, stored in enumerate(self._selection.messages(position), start=1):
            matching.take(stored, matching.find(stored))
            if not number % _TOLD_EVERY:
                tell("verified", number)
        matched = matching.matched
        expected = self._copied.saved + self._copied.known
        if not matched.is_whole or matched.found != expected:
            places = ", ".join(f"{place:,}" for place in matched.wrong_places)
            raise CopyDiffers(
                f"the copy was verified, and of {expected:,} messages {matched.missing:,} are missing"
                f" and {matched.different:,} are different (positions {places or 'unknown'})"
            )


def _place(stored: PositionalMessage) -> str:
    return f"position {stored.position:,}, stream {stored.stream_id}"
