"""Ctrl-C while many messages are saved: what is said to be saved is what is saved."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

_GRACE_S = 1.0


class Interrupts:
    """Obeys Ctrl-C at once between commits, and one that comes during a commit when that is counted.

    A commit may wait for a lock or for a server: after a second, or a second Ctrl-C, it is broken off,
    and `in_doubt` says that. Where Ctrl-C is ignored it stays so.
    """

    def __init__(self) -> None:
        self.in_doubt = False
        self._is_committing = False
        self._is_pending = False
        self._is_installed = False

    def __enter__(self) -> Self:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._interrupt)
            self._is_installed = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._is_installed:
            if self._is_pending:
                signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGINT, signal.default_int_handler)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Around a commit and its being counted. Raises KeyboardInterrupt behind them."""
        self._is_committing = True
        try:
            yield
        finally:
            self._is_committing = False
        if self._is_pending:
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise KeyboardInterrupt

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._is_committing and not self._is_pending:
            self._is_pending = True
            signal.signal(signal.SIGALRM, self._interrupt)
            signal.setitimer(signal.ITIMER_REAL, _GRACE_S)
            return
        self.in_doubt = self._is_committing
        raise KeyboardInterrupt

    def sentence(self, done: str) -> str:
        """`interrupted; saved 3 messages …`, and that it may be more where that is not known."""
        doubt = "; what was being saved just then may be there, too" * self.in_doubt
        return f"interrupted; {done}{doubt}"
