"""What `run` does: a session begun, the command carried out, the session ended."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgstore.cli.errors import report, say_error, write_stderr
from msgstore.cli.escape import visible
from msgstore.cli.json_input import INPUT_BYTES_MAX, read_json
from msgstore.cli.settings import Settings
from msgstore.model.errors import MsgStoreError
from msgstore.runs.child import Child, Ending, pending_end, signals_held
from msgstore.runs.record import Run, Surroundings

if TYPE_CHECKING:
    from msgstore.backends.protocol import LocalMessageStore
    from msgstore.runs.capture import MessageLines

_STDOUT = 1


class Runner:
    """Runs commands. Once a command has begun, the exit code is its own, whatever becomes of the record."""

    def __init__(self, settings: Settings, writing: Mapping[str, Any]) -> None:
        self._settings = settings
        self._writing = writing
        self._store = settings.shared_store()

    def begin(
        self,
        command: Sequence[str],
        correlation_id: str | None,
        name: str | None,
        labels: Mapping[str, str],
    ) -> Run:
        """The run, on record. Raises MsgStoreError; nothing is run then."""
        here = Surroundings.here(self._settings.environment)
        run = Run(self._open, command, here, correlation_id)
        run.begin(name, labels)
        return run

    def carry_out(self, run: Run, command: Sequence[str], stream_id: str | None) -> int:
        """Runs the command and puts its end on record; returns its exit code.

        With `stream_id` its output is captured, and goes there where a line names no stream.
        """
        with signals_held() as mask:
            try:
                if stream_id is None:
                    ending, lines = self._run(run, command, mask), None
                else:
                    ending, lines = self._run_captured(run, command, mask, stream_id)
            except MsgStoreError as error:  # it was not begun
                run.end(Ending(error.exit_code, error=error.reason))
                raise
            if ending.error:
                say_error(f"{command[0]}: {ending.error}", "msgstore run -- CMD…, as in a shell")
            self._put_end_on_record(run, ending, lines)
        return ending.exit_code

    def _open(self) -> "LocalMessageStore":
        return self._settings.open_store(create=True, **self._writing)

    def _run(self, run: Run, command: Sequence[str], mask: set[int]) -> Ending:
        if early := pending_end():
            return early
        try:
            child = Child(command, run.environment(self._store), mask)
        except OSError as error:
            return Ending.of_error(error)
        return child.wait()

    def _run_captured(
        self, run: Run, command: Sequence[str], mask: set[int], stream_id: str
    ) -> "tuple[Ending, MessageLines | None]":
        from msgstore.runs.capture import Capture, MessageLines, make_pipe

        store = self._open()
        store.use_session(run.session_id)
        if early := pending_end():
            return early, None
        source, written_to = make_pipe()
        try:
            child = Child(command, run.environment(self._store), mask, written_to)
        except OSError as error:
            return Ending.of_error(error), None
        finally:
            os.close(written_to)
        lines = MessageLines(store, stream_id, run.context, read_json, self._tell)
        capture = Capture(source, _STDOUT, lines, INPUT_BYTES_MAX, self._report_failure)
        capture.start()
        ending = child.wait(capture.end, lambda: capture.is_over)
        if capture.is_over:
            self._close(store)
        return ending, lines

    def _close(self, store: "LocalMessageStore") -> None:
        try:
            store.close()
        except MsgStoreError as error:
            report(error, self._settings.debug)

    def _put_end_on_record(self, run: Run, ending: Ending, lines: "MessageLines | None") -> None:
        try:
            captured = lines.to_json() if lines else None
            if not run.end(ending, captured):
                self._tell(f"{run.session_id} was ended before the command")
        except Exception as error:  # a bug too: the exit code stays the command's
            error.add_note(f"that the command has ended ({ending.status}) is not on record")
            report(error, self._settings.debug)

    def _report_failure(self, error: Exception) -> None:
        error.add_note("from here on the output is passed on and not saved")
        report(error, self._settings.debug)

    def _tell(self, text: str) -> None:
        write_stderr(f"msgstore: {visible(text)}\n")
