"""Group commit: threads that save at once share one commit, and so one sync.

Who comes first leads: it commits its own save and those that wait meanwhile. A thread that saves
alone goes straight through.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from copy import copy
from threading import RLock
from typing import NamedTuple

from msgstore.engine.encoding import messages_of
from msgstore.format.record import Encoded
from msgstore.model.errors import MsgStoreError, OutcomeUnknown
from msgstore.model.saved import SaveResult
from msgstore.model.saving import JointPlan, Known, SaveRequest

_GROUP_MESSAGES_MAX = 1000
_GROUP_BYTES_MAX = 1024 * 1024


class Save:
    """What one caller wants on record; `results` or `error` is set once it is decided."""

    def __init__(
        self,
        requests: Sequence[SaveRequest],
        encoded: Sequence[Sequence[Encoded]],
        session_id: str | None,
        independent: bool,
    ) -> None:
        self.requests = requests
        self.encoded = encoded
        self.session_id = session_id
        self.independent = independent
        self.results: list[SaveResult] | None = None
        self.error: MsgStoreError | None = None
        self.is_withdrawn = False
        """Its caller was interrupted before anybody had taken it up."""

    @property
    def is_decided(self) -> bool:
        return self.results is not None or self.error is not None

    @property
    def size(self) -> tuple[int, int]:
        """Messages and bytes."""
        bodies = [message[1] for messages in self.encoded for message in messages]
        return len(bodies), sum(map(len, bodies))


class Decided(NamedTuple):
    """What is to be committed, and the answer to each save that goes through with it."""

    messages: list[Encoded]
    answers: list[tuple[Save, list[SaveResult]]]

    def answer(self) -> None:
        """Called when the messages are on record."""
        for save, results in self.answers:
            save.results = results


def decide(saves: Sequence[Save], known: Known) -> Decided:
    """Each save for itself, as if those before it were stored; what is refused gets its error."""
    plan, decided = JointPlan(known), Decided([], [])
    for save in saves:
        try:
            one = plan.decide(save.requests, independent=save.independent)
        except MsgStoreError as error:
            save.error = error
            continue
        decided.messages.extend(messages_of(one.new, save.encoded))
        decided.answers.append((save, one.results))
    return decided


class GroupCommit:
    """`commit` decides some saves of one session, all of them or, by raising, none. For threads."""

    def __init__(self, root: str, commit: Callable[[Sequence[Save]], None]) -> None:
        self._root = root
        self._commit = commit
        self._turn = RLock()
        self._waiting: deque[Save] = deque()

    def save(self, save: Save) -> list[SaveResult]:
        """Raises what the commit raises; OutcomeUnknown too, where the leading thread was interrupted."""
        try:
            self._waiting.append(save)
            with self._turn:
                while not save.is_decided:
                    self._lead()
        except BaseException:  # an interrupt while it waited: nobody may commit it later
            save.is_withdrawn = True
            raise
        if save.error is not None:
            # Its traceback leads here: held by `save` it would keep all that it touched for long.
            error, save.error = save.error, None
            try:
                raise error
            finally:
                del error
        assert save.results is not None, "it is decided"
        return save.results

    def _lead(self) -> None:
        group: list[Save] = []
        try:
            self._take(group)
            self._commit(group)
        except MsgStoreError as error:
            for save in group:
                if not save.is_decided:
                    save.error = error if len(group) == 1 else copy(error)
                    save.error.__cause__ = error.__cause__
        finally:
            for save in group:
                if not save.is_decided:
                    reason = "the thread that saved for several was interrupted"
                    save.error = OutcomeUnknown(self._root, reason)

    def _take(self, group: list[Save]) -> None:
        """The oldest save and those behind it that can be in one commit with it.

        Each is in the group before it leaves the queue, so that an interrupt loses none between them.
        """
        messages = size = 0
        while self._waiting:
            save = self._waiting[0]
            if group or len(self._waiting) > 1:  # else there is nothing to measure it for
                more_messages, more_bytes = save.size
                messages, size = messages + more_messages, size + more_bytes
            is_too_much = messages > _GROUP_MESSAGES_MAX or size > _GROUP_BYTES_MAX
            if group and (is_too_much or save.session_id != group[0].session_id):
                break
            if not save.is_withdrawn and not save.is_decided:
                group.append(save)
            self._waiting.popleft()
