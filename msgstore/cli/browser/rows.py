"""A list of lines with a cursor, which draws what is seen and asks for no more."""

from typing import Any, ClassVar

from rich.segment import Segment
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from msgstore.cli.browser.grid import Grid


class Rows(Widget, can_focus=True):
    """Draws `records()`; `moved()` is called whenever the cursor went somewhere."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"rows--head", "rows--cursor", "rows--blurred"}
    DEFAULT_CSS = """
    Rows > .rows--head { color: $text-muted; text-style: bold; }
    Rows > .rows--cursor { background: $primary 25%; }
    Rows > .rows--blurred { background: $primary 12%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup,ctrl+b", "page(-1)", show=False),
        Binding("pagedown,space,ctrl+f", "page(1)", show=False),
        Binding("home,g", "home", show=False),
        Binding("end,G", "end", show=False),
        Binding("enter", "choose", show=False),
    ]

    class Chosen(Message):
        """Enter, or a click on the line where the cursor is."""

        def __init__(self, rows: "Rows") -> None:
            super().__init__()
            self.rows = rows

        @property
        def control(self) -> "Rows":
            return self.rows

    class Moved(Chosen):
        """The cursor is on another line."""

    def __init__(self, grid: Grid, empty: str, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.grid = grid
        self.empty = empty
        self.cursor = 0
        self.top = 0
        self._lines: list[Text] | None = None

    # ------------------------------------------------------------ what a list supplies

    def records(self) -> Any:
        """A sequence of what is there to be drawn."""
        raise NotImplementedError  # each kind of rows has its own

    def as_line(self, record: Any) -> Any:
        """A record for the grid, or a Text that goes over all columns."""
        return record

    def moved(self) -> None:
        self.post_message(self.Moved(self))

    # ------------------------------------------------------------ moving

    @property
    def height(self) -> int:
        """Lines for records: all but the head."""
        return max(1, self.size.height - 1)

    def go(self, cursor: int) -> None:
        """Puts the cursor on a line, or as near as there is one."""
        self.cursor = max(0, min(cursor, len(self.records()) - 1))
        self.moved()
        self.draw()

    def action_move(self, by: int) -> None:
        self.go(self.cursor + by)

    def action_page(self, by: int) -> None:
        self.go(self.cursor + by * max(1, self.height - 1))

    def action_home(self) -> None:
        self.go(0)

    def action_end(self) -> None:
        self.go(len(self.records()) - 1)

    def action_choose(self) -> None:
        if len(self.records()):
            self.post_message(self.Chosen(self))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.go(self.cursor + 3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.go(self.cursor - 3)

    def on_click(self, event: events.Click) -> None:
        index = self.top + event.y - 1
        if not 0 <= index < len(self.records()) or event.y < 1:
            return
        if index == self.cursor:
            self.action_choose()
        else:
            self.go(index)

    # ------------------------------------------------------------ drawing

    def draw(self) -> None:
        """Has the lines that are seen made anew, once for all that happens until the next picture."""
        if not self.size:
            return
        count = len(self.records())
        self.cursor = max(0, min(self.cursor, count - 1))
        lowest = max(0, count - self.height)
        self.top = min(max(self.top, self.cursor - self.height + 1), self.cursor, lowest)
        self._lines = None
        self.refresh()

    def _make_lines(self) -> list[Text]:
        seen = self.records()[self.top : self.top + self.height]
        lines = self.grid.lines([self.as_line(one) for one in seen], self.size.width - 2)
        return lines if seen else [*lines, Text(self.empty)]

    def on_resize(self) -> None:
        self.grid.forget()
        self.draw()

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if self._lines is None:
            self._lines = self._make_lines()
        text = self._lines[y] if y < len(self._lines) else Text()
        segments = text.render(self.app.console, end="")
        strip = Strip([Segment(" "), *segments]).adjust_cell_length(width)
        if y == 0:
            strip = strip.apply_style(self.get_component_rich_style("rows--head"))
        elif self.top + y - 1 == self.cursor and len(self.records()):
            name = "rows--cursor" if self.has_focus else "rows--blurred"
            strip = strip.apply_style(self.get_component_rich_style(name))
        return strip.apply_style(self.rich_style)
