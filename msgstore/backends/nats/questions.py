"""Questions to the server: how long they wait, what answers them, and what it means if nothing does."""

from __future__ import annotations

import asyncio
import random
import time
from typing import NamedTuple

ATTEMPT_S, ATTEMPT_MAX_S = 0.5, 5.0
"""How long the server may be silent before a question is put again: one that went to a node which
stands still is soon put to another, and one that takes long is given longer each time."""
PAUSE_S, PAUSE_MAX_S = 0.002, 0.5


class Reply(NamedTuple):
    subject: str
    headers: dict[str, str]
    body: bytes

    @property
    def status(self) -> str | None:
        """The three digits of an answer that is no message, None for a message."""
        return self.headers.get("Status")


class WireError(Exception):
    """A request without an answer. It may have been carried out, unless it is a NotSent."""


class Unanswered(WireError):
    """Nothing came for a while."""


class NotSent(WireError):
    """Nobody has received it."""


class Forbidden(NotSent):
    """The server does not let this user do it."""


class Deadline:
    """When to give up."""

    def __init__(self, timeout_s: float) -> None:
        self._end_s = time.monotonic() + timeout_s
        self._pause_s = PAUSE_S
        self._attempt_s = ATTEMPT_S

    @property
    def left_s(self) -> float:
        return self._end_s - time.monotonic()

    @property
    def is_over(self) -> bool:
        return self.left_s <= 0

    def attempt_s(self) -> float:
        """How long to wait for an answer this time."""
        attempt_s, self._attempt_s = self._attempt_s, min(1.5 * self._attempt_s, ATTEMPT_MAX_S)
        return max(0.001, min(attempt_s, self.left_s))

    async def pause(self) -> bool:
        """Waits a little, longer each time; False, and at once, when the time is up.

        By chance longer or shorter, so that those who are in each other's way do not stay so.
        """
        if self.left_s <= self._pause_s:
            return False
        await asyncio.sleep(self._pause_s * (0.5 + random.random()))
        self._pause_s = min(2 * self._pause_s, PAUSE_MAX_S)
        return True


class Question:
    """What is waited for: one answer, or many up to one with a status."""

    def __init__(self, subject: str, has_many: bool) -> None:
        self.subject = subject
        self.answers: list[Reply] = []
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._has_many = has_many

    def take(self, answer: Reply) -> None:
        if self.over.done():
            return
        self.answers.append(answer)
        if not self._has_many or answer.status is not None:
            self.over.set_result(None)

    def fail(self, error: WireError) -> None:
        if not self.over.done():
            self.over.set_exception(error)

    async def wait(self, silence_s: float) -> bool:
        """Returns when it is over; False if nothing came for so long. Raises what it failed with."""
        while not self.over.done():
            heard = len(self.answers)
            await asyncio.wait([self.over], timeout=silence_s)
            if len(self.answers) == heard and not self.over.done():
                return False
        self.over.result()
        return True
