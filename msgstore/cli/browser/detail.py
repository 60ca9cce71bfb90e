"""One message, whole, as `show` prints it."""

from typing import Any, ClassVar

import orjson
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content, Span
from textual.widgets import Static

from msgstore.analysis.paging import Entry, Lost
from msgstore.cli.encoders import dump_json
from msgstore.cli.escape import visible, visible_json
from msgstore.cli.output import check_message
from msgstore.cli.render.pretty import TOKEN
from msgstore.model.errors import CorruptStore

SHOWN_MAX = 64 * 1024
"""Characters; what is longer is for `show`."""
_STYLES = {
    "key": "$text-accent",
    "text": "$text-success",
    "number": "$text-warning",
    "word": "$text-error",
}


class Detail(VerticalScroll):
    """Takes the keyboard, so that long ones can be scrolled."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "app.outwards", show=False),
        Binding("k", "scroll_up", show=False),
        Binding("j", "scroll_down", show=False),
        Binding("g", "scroll_home", show=False),
        Binding("G", "scroll_end", show=False),
        Binding("space", "page_down", show=False),
    ]

    def __init__(self, **attributes: Any) -> None:
        self._body = Static(Content(""), markup=False)
        super().__init__(self._body, **attributes)

    def show(self, entry: Entry | None) -> None:
        self._body.update(describe(entry))
        self.scroll_home(animate=False)


def describe(entry: Entry | None) -> Content:
    """The text of an entry. Nothing in it is taken for markup, and nothing acts on the terminal."""
    if entry is None:
        return Content("")
    if isinstance(entry, Lost):
        text = f"The message at position {entry.position} cannot be read: {visible(entry.problem)}"
        return Content(f"{text}\n\ntry: msgstore verify, msgstore repair")
    try:
        check_message(entry)
    except CorruptStore as error:
        return Content(f"{visible(error.reason)}\n\ntry: {error.advice}")
    shown = visible_json(dump_json(entry.to_json(), orjson.OPT_INDENT_2).decode()).rstrip()
    more = len(shown) - SHOWN_MAX
    text = shown[:SHOWN_MAX]
    spans = [
        Span(*token.span(), _STYLES[token.lastgroup or "word"]) for token in TOKEN.finditer(text)
    ]
    if more > 0:
        text += f"\n\n… and {more:,} characters more: y copies the command that shows all"
    return Content(text, spans)
