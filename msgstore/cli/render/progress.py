"""How far a long save has come: one line on stderr that is rewritten, and gone at the end."""

import sys
import time
from types import TracebackType
from typing import Self

from msgstore.cli.errors import write_stderr
from msgstore.cli.settings import Settings
from msgstore.cli.tally import Tally, counted

_FIRST_AFTER_S = 0.5
_EVERY_S = 0.1
_CLEAR = "\r\x1b[K"


class Progress:
    """Shown on a terminal only, and only when it takes more than half a second."""

    def __init__(self, settings: Settings, done: str = "saved") -> None:
        self._done = done
        self._is_wanted = not settings.quiet and sys.stderr.isatty()
        self._started_s = time.monotonic()
        self._next_s = self._started_s + _FIRST_AFTER_S
        self._is_shown = False

    def show(self, tally: Tally | int) -> None:
        """So many messages are done, or those that were counted."""
        now_s = time.monotonic()
        if self._is_wanted and now_s >= self._next_s:
            number = tally if isinstance(tally, int) else tally.messages
            rate = number / (now_s - self._started_s)
            write_stderr(f"{_CLEAR}{counted(number, 'message')} {self._done}, {rate:,.0f} a second")
            self._next_s = now_s + _EVERY_S
            self._is_shown = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._is_shown:
            write_stderr(_CLEAR)
