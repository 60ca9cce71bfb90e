"""What a store keeps of a run: a session, a command that begins it and an event that ends it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from msgstore.model.clock import format_uuid, new_session_id, system_clock_us, uuid7
from msgstore.model.context import SaveContext
from msgstore.model.errors import InvalidMessage, MsgStoreError, SessionEnded
from msgstore.model.message import Message, MessageType
from msgstore.model.run_messages import RUN, RUN_ENDED
from msgstore.model.values import TEXT_BYTES_MAX, Json, check_text

if TYPE_CHECKING:
    from msgstore.backends.protocol import LocalMessageStore
    from msgstore.runs.child import Ending

STREAM = "msgstore-runs"
OUTPUT_STREAM = "msgstore-output"

OpenStore = Callable[[], "LocalMessageStore"]


class Surroundings(NamedTuple):
    """Where a run takes place."""

    host: str
    folder: str | None
    environment: Mapping[str, str]

    @classmethod
    def here(cls, environment: Mapping[str, str]) -> Surroundings:
        folder = None
        with suppress(OSError):  # it may have been removed
            folder = os.getcwd()
        return cls(os.uname().nodename, folder, environment)


class Run:
    """One run on record: `begin`, then `end`. The store is not held open in between."""

    def __init__(
        self,
        open_store: OpenStore,
        command: Sequence[str],
        surroundings: Surroundings,
        correlation_id: str | None = None,
    ) -> None:
        """Raises InvalidText for a correlation id that is none."""
        said = SaveContext.of(surroundings.environment) or SaveContext()
        if correlation_id is None:
            correlation_id = child_correlation_id(said.correlation_id)
        check_text(correlation_id, "correlation_id")
        self.context = SaveContext(correlation_id, said.traceparent)
        self.session_id = ""
        self._open_store = open_store
        self._command = command
        self._surroundings = surroundings
        self._id = format_uuid(uuid7())
        self._begun_s = 0.0

    def begin(self, name: str | None, labels: Mapping[str, str]) -> None:
        """Starts the session and says what is run; else nothing of it is left open."""
        with self._open_store() as store:
            self.session_id = store.create_session(name or self._name(), labels)
            try:
                data = self._facts()
                message = Message(RUN, data, id=self._id, request_id=self.session_id)
                store.save_message(STREAM, self.context.fill(message), None, MessageType.COMMAND)
            except BaseException:  # an interrupt too: no session may stay open without its run
                with suppress(MsgStoreError):
                    store.end_session(self.session_id, "not begun")
                raise
        self._begun_s = time.monotonic()

    def end(self, ending: Ending, captured: Json = None) -> bool:
        """Says how it went, and ends the session with that as its status.

        False where somebody else has ended the session before: the event stands outside of it then.
        """
        data = _facts_of(ending, round((time.monotonic() - self._begun_s) * 1000))
        if captured is not None:
            data["captured"] = captured
        message = Message(RUN_ENDED, data, request_id=self.session_id, causation_id=self._id)
        message = self.context.fill(message)
        with self._open_store() as store:
            try:
                store.use_session(self.session_id)
                store.save_message(STREAM, message, None, MessageType.EVENT)
                store.end_session(self.session_id, ending.status)
            except SessionEnded:
                store.use_session(None)
                store.save_message(STREAM, message, None, MessageType.EVENT)
                return False
        return True

    def environment(self, store: str) -> dict[str, str]:
        """What the command is told: `store` is the path of the store, absolute, or its URL."""
        return {
            **self._surroundings.environment,
            "MSGSTORE_STORE": store,
            "MSGSTORE_SESSION": self.session_id,
            "MSGSTORE_CORRELATION_ID": str(self.context.correlation_id),
        }

    def _facts(self) -> dict[str, Json]:
        facts: dict[str, Json] = {
            "command": [_as_text(word) for word in self._command],
            "host": _as_text(self._surroundings.host),
        }
        if self._surroundings.folder is not None:
            facts["folder"] = _as_text(self._surroundings.folder)
        if parent := self._surroundings.environment.get("MSGSTORE_SESSION"):
            facts["parentSession"] = _as_text(parent)
        return facts

    def _name(self) -> str | None:
        """The command's own name, if a session can be called that."""
        with suppress(InvalidMessage):
            return check_text(_as_text(os.path.basename(self._command[0])), "name")
        return None


def _facts_of(ending: Ending, duration_ms: int) -> dict[str, Json]:
    facts: dict[str, Json] = {"exitCode": ending.exit_code}
    if ending.signal is not None:
        facts["signal"] = ending.signal
    if ending.error is not None:
        facts["error"] = ending.error
    facts["durationMs"] = duration_ms
    return facts


def child_correlation_id(parent: str | None) -> str:
    """`<parent>-<unix ms>-<8 random>`, so that the tree of runs can be read off; without one `run-…`."""
    tail = new_session_id(system_clock_us()).removeprefix("session")
    if parent is None or len(parent.encode()) + len(tail) > TEXT_BYTES_MAX:
        parent = "run"
    return parent + tail


def _as_text(text: str) -> str:
    """Bytes of an argument that are no UTF-8 as `\\\\udcff`, as Python shows them."""
    return text.encode(errors="backslashreplace").decode()
