"""The list of messages: a window that pages are added to before its edge is reached."""

from collections.abc import Callable
from typing import Any

from rich.text import Text
from textual.message import Message

from msgstore.analysis.paging import Entry, Lost, Page, Pager, Window
from msgstore.cli.browser.grid import Grid
from msgstore.cli.browser.rows import Rows
from msgstore.cli.browser.source import Desk
from msgstore.cli.escape import visible
from msgstore.cli.output import check_message
from msgstore.cli.render.messages import message_columns
from msgstore.cli.render.screen import Screen
from msgstore.model.errors import CorruptStore

PAGE = 200
HELD = 1000
"""Messages in memory; the pages that were left behind are let go."""
_EDGE = 60


class MessageRows(Rows):
    """What matches, oldest first. `is_live`: the cursor stays with the newest."""

    class Replaced(Message):
        """The store is another one than that of the messages that are held."""

    def __init__(
        self, screen: Screen, desk: Desk, identity: Callable[[], str | None], **attributes: Any
    ) -> None:
        super().__init__(Grid(message_columns(screen), screen.signs), "reading …", **attributes)
        self.window = Window(HELD)
        self.is_live = True
        self._desk = desk
        self._identity = identity
        self.store_id: str | None = None
        self._pager: Pager | None = None
        self._opening = 0
        self._asked: set[str] = set()
        self._has_news = False

    # ------------------------------------------------------------ what is shown

    def records(self) -> tuple[Entry, ...]:
        return self.window.entries

    def as_line(self, record: Any) -> Any:
        if isinstance(record, Lost):
            return Text(f"{record.position}  cannot be read: {visible(record.problem)}", "bold red")
        try:
            return check_message(record)
        except CorruptStore as error:
            return Text(f"{record.position}  {visible(error.reason)}", "bold red")

    @property
    def current(self) -> Entry | None:
        entries = self.window.entries
        return entries[self.cursor] if 0 <= self.cursor < len(entries) else None

    # ------------------------------------------------------------ opening

    def open_end(self, pager: Pager | None = None) -> None:
        """Shows the newest, and stays with them."""
        self._open(pager, lambda p: (p.before(None, PAGE), Page((), True)), None, is_live=True)

    def open_at(self, position: int, pager: Pager | None = None) -> None:
        """Puts the cursor on the first entry at or behind a position; on the last if there is none."""

        def read(p: Pager) -> tuple[Page, Page]:
            return p.before(position, PAGE // 2), p.after(position - 1, PAGE)

        self._open(pager, read, position, is_live=False)

    def _open(
        self,
        pager: Pager | None,
        read: Callable[[Pager], tuple[Page, Page]],
        position: int | None,
        *,
        is_live: bool,
    ) -> None:
        if pager is not None:
            self._pager, self.window, self.empty = pager, Window(HELD), "reading …"
            self.grid.forget()
        reading = self._pager
        if reading is None:
            return
        self.is_live = is_live
        self._opening += 1
        opening, self._asked = self._opening, set()

        def show(answer: tuple[str | None, tuple[Page, Page]]) -> None:
            if opening == self._opening:
                self.store_id, pages = answer
                self._show(*pages, position)

        self._desk.ask("open", lambda: (self._identity(), read(reading)), show)
        self.draw()

    def _show(self, before: Page, after: Page, position: int | None) -> None:
        both = Page(before.entries + after.entries, after.is_last)
        self.window.show(both, is_at_start=before.is_last, is_at_end=after.is_last)
        self.empty = "no messages"
        end = len(both.entries) - 1
        self.cursor = max(0, end if position is None else self.window.index_of(position))
        self.top = max(0, self.cursor - self.height // 2)
        self._settle()

    # ------------------------------------------------------------ the edges

    def moved(self) -> None:
        self.is_live = self.window.is_at_end and self.cursor >= len(self.window.entries) - 1
        self._settle()

    def _settle(self) -> None:
        """After every change: is a page due, and what is the cursor on?"""
        if self.cursor < _EDGE and not self.window.is_at_start:
            self._ask("before")
        if self.cursor >= len(self.window.entries) - _EDGE and not self.window.is_at_end:
            self._ask("after")
        self.draw()
        self.post_message(self.Moved(self))

    def _ask(self, side: str) -> None:
        pager, entries = self._pager, self.window.entries
        if pager is None or side in self._asked or (not entries and side == "before"):
            return
        self._asked.add(side)
        opening = self._opening

        def read() -> tuple[str | None, Page]:
            if side == "before":
                page = pager.before(entries[0].position, PAGE)
            else:
                page = pager.after(entries[-1].position if entries else 0, PAGE)
            return self._identity(), page

        def add(answer: tuple[str | None, Page]) -> None:
            if opening != self._opening:
                return
            store_id, page = answer
            if store_id != self.store_id and self.window.entries:
                self.post_message(self.Replaced())
            else:
                self.store_id = store_id
                self._add(side, page)

        self._desk.ask(side, read, add)

    def _add(self, side: str, page: Page) -> None:
        self._asked.discard(side)
        if side == "before":
            shift = self.window.prepend(page)
        else:
            shift = -self.window.append(page)
        self.cursor, self.top = self.cursor + shift, max(0, self.top + shift)
        if side == "after" and self.is_live:
            if not page.is_last:  # so many came that most would be scrolled past
                self.open_end()
                return
            self.cursor = len(self.window.entries) - 1
        if self._has_news:
            self._has_news = False
            self.came()
        self._settle()

    # ------------------------------------------------------------ what arrives

    def came(self) -> None:
        """Something was saved: it is read if it is to be seen."""
        if "after" in self._asked:
            self._has_news = True
            return
        if self.window.is_at_end:
            if self.is_live or self.cursor >= len(self.window.entries) - _EDGE:
                self._ask("after")
            else:
                self.window.is_at_end = False

    # ------------------------------------------------------------ moving

    def action_home(self) -> None:
        if self.window.is_at_start:
            super().action_home()
        else:
            self.open_at(1)

    def action_end(self) -> None:
        if self.window.is_at_end:
            super().action_end()
        else:
            self.open_end()
