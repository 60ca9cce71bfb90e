"""How the command line fails: the exit codes, and the style of what is said."""

import sys
from traceback import format_exception

from msgstore.cli.escape import visible
from msgstore.model.errors import MsgStoreError, RequestError

EXIT_CODES = {
    0: "done, also with an empty result",
    1: "a negative answer was asked for (-e); diff: the sessions differ; copy --check: the stores",
    2: "usage or bad input",
    3: "damage found",
    4: "expected revision does not match",
    5: "store missing, unreadable, unwritable, unsupported; or the output cannot be written",
    70: "a bug in msgstore: run again with --debug and report it",
    75: "lock not obtained in time; try again",
    124: "--timeout reached",
    126: "the command of run cannot be run",
    127: "the command of run was not found",
    130: "interrupted",
}
DONE, NEGATIVE, USAGE, DAMAGED, UNAVAILABLE = 0, 1, 2, 3, 5
INTERNAL, TIMED_OUT, INTERRUPTED = 70, 124, 130


class BadUsage(RequestError):
    """A flag or an argument is wrong, and `hint` says what would be right."""

    def __init__(self, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.hint = hint


def report(error: Exception, debug: bool) -> int:
    """Says on stderr what went wrong and what to try; returns the exit code."""
    if debug:
        write_stderr("".join(f"{visible(line)}\n" for line in _traceback(error)))
    code, reason, advice = _explain(error)
    say_error(reason, advice, getattr(error, "__notes__", ()))
    return code


def _traceback(error: Exception) -> list[str]:
    return "".join(format_exception(error)).splitlines()


def say_error(reason: str, advice: str, notes: tuple[str, ...] | list[str] = ()) -> None:
    lines = [f"msgstore: {visible(reason)}", *(f"  {visible(note)}" for note in notes)]
    write_stderr("\n".join([*lines, f"  try: {visible(advice)}", ""]))


def write_stderr(text: str) -> None:
    """Never fails: there is nobody left to tell when stderr is gone."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):
        pass


def _explain(error: Exception) -> tuple[int, str, str]:
    if isinstance(error, BadUsage):
        return error.exit_code, error.reason, error.hint
    if isinstance(error, MsgStoreError):
        return error.exit_code, error.reason, error.advice
    if isinstance(error, OSError) and error.filename is None and error.strerror:
        return UNAVAILABLE, f"cannot write the output: {error.strerror}", "check where it goes"
    name = type(error).__name__
    return INTERNAL, f"internal error: {name}: {error}", "run again with --debug, and report it"
