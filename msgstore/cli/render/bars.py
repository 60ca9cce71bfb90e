"""Numbers as bars and sparklines."""

from collections.abc import Sequence

from rich.text import Text

from msgstore.cli.render.screen import Screen

_STYLE = "color(31)"


def bar(number: int, largest: int, screen: Screen) -> Text:
    """As long as the number is large: a quarter of the screen for the largest; nothing for 0."""
    cells = max(10, min(30, (screen.width or 140) // 4 - 5))
    steps = len(screen.signs.bar)
    size = max(1, round(number / max(1, largest) * cells * steps)) if number else 0
    whole, part = divmod(size, steps)
    text = screen.signs.bar[-1] * whole + (screen.signs.bar[part - 1] if part else "")
    return Text(text, _STYLE)


def sparkline(numbers: Sequence[int], screen: Screen) -> Text:
    """A sign a number, the higher the larger; a blank for 0."""
    signs = screen.signs.spark
    largest = max(1, *numbers)
    return Text(
        "".join(signs[-(-n * len(signs) // largest) - 1] if n else " " for n in numbers), _STYLE
    )
