"""Sessions of one store in another: each has a copy there, which a label names it by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgstore.model.errors import SessionEnded, SessionNotFound
from msgstore.model.message import NO_SESSION

if TYPE_CHECKING:
    from msgstore.backends.protocol import LocalMessageStore, MessageStore
    from msgstore.model.results import SessionInfo

COPY_OF = "msgstore.copy-of"
"""The label of a copy: the id that its session has in the store it came from."""


class CarriedSessions:
    """Makes copies of sessions in `target`, once each; `count` of them were made.

    What the target has is looked at first, so that a copy that was broken off is taken up again.
    An id, and when it began and ended, are the target's own.
    """

    def __init__(self, source: MessageStore, target: LocalMessageStore) -> None:
        self.count = 0
        self._target = target
        self._infos = {info.session_id: info for info in source.get_sessions()}
        self._open: dict[str, str] = {}
        self._ended: set[str] = set()
        for info in target.get_sessions():
            if (original := info.labels.get(COPY_OF)) is None:
                continue
            if info.ended_at is None:
                self._open[original] = info.session_id
            else:
                self._ended.add(original)

    def carry_all(self) -> None:
        """Makes all that are missing, those without a message too, in the order of their starts."""
        for session_id in self._infos:
            if session_id not in self._ended:
                self._copy_of(session_id)

    def use(self, session_id: str) -> None:
        """What is saved next is stamped as the messages of this session of the source were."""
        for _ in range(2):
            try:
                copy = None if session_id == NO_SESSION else self._copy_of(session_id)
                self._target.use_session(copy)
                return
            except (SessionEnded, SessionNotFound):  # by somebody else, since it was looked at
                self._open.pop(session_id, None)
        raise SessionEnded(session_id)

    def end(self) -> None:
        """Ends those that have ended in the source, with their status."""
        self._target.use_session(None)
        for session_id, copy in self._open.items():
            info = self._infos.get(session_id)
            if info is not None and info.ended_at is not None:
                try:
                    self._target.end_session(copy, info.status)
                except (SessionEnded, SessionNotFound):
                    continue

    def _copy_of(self, session_id: str) -> str:
        if (copy := self._open.get(session_id)) is None:
            copy = self._open[session_id] = self._create(self._infos.get(session_id), session_id)
        return copy

    def _create(self, info: SessionInfo | None, session_id: str) -> str:
        name, labels = (info.name, info.labels) if info is not None else (None, {})
        self.count += 1
        return self._target.create_session(name, {**labels, COPY_OF: session_id})
