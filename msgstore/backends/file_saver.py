"""What a store on disk saves with. Loaded with the first change: who only reads does not pay for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgstore.backends.group_commit import GroupCommit, Save, decide
from msgstore.disk.lock import FileLock
from msgstore.engine.encoding import encode_drafts, encode_requests
from msgstore.engine.opened import OpenedStore
from msgstore.engine.writer import Writer, WriterSettings
from msgstore.format.record import Encoded
from msgstore.format.session_log import SessionEvent
from msgstore.model.clock import new_session_id
from msgstore.model.saved import SaveResult
from msgstore.model.saving import SaveRequest

if TYPE_CHECKING:
    from msgstore.model.draft import Draft, DraftsSaved


class FileSaver:
    """The writer, and the threads that share its commits."""

    def __init__(
        self, path: str, opened: OpenedStore, lock: FileLock, settings: WriterSettings
    ) -> None:
        self.writer = Writer(opened, lock, settings)
        self.group = GroupCommit(path, self._commit_group)

    def encode(
        self, requests: Sequence[SaveRequest], session_id: str | None
    ) -> list[list[Encoded]]:
        """All of the work that needs no lock. Raises MessageTooLarge with `request_index` set."""
        return encode_requests(requests, session_id)

    def save(
        self,
        requests: Sequence[SaveRequest],
        encoded: Sequence[Sequence[Encoded]],
        session_id: str | None,
        *,
        independent: bool,
    ) -> list[SaveResult]:
        """Commits what `encode` made, together with what other threads save now."""
        return self.group.save(Save(requests, encoded, session_id, independent))

    def _commit_group(self, saves: Sequence[Save]) -> None:
        """Decides saves of one session, each for itself, and commits what goes through."""
        with self.writer.exclusive() as writer:
            number = writer.number_of(saves[0].session_id)
            decided = decide(saves, writer.known())
            if decided.messages:
                writer.commit(decided.messages, number)
            decided.answer()

    def encode_drafts(self, drafts: Sequence[Draft], session_id: str | None) -> list[Encoded]:
        return encode_drafts(drafts, session_id)

    def save_drafts(self, encoded: Sequence[Encoded], session_id: str | None) -> DraftsSaved:
        """Commits what `encode_drafts` made, under the same session."""
        from msgstore.model.draft import DraftsSaved

        with self.writer.exclusive() as writer:
            saved = DraftsSaved(writer.rows + 1, len(encoded))
            writer.commit(encoded, writer.number_of(session_id))
        return saved

    # ------------------------------------------------------------ sessions

    def start_session(self, name: str | None, labels: Mapping[str, str]) -> str:
        with self.writer.exclusive() as writer:
            log = writer.sessions()
            number, now_us = log.total() + 1, writer.now_us()
            session_id = new_session_id(now_us)
            writer.add_session_event(
                SessionEvent(
                    "start",
                    number,
                    session_id,
                    now_us,
                    writer.rows,
                    log.active_id,
                    number,
                    {"name": name, "labels": dict(labels)},
                )
            )
        return session_id

    def end_session(self, session_id: str, status: str | None) -> None:
        """Raises SessionNotFound, SessionEnded."""
        from msgstore.engine.counting import session_counts

        with self.writer.exclusive() as writer:
            log = writer.sessions()
            session = log.open_session(session_id)
            counts = session_counts(writer.snapshot(), [session])
            messages, commands, last_position = counts[session.number]
            writer.add_session_event(
                SessionEvent(
                    "end",
                    session.number,
                    session_id,
                    max(writer.now_us(), session.started_us),
                    writer.rows,
                    None if log.active_id == session_id else log.active_id,
                    log.total(),
                    {
                        "status": status,
                        "messages": messages,
                        "commands": commands,
                        "lastPosition": last_position,
                    },
                )
            )

    def activate_session(self, session_id: str) -> None:
        """Raises SessionNotFound, SessionEnded."""
        with self.writer.exclusive() as writer:
            log = writer.sessions()
            session = log.open_session(session_id)
            writer.add_session_event(
                SessionEvent(
                    "activate",
                    session.number,
                    session_id,
                    writer.now_us(),
                    writer.rows,
                    session_id,
                    log.total(),
                    {},
                )
            )
