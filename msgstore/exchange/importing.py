"""Entries into a store, a thousand a commit; and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from msgstore.exchange.entries import Entry
from msgstore.model.errors import MsgStoreError
from msgstore.model.expectation import ANY
from msgstore.model.saved import SaveResult
from msgstore.model.saving import Known, plan_saves
from msgstore.model.values import Json

if TYPE_CHECKING:
    from msgstore.backends.protocol import LocalMessageStore
    from msgstore.model.message import PositionalMessage

Held = Callable[[], AbstractContextManager[None]]
_BATCH_BYTES_MAX = 8 * 1024 * 1024


@dataclass(slots=True)
class Imported:
    """What an import has come to so far.

    `messages` are new, `duplicates` were there before; `places_kept` of both have the position and
    the revision that the input has for them. Positions are 0 while nothing is new, and in a dry run.
    """

    format: str
    dry_run: bool = False
    messages: int = 0
    duplicates: int = 0
    places_kept: int = 0
    first_position: int = 0
    last_position: int = 0

    def to_json(self) -> dict[str, Json]:
        return {
            "format": self.format,
            "messages": self.messages,
            "duplicates": self.duplicates,
            "placesKept": self.places_kept,
            "firstPosition": self.first_position,
            "lastPosition": self.last_position,
            "dryRun": self.dry_run,
        }

    def add(self, entry: Entry, result: SaveResult) -> None:
        place = (result.first_position, result.first_revision)
        self.places_kept += place == (entry.position, entry.revision)
        if result.duplicate:
            self.duplicates += 1
            return
        self.messages += 1
        if not self.dry_run:
            self.first_position = self.first_position or result.first_position
            self.last_position = result.last_position


class Importer:
    """Saves entries in their order; `imported` says at any time what is committed."""

    def __init__(
        self,
        store: LocalMessageStore,
        imported: Imported,
        batch_size: int,
        held: Held = nullcontext,
    ) -> None:
        """`held` is entered around each commit and its being counted."""
        self.imported = imported
        self._held = held
        self._store = store
        self._batch_size = batch_size

    def take(self, entries: Iterable[Entry], after_commit: Callable[[], None]) -> None:
        """Commits all, up to the first that is refused. Raises its error, which names its place."""
        for batch, refusal in batches(entries, self._batch_size):
            refusal = self._commit(batch) or refusal
            after_commit()
            if refusal:
                raise refusal

    def _commit(self, batch: list[Entry]) -> MsgStoreError | None:
        """Commits what stands before the first entry that is refused; returns why that one was."""
        refusal = None
        while batch:
            try:
                with self._held():
                    results = self._store.save_each([entry.request for entry in batch])
                    for entry, result in zip(batch, results, strict=True):
                        self.imported.add(entry, result)
            except MsgStoreError as error:
                if refusal is None and error.request_index is not None:
                    error.reason = f"{batch[error.request_index].place}: {error.reason}"
                refusal = error
                batch = batch[: error.request_index or 0]
                continue
            break
        return refusal


class Rehearsal:
    """What an import would come to. Nothing is saved; each message is looked at by itself."""

    def __init__(self, store: LocalMessageStore | None, imported: Imported) -> None:
        """`store` is None where there is none yet."""
        self.imported = imported
        self._store = store

    def take(self, entries: Iterable[Entry], after_commit: Callable[[], None]) -> None:
        """Raises the error of the first entry that would be refused, which names its place."""
        known = Known(lambda stream_id: -1, self._find, 1)
        for number, entry in enumerate(entries, start=1):
            request = replace(entry.request, expectation=ANY)
            try:
                [result] = plan_saves([request], known, independent=True).results
            except MsgStoreError as error:
                error.reason = f"{entry.place}: {error.reason}"
                raise
            if not result.duplicate:
                entry = entry._replace(position=None)  # where it would stand is not known
            self.imported.add(entry, result)
            if not number % 1000:
                after_commit()

    def _find(self, message_id: str) -> PositionalMessage | None:
        if self._store is None:
            return None
        from msgstore.model.filter import MessageFilter

        return next(self._store.get_all_messages(MessageFilter(message_id=message_id), 1), None)


def batches(
    entries: Iterable[Entry], batch_size: int
) -> Iterator[tuple[list[Entry], MsgStoreError | None]]:
    """So many entries, or 8 MiB, at once; the last batch with the error that ended the input."""
    batch: list[Entry] = []
    size_bytes = 0
    try:
        for entry in entries:
            batch.append(entry)
            size_bytes += entry.size_bytes
            if len(batch) >= batch_size or size_bytes >= _BATCH_BYTES_MAX:
                yield batch, None
                batch, size_bytes = [], 0
    except MsgStoreError as error:
        yield batch, error
        return
    yield batch, None
