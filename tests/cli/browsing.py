"""The screen of browse, driven by Textual's pilot over a real store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Static

from msgstore.cli.browser.app import Browser
from msgstore.cli.browser.flags import parse_flags
from msgstore.cli.browser.rows import Rows
from msgstore.cli.settings import Settings

WIDE, MIDDLE, NARROW = (140, 30), (80, 24), (60, 20)


class Screen:
    """What a test sees and does."""

    def __init__(self, app: Browser, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def type(self, text: str) -> None:
        names = {" ": "space", "-": "minus", "/": "slash", ">": "greater_than_sign"}
        names |= {"=": "equals_sign", "'": "apostrophe", "*": "asterisk", "_": "underscore"}
        await self.pilot.press(*(names.get(character, character) for character in text))

    async def until(self, holds: Callable[[], Any]) -> None:
        """Lets the program go on until something is so; the test's own timeout is the limit."""
        while not holds():
            await self.pilot.pause()

    async def until_shown(self, text: str) -> None:
        await self.until(lambda: text in self.text)

    @property
    def lines(self) -> list[str]:
        """The characters that stand on the screen."""
        return ["".join(part.text for part in strip) for strip in self.strips()]

    def strips(self) -> Any:
        return self.app.screen._compositor.render_strips()

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def part(self, name: str) -> str:
        return str(self.app.query_one(name, Static).content)

    @property
    def title(self) -> str:
        return self.part("#title")

    @property
    def status(self) -> str:
        return self.part("#status")

    @property
    def positions(self) -> list[int]:
        """Those in the list of messages that are held."""
        return [entry.position for entry in self.app.messages.window.entries]

    @property
    def position(self) -> int | None:
        """That of the cursor."""
        current = self.app.messages.current
        return None if current is None else current.position

    def can_go_back(self) -> bool:
        """Whether what is before the cursor is held, so that a key has somewhere to go."""
        rows = self.app.messages
        return rows.cursor >= rows.height or rows.window.is_at_start

    def rows(self, name: str) -> Any:
        return self.app.query_one(f"#{name}", Rows)


def browse(
    store: Path | str,
    act: Callable[[Screen], Awaitable[None]],
    *,
    flags: str = "",
    size: tuple[int, int] = MIDDLE,
    theme: str = "dark",
) -> None:
    """Opens the store, waits until messages are shown and counted, and lets a test act."""

    async def run() -> None:
        settings = Settings({})
        settings.store = str(store)
        with settings.open_store() as opened:
            app = Browser(settings, opened, parse_flags(flags), theme)
            try:
                async with app.run_test(size=size) as pilot:
                    screen = Screen(app, pilot)
                    await screen.until(lambda: app.messages.empty != "reading …")
                    await screen.until(lambda: "counting" not in screen.title)
                    await act(screen)
            finally:
                app.close_threads()

    asyncio.run(run())
