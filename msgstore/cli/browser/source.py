"""Where the screen asks the store: in threads of its own, so that it never waits itself.

The threads are daemons: who leaves does not wait for a search that is under way.
"""

from collections.abc import Callable
from contextlib import suppress
from threading import Condition, Lock, Thread
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from msgstore.analysis.paging import tells_of_damage
from msgstore.model.errors import StoreClosed

if TYPE_CHECKING:
    from msgstore.backends.protocol import LocalMessageStore

T = TypeVar("T")
Deliver = Callable[[Callable[[], None]], None]
"""Has something done by the thread that draws."""


class Desk:
    """A thread that does one thing after the other. Of questions of one kind only the latest counts."""

    def __init__(self, deliver: Deliver, fail: Callable[[Exception], None]) -> None:
        self._deliver = deliver
        self._fail = fail
        self._changed = Condition()
        self._jobs: dict[str, Callable[[], None]] = {}
        self._is_over = False
        Thread(target=self._work, daemon=True).start()

    def ask(self, kind: str, question: Callable[[], T], then: Callable[[T], None]) -> None:
        """`then` is told the answer by the thread that draws; an error goes to `fail`, there too."""

        def job() -> None:
            answer = question()
            self._deliver(lambda: then(answer))

        with self._changed:
            self._jobs.pop(kind, None)
            self._jobs[kind] = job
            self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._is_over = True
            self._changed.notify()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            try:
                job()
            except Exception as error:  # whatever it is, the one that draws must hear of it
                self._tell(error)

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._is_over)
            if self._is_over:
                return None
            kind = next(iter(self._jobs))
            return self._jobs.pop(kind)

    def _tell(self, error: Exception) -> None:
        self._deliver(lambda: self._fail(error))


class News(NamedTuple):
    """How far the store goes since the last news, and whether it was emptied in between."""

    position: int
    was_reset: bool


_PASS_S = 5.0
"""After so long without news it is asked whether the store is still the one that it was: a reset
that came before the follower had its first look is nothing new to it."""


class Follower:
    """A thread that follows the whole store and tells that something came, never twice at once.

    `tell` is done by the thread that draws; what comes meanwhile is told together, by the next one.
    `identify` is asked what a reset changes, and `see` told the answer, now and then.
    """

    def __init__(
        self,
        store: "LocalMessageStore",
        deliver: Deliver,
        tell: Callable[[News], None],
        fail: Callable[[Exception], None],
        identify: Callable[[], str | None],
        see: Callable[[str | None], None],
    ) -> None:
        self._store = store
        self._deliver = deliver
        self._tell = tell
        self._fail = fail
        self._identify = identify
        self._see = see
        self._lock = Lock()
        self._news: News | None = None
        self._is_over = False

    def start(self, find_end: Callable[[], int]) -> None:
        """Tells of what comes behind the position that `find_end` gives."""
        Thread(target=self._follow, args=(find_end,), daemon=True).start()

    def close(self) -> None:
        """The thread ends when it looks at the store next, which is to be closed now."""
        self._is_over = True

    def _follow(self, find_end: Callable[[], int]) -> None:
        try:
            identity, position = self._identify(), find_end()
            while not self._is_over:
                if (present := self._identify()) != identity:
                    identity, position = present, 0
                self._deliver(lambda seen=identity: self._see(seen))  # type: ignore[misc]
                position = self._pass(position)
        except Exception as error:  # as above: else the list would stand still in silence
            if not self._is_over and not isinstance(error, StoreClosed):
                self._deliver(lambda failure=error: self._fail(failure))  # type: ignore[misc]

    def _pass(self, position: int) -> int:
        """Tells what comes until nothing has come for a while; the last position then."""
        # What is damaged is told where it is shown.
        options: dict[str, Any] = (
            {"on_damage": lambda _: None} if tells_of_damage(self._store) else {}
        )
        for stored in self._store.follow(None, position + 1, _PASS_S, **options):
            if self._is_over:
                break
            self._note(stored.position, was_reset=stored.position <= position)
            position = stored.position
        return position

    def _note(self, position: int, *, was_reset: bool) -> None:
        with self._lock:
            before = self._news
            if before is None or was_reset:
                self._news = News(position, was_reset)
            else:
                self._news = News(position, before.was_reset)
        if before is None:
            self._deliver(self._hand_over)

    def _hand_over(self) -> None:
        with self._lock:
            news, self._news = self._news, None
        if news is not None:
            self._tell(news)


def quietly(deliver: Callable[[Callable[[], None]], object]) -> Deliver:
    """As `deliver`, but nothing where the screen is gone."""

    def hand_over(deed: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the event loop is closed
            deliver(deed)

    return hand_over
