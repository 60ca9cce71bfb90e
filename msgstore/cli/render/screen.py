"""What the output can show: how wide it is, whether in colour, and in which characters."""

import io
import shutil
import sys
from collections.abc import Iterable
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from msgstore.cli.settings import Settings


class Signs(NamedTuple):
    """The characters that are not letters."""

    command: str
    event: str
    active: str
    ellipsis: str
    bar: str
    """Parts of a bar, from the thinnest to a whole cell."""
    spark: str
    """From the lowest to the highest."""
    guides: tuple[str, str, str]
    """The lines of a tree: past a level, to one of several, to the last."""
    lane: str
    here: str
    becomes: str


UNICODE = Signs(
    *("▶", "●", "●", "…", "▏▎▍▌▋▊▉█", "▁▂▃▄▅▆▇█"),
    *(("│ ", "├─", "└─"), "─", "◀", "→"),
)
ASCII = Signs(*(">", "*", "*", "...", "#", ".:|"), *(("| ", "|-", "`-"), "-", "<", "->"))


class Screen:
    """`width` is None where nothing limits it: in a file or a pipe."""

    def __init__(self, settings: Settings) -> None:
        self.width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        self.signs = UNICODE if _takes_unicode(settings) else ASCII
        self._encoding = sys.stdout.encoding or "utf-8"
        self._console = Console(
            file=io.StringIO(),
            force_terminal=settings.colored,
            color_system="auto" if settings.colored else None,
            no_color=False,
        )

    def draw(self, lines: Iterable[Text]) -> bytes:
        """The lines as they are, neither wrapped nor cut; blanks at their ends are left out."""
        system = self._console._color_system
        parts = []
        for line in lines:
            line.rstrip()
            for text, style, _ in line.render(self._console, end="\n"):
                parts.append(style.render(text, color_system=system) if style and system else text)
        return "".join(parts).encode(self._encoding, "backslashreplace")


def _takes_unicode(settings: Settings) -> bool:
    names = (settings.environment.get(name) for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    locale = next((name for name in names if name), "UTF-8").lower()
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    return encoding == "utf8" and ("utf" in locale or locale not in ("c", "posix"))


def cut(text: Text, width: int, signs: Signs) -> Text:
    """At most `width` cells of `text`, an ellipsis in place of what is left out."""
    if cell_len(text.plain) <= width:
        return text
    text = text.copy()
    text.truncate(max(0, width - len(signs.ellipsis)))
    return text.append(signs.ellipsis[:width])
