"""A command run as a child, as if its caller had called it: signals, stops and its end go through us.

It stays in our process group. So the terminal is its own to read from and to set, also at the end of
a pipeline, and what is typed on it (Ctrl-C, Ctrl-\\, Ctrl-Z) reaches the command without us. We hold
back all that we could be killed with while it runs, pass on what others send to us alone, stop when it
stops, and end after it.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

NOT_FOUND, NOT_EXECUTABLE, KILLED = 127, 126, 128

_DEADLY = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}
_TYPED = {signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGWINCH}
"""What a terminal sends to the whole group, the command in it."""
HELD = _DEADLY | _TYPED | {signal.SIGUSR1, signal.SIGUSR2, signal.SIGCONT, signal.SIGCHLD}
# What Python ignores on its own account, and the command should not.
_PYTHONS = {signal.SIGPIPE, signal.SIGXFSZ}


class Ending(NamedTuple):
    """How a command ended. `exit_code` is what a shell says of it: 128 + N for signal N."""

    exit_code: int
    signal: str | None = None
    error: str | None = None
    """Why it was not even begun."""

    @property
    def status(self) -> str:
        """`ok`, `exit 3`, `signal SIGTERM`."""
        if self.signal:
            return f"signal {self.signal}"
        return f"exit {self.exit_code}" if self.exit_code else "ok"

    @classmethod
    def of_status(cls, status: int) -> Ending:
        """From what `waitpid` says of a process that is gone."""
        if os.WIFSIGNALED(status):
            return cls.of_signal(os.WTERMSIG(status))
        return cls(os.WEXITSTATUS(status))

    @classmethod
    def of_signal(cls, number: int) -> Ending:
        try:
            name = signal.Signals(number).name
        except ValueError:  # a real-time signal but the first and the last
            name = str(number)
        return cls(KILLED + number, signal=name)

    @classmethod
    def of_error(cls, error: OSError) -> Ending:
        """Of a command that could not be started, by the codes that shells have for it."""
        missing = isinstance(error, FileNotFoundError)
        text = "command not found" if missing else error.strerror or "cannot be run"
        return cls(NOT_FOUND if missing else NOT_EXECUTABLE, error=text)


@contextmanager
def signals_held() -> Iterator[set[int]]:
    """Within the block no signal that can be held ends or stops this process; gives the mask before.

    Threads begun in the block hold them too. What is pending at its end is forgotten: it was meant
    for a command that is gone.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
    # One that is ignored may not even become pending, and children would be reaped unseen.
    handled = signal.signal(signal.SIGCHLD, lambda number, frame: None)
    try:
        yield {int(number) for number in before}
    finally:
        while pending := signal.sigpending() & HELD:
            signal.sigwait(pending)
        signal.signal(signal.SIGCHLD, handled)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Child:
    """A running command. To be made and waited for within `signals_held`."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        mask: set[int],
        stdout: int | None = None,
    ) -> None:
        """Starts it with the signal mask of its caller, and with stdout where one is given.

        Raises OSError if it cannot be started.
        """
        if not command[0]:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        actions = [] if stdout is None else [(os.POSIX_SPAWN_DUP2, stdout, 1)]
        self._pid = os.posix_spawnp(
            command[0],
            list(command),
            dict(environment),
            file_actions=actions,
            setsigmask=mask,
            setsigdef=_PYTHONS,
        )

    def wait(
        self,
        on_end: Callable[[], None] = lambda: None,
        is_over: Callable[[], bool] = lambda: True,
    ) -> Ending:
        """Waits for its end, then calls `on_end`, then waits until `is_over`.

        Who makes `is_over` true sends SIGCHLD to this process. A signal that would have ended the
        command ends that second wait.
        """
        ending: Ending | None = None
        while True:
            if ending is None and (ending := self._look()):
                on_end()
            if ending is not None and is_over():
                return ending
            received = _next_signal()
            if ending is None:
                self._relay(received)
            elif received.number in _DEADLY:
                return ending

    def _look(self) -> Ending | None:
        """How it ended, if it did. If it is stopped, so are we until somebody continues us."""
        while True:
            pid, status = os.waitpid(self._pid, os.WNOHANG | os.WUNTRACED)
            if not pid:
                return None
            if not os.WIFSTOPPED(status):
                return Ending.of_status(status)
            _stop()

    def _relay(self, received: _Received) -> None:
        """Passes on what only we were sent."""
        number, is_typed, sender = received
        if number == signal.SIGCHLD or (is_typed and number in _TYPED):
            return
        # A command that signals its parent, or its whole group, does not mean itself by us.
        if sender == self._pid and number != signal.SIGCONT:
            return
        os.kill(self._pid, number)


def pending_end() -> Ending | None:
    """The signal that came before there was a command to pass it on to, as its ending."""
    waiting = signal.sigpending() & _DEADLY
    if not waiting:
        return None
    return Ending.of_signal(min(waiting))._replace(error="ended by a signal before it began")


class _Received(NamedTuple):
    number: int
    is_typed: bool
    """Whether the terminal sent it, to all of the group."""
    sender: int


def _next_signal() -> _Received:
    if hasattr(signal, "sigwaitinfo"):
        info = signal.sigwaitinfo(HELD)
        return _Received(info.si_signo, info.si_code > 0, info.si_pid if info.si_code <= 0 else 0)
    return _Received(signal.sigwait(HELD), _has_terminal(), 0)  # macOS does not say who sent it


def _stop() -> None:
    """Stops this process as the command was stopped, so that a shell sees its job stopped.

    By SIGTSTP, which does nothing to a group that nobody could continue; and only where we have the
    terminal: else no shell is waiting for it, and who stops the command alone continues it alone.
    """
    if _has_terminal():
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTSTP})
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTSTP})


def _has_terminal() -> bool:
    """Whether our group is the one that the terminal listens to."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
