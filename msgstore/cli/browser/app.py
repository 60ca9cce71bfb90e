"""The screen of `browse`: what each key does, and who is told of it."""

from collections.abc import Callable
from select import POLLHUP, poll
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from msgstore.analysis.paging import Pager
from msgstore.cli.browser import flags as command
from msgstore.cli.browser.detail import Detail
from msgstore.cli.browser.facts import Counted, Facts
from msgstore.cli.browser.look import BREAKPOINTS, STYLE, Help
from msgstore.cli.browser.messages import MessageRows
from msgstore.cli.browser.rows import Rows
from msgstore.cli.browser.side import Runs, Streams
from msgstore.cli.browser.source import Desk, Follower, News, quietly
from msgstore.cli.escape import visible
from msgstore.cli.render.screen import Screen as Signs
from msgstore.model.errors import MsgStoreError, ReadOnlyStore, StoreClosed

if TYPE_CHECKING:
    from msgstore.backends.protocol import LocalMessageStore
    from msgstore.cli.settings import Settings

_LOOKS_FOR_TERMINAL_S = 1
KEYS = "? help  q quit  / filter  Enter open  r runs  s streams  f follow  y copy"


class Browser(App[None]):
    """Shows one store. It only reads."""

    CSS = STYLE
    HORIZONTAL_BREAKPOINTS = BREAKPOINTS
    TITLE = "msgstore browse"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,ctrl+c", "quit", show=False, priority=False),
        Binding("question_mark", "help", show=False),
        Binding("slash", "filter", show=False),
        Binding("c", "clear", show=False),
        Binding("p", "position", show=False),
        Binding("r", "visit('runs')", show=False),
        Binding("s", "visit('streams')", show=False),
        Binding("m", "visit('messages')", show=False),
        Binding("f", "follow", show=False),
        Binding("y", "copy", show=False),
        Binding("t", "theme", show=False),
        Binding("ctrl+r", "reload", show=False),
        Binding("escape", "outwards", show=False),
    ]

    class Told(Message):
        """A thread has something for the one that draws."""

        def __init__(self, deed: Callable[[], None]) -> None:
            super().__init__()
            self.deed = deed

    def __init__(
        self, settings: "Settings", store: "LocalMessageStore", flags: command.Flags, theme: str
    ) -> None:
        super().__init__()
        self.theme = f"textual-{theme}"
        self._settings = settings
        self._store = store
        self.flags = flags
        self.facts = Facts(store)
        deliver = quietly(lambda deed: self.post_message(self.Told(deed)))
        self._pages = Desk(deliver, self.failed)
        self._sides = Desk(deliver, self.failed)
        self._follower = Follower(
            store, deliver, self.came, self._follow_failed, self._identity, self.seen
        )
        self._failure: Exception | None = None
        self._make_parts(Signs(settings))

    def run_to_end(self) -> None:
        """Returns when the user left; raises what should not have happened."""
        try:
            self.run()
        finally:
            self.close_threads()
        if self._failure or self._exception:
            raise self._failure or self._exception  # type: ignore[misc]

    def close_threads(self) -> None:
        self._pages.close()
        self._sides.close()
        self._follower.close()

    def _fatal_error(self) -> None:
        """Instead of Textual's traceback, which shows the values of all variables."""
        self._close_messages_no_wait()

    # ------------------------------------------------------------ the parts

    def compose(self) -> ComposeResult:
        yield self._title_line
        yield self._filter_line
        yield self._ask_filter
        yield self._ask_position
        with Horizontal(id="body-row"):
            with Vertical(id="side"):
                yield self.runs
                yield self.streams
            with Container(id="main"):
                yield self.messages
                yield self.detail
        yield self._status_line
        yield Static(Content(KEYS), id="keys", markup=False)

    def _make_parts(self, signs: Signs) -> None:
        hint = "-t TYPE --stream GLOB --since 1h --where 'a>=1'"
        self._title_line = Static(id="title", markup=False)
        self._filter_line = Static(id="filter", markup=False)
        self._ask_filter = Input(id="ask-filter", placeholder=hint, select_on_focus=False)
        self._ask_position = Input(id="ask-position", placeholder="a position", type="integer")
        self._inputs = (self._ask_filter, self._ask_position)
        self._status_line = Static(id="status", markup=False)
        self.runs = Runs(signs, id="runs")
        self.streams = Streams(signs, self._sides, self._store, id="streams")
        self.messages = MessageRows(signs, self._pages, self._identity, id="messages")
        self.detail = Detail(id="detail")

    def _identity(self) -> str | None:
        """Another one after a reset, of stores that tell."""
        return getattr(self._store, "store_id", None)

    def on_mount(self) -> None:
        if self.size.width >= BREAKPOINTS[2][0]:
            self.detail.add_class("-open")
        self.messages.focus()
        self.apply(self.flags)
        self._follower.start(self.facts.find_end)
        self._load_sides()
        if not self.is_headless:
            self.set_interval(_LOOKS_FOR_TERMINAL_S, self._leave_lost_terminal)

    def _leave_lost_terminal(self) -> None:
        """Who is no child of the terminal's shell is not told that its window was closed."""
        watched = poll()
        watched.register(0, POLLHUP)
        if any(event & POLLHUP for _, event in watched.poll(0)):
            self.exit()

    def on_browser_told(self, told: Told) -> None:
        told.deed()

    def _load_sides(self) -> None:
        self._sides.ask("runs", self._store.get_sessions, self.runs.show)
        self.streams.reload()

    # ------------------------------------------------------------ the filter

    def apply(self, flags: command.Flags) -> bool:
        """Shows what the flags select, from the newest on. False, and said, where they are wrong."""
        try:
            filter = command.filter_of(flags, self._store)
        except MsgStoreError as error:
            self.failed(error)
            return False
        self.flags = flags
        self.messages.open_end(Pager(self._store, filter))
        self._count(self.facts.begin(filter))
        line = visible(command.flag_line(flags))
        self._filter_line.update(Content(line or "all messages"))
        self.say("")
        return True

    def _count(self, count: Callable[[], Counted]) -> None:
        def show(counted: Counted) -> None:
            self.facts.take(counted)
            self.draw_title()

        self._sides.ask("count", count, show)
        self.draw_title()

    # ------------------------------------------------------------ what arrives, what fails

    def came(self, news: News) -> None:
        if news.was_reset:
            self.emptied()
            return
        self.messages.came()
        self._count(self.facts.count_more)
        self._load_sides()

    def seen(self, store_id: str | None) -> None:
        """What the store calls itself now; it may have been emptied while the list was opened."""
        if self.messages.store_id not in (None, store_id):
            self.emptied()

    def emptied(self) -> None:
        """The store was reset: what is shown is of another one."""
        self.apply(self.flags)
        self._load_sides()
        self.say("the store was emptied; this is what is in it now")

    def failed(self, error: Exception) -> None:
        """Says what is wrong with the store; what is wrong with msgstore ends it."""
        if isinstance(error, StoreClosed):
            return
        if not isinstance(error, MsgStoreError | OSError):
            self._failure = error
            self.exit()
            return
        self.facts.stop_counting()
        self.draw_title()
        advice = getattr(error, "hint", None) or getattr(error, "advice", "ctrl+r reads anew")
        self.say(f"{getattr(error, 'reason', error)}; try: {advice}", is_error=True)

    def _follow_failed(self, error: Exception) -> None:
        self.facts.is_followed = False
        if isinstance(error, ReadOnlyStore):  # a pack, in which nothing arrives
            self.draw_title()
        else:
            self.failed(error)

    def say(self, text: str, *, is_error: bool = False) -> None:
        status = self._status_line
        status.set_class(is_error, "-error")
        status.update(Content(visible(text)))

    def draw_title(self) -> None:
        store = visible(self._settings.store_url)
        rows = self.messages
        place = None if rows.current is None else rows.current.position
        text = self.facts.title(store, place, rows.is_live, self.size.width - 2)
        self._title_line.update(Content(text))

    # ------------------------------------------------------------ lists

    def on_rows_moved(self, moved: Rows.Moved) -> None:
        if isinstance(moved.rows, MessageRows):
            if self.detail.has_class("-open"):
                self.detail.show(moved.rows.current)
            self.draw_title()

    def on_message_rows_replaced(self) -> None:
        self.emptied()

    def on_rows_chosen(self, chosen: Rows.Chosen) -> None:
        rows = chosen.rows
        if isinstance(rows, Runs):
            self._narrow("session", rows.session_id)
        elif isinstance(rows, Streams):
            stream_id = rows.stream_id
            self._narrow("stream", None if stream_id is None else command.stream_flag(stream_id))
        elif isinstance(rows, MessageRows):
            self.detail.add_class("-open")
            self.detail.show(rows.current)
            self.detail.focus()

    def _narrow(self, name: str, value: str | None) -> None:
        flags: dict[str, Any] = {**self.flags, name: value}
        if self.apply(command.given(flags)):
            self.action_visit("messages")

    def action_visit(self, name: str) -> None:
        self.screen.set_class(name != "messages", "-side")
        self.query_one(f"#{name}").focus()

    def action_outwards(self) -> None:
        """Out of the innermost: a line that is typed, a message, a list, the filter."""
        has_room = self.size.width >= BREAKPOINTS[2][0]
        if any(one.has_class("-open") for one in self._inputs):
            self._close_inputs()
        elif self.detail.has_class("-open") and (self.detail.has_focus or not has_room):
            self.detail.set_class(has_room, "-open")
            self.messages.focus()
        elif not self.messages.has_focus:
            self.action_visit("messages")
        elif self.flags:
            self.apply({})

    # ------------------------------------------------------------ lines that are typed

    def action_filter(self) -> None:
        line = command.flag_line(self.flags)
        self._open_input(self._ask_filter, f"{line} " if line else "")

    def action_position(self) -> None:
        self._open_input(self._ask_position, "")

    def _open_input(self, line: Input, value: str) -> None:
        self._close_inputs()
        line.value = value
        line.add_class("-open")
        self.screen.remove_class("-side")
        self._filter_line.display = False
        line.focus()
        line.cursor_position = len(value)

    def _close_inputs(self) -> None:
        for line in self._inputs:
            line.remove_class("-open")
        self._filter_line.display = True
        self.messages.focus()

    def on_input_changed(self, changed: Input.Changed) -> None:
        """What was pasted may hold anything; what cannot be seen is left out."""
        if not changed.value.isprintable():
            changed.input.value = "".join(c for c in changed.value if c.isprintable())

    def on_input_submitted(self, submitted: Input.Submitted) -> None:
        if submitted.input is self._ask_position:
            self._close_inputs()
            if submitted.value.isdecimal() and len(submitted.value) < 19:
                self.messages.open_at(max(1, int(submitted.value)))
            return
        try:
            flags = command.parse_flags(submitted.value)
        except MsgStoreError as error:
            self.failed(error)
            return
        if self.apply(flags):
            self._close_inputs()

    # ------------------------------------------------------------ keys

    def action_clear(self) -> None:
        self.apply({})

    def action_follow(self) -> None:
        rows = self.messages
        if rows.is_live:
            rows.is_live = False
            self.draw_title()
        else:
            rows.open_end()

    def action_copy(self) -> None:
        text = self.equivalent()
        self.copy_to_clipboard(text)
        self.say(f"copied: {text}")

    def equivalent(self) -> str:
        """The command that prints what has the keyboard."""
        url = self._settings.store
        focused = self.focused
        if isinstance(focused, Runs) and (session_id := focused.session_id):
            if focused.current == session_id:  # no run, and so no session to show
                return command.query_command(url, {"session": session_id})
            return command.session_command(url, session_id)
        if isinstance(focused, Streams) and (stream_id := focused.stream_id):
            return command.stream_command(url, stream_id)
        entry = self.messages.current
        if isinstance(focused, Detail) and entry is not None:
            return command.show_command(url, entry.position)
        return command.query_command(url, self.flags)

    def action_theme(self) -> None:
        self.theme = "textual-light" if self.theme == "textual-dark" else "textual-dark"
        for rows in self.query(Rows):
            rows.draw()

    def action_reload(self) -> None:
        self.apply(self.flags)
        self._load_sides()

    def action_help(self) -> None:
        self.push_screen(Help())
