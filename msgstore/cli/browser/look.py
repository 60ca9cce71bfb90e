"""Where things stand, and what the keys do: the style sheet and the page of help."""

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

STYLE = """
Screen { background: $background; color: $foreground; }
#title { height: 1; background: $panel; color: $foreground; padding: 0 1; }
#filter { height: 1; padding: 0 1; color: $text-muted; }
#status { height: 1; padding: 0 1; }
#status.-error { background: $error-muted; color: $text-error; }
#keys { height: 1; background: $panel; color: $text-muted; padding: 0 1; }
Input { height: 1; border: none; padding: 0 1; display: none; background: $boost; }
Input:focus { border: none; }
Input.-open { display: block; }

#body-row { height: 1fr; }
#side { width: 38; display: none; border-right: solid $panel; }
#side Rows { height: 1fr; }
#streams { border-top: solid $panel; }
#main { width: 1fr; layout: vertical; }
#messages { height: 1fr; width: 1fr; }
#detail { display: none; height: 55%; width: 1fr; border-top: solid $panel; padding: 0 1; }
#detail:focus { border-top: solid $primary; }
#detail.-open { display: block; }
#detail { scrollbar-size-vertical: 1; }

Screen.-side #side { display: block; width: 1fr; border-right: none; }
Screen.-side #main { display: none; }
Screen.-wide #side, Screen.-huge #side {
    display: block; width: 34; border-right: solid $panel;
}
Screen.-wide #main, Screen.-huge #main { display: block; }
Screen.-huge #main { layout: horizontal; }
Screen.-huge #detail { height: 1fr; width: 44; border-top: none; border-left: solid $panel; }
Screen.-huge #detail:focus { border-left: solid $primary; border-top: none; }

Help { align: center middle; }
Help VerticalScroll {
    width: 58; max-width: 100%; height: auto; max-height: 100%;
    background: $surface; border: round $primary; padding: 0 1; scrollbar-size-vertical: 1;
}
"""
BREAKPOINTS = [(0, "-narrow"), (100, "-wide"), (130, "-huge")]

HELP = """\
j k up down  a line       PgUp PgDn  a screen
g G Home End the oldest, the newest
Enter        open the message; of a run, of a stream
             show the messages
Esc          back, and at last to the whole store
Tab          the next list
r s m        runs, streams, messages

/            filter, with the flags of query:
             -t TYPE --since 1h --where 'a>=1'
c            no filter
p            go to a position
f            stay with the newest, or stop that
y            copy the equivalent command: query for a
             list, show for an open message, sessions
             show for a run, read for a stream

ctrl+r       read all anew
t            light or dark
? q          this page, leave
"""


class Help(ModalScreen[None]):
    """All keys; any of those that close it close it."""

    BINDINGS = [Binding("escape,q,question_mark,enter", "dismiss", show=False)]  # noqa: RUF012

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(Content(HELP), markup=False)
