"""What differs between two runs: a line a message, and a line a field below it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.text import Text

from msgstore.cli.encoders import dump_json
from msgstore.cli.escape import visible, visible_json
from msgstore.cli.render.brief import brief
from msgstore.cli.render.messages import stream_style
from msgstore.cli.render.screen import Screen, cut
from msgstore.model.values import MISSING

if TYPE_CHECKING:
    from msgstore.analysis.changes import Change
    from msgstore.analysis.comparison import Difference

_STYLES = {"missing": "color(125)", "extra": "color(29)", "changed": "color(130)"}
_SIGNS = {"missing": "-", "extra": "+", "changed": "~"}
_VALUE_CELLS_MAX = 2000


class Differences:
    """An encoder."""

    def __init__(self, screen: Screen, wide: bool) -> None:
        self._screen = screen
        self._width = None if wide else screen.width

    def add(self, difference: "Difference") -> bytes:
        lines = [*self._lines(difference)]
        if self._width is not None:
            lines = [cut(line, self._width, self._screen.signs) for line in lines]
        return self._screen.draw(lines)

    def release(self) -> bytes:
        return b""

    def end(self) -> bytes:
        return b""

    def _lines(self, difference: "Difference") -> Iterator[Text]:
        style, message = _STYLES[difference.sign], difference.message
        line = Text(f"{_SIGNS[difference.sign]} ", f"bold {style}")
        line.append(visible(message.message.type), f"bold {style}").append("  ")
        line.append(visible(message.stream_id), stream_style(message.stream_id))
        sides = [side for side in (difference.a, difference.b) if side is not None]
        places = f" {self._screen.signs.becomes} ".join(f"#{side.position}" for side in sides)
        line.append(f"  {places}", "dim")
        if difference.under:
            line.append(f"  below {visible(difference.under[-1])}", "dim")
        yield line
        for change in difference.fields:
            yield self._field(change)
        if not difference.fields and message.message.data != {}:
            yield Text.assemble(
                "    ", *((text, "dim") for text, _ in brief(message.message.data, 400))
            )

    def _field(self, change: "Change") -> Text:
        line = Text(f"    {visible(change.path)}  ")
        a, b = _value(change.a), _value(change.b)
        if change.a is MISSING:
            return line.append(f"+ {b}", _STYLES["extra"])
        line.append(a if change.b is not MISSING else f"- {a}", _STYLES["missing"])
        if change.b is not MISSING:
            line.append(f" {self._screen.signs.becomes} ", "dim").append(b, _STYLES["extra"])
        return line


def _value(value: Any) -> str:
    if value is MISSING:
        return ""
    text = visible_json(dump_json(value).decode())
    return text if len(text) <= _VALUE_CELLS_MAX else f"{text[:_VALUE_CELLS_MAX]} ..."
