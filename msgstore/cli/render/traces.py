"""The tree of causes, and the lanes of streams over time."""

from collections import defaultdict
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from msgstore.cli.durations import duration
from msgstore.cli.escape import visible
from msgstore.cli.render.layout import ESSENTIAL, GAP
from msgstore.cli.render.messages import kind_sign, stream_style
from msgstore.cli.render.screen import Screen, cut
from msgstore.cli.render.table import HEAD, Column
from msgstore.cli.shapes import Shape

if TYPE_CHECKING:
    from msgstore.analysis.lanes import Lane
    from msgstore.analysis.tree import Node

_LEVELS_MAX = 12
_WARNING = "bold red"


def trace_columns(screen: Screen, shape: Shape) -> list[Column]:
    """What happened stands first, then where and when; what is wrong stands last, and is never cut away."""

    def message(node: "Node") -> Text:
        sign, style = kind_sign(node.stored, screen)
        text = Text(_guides(node, screen), "dim")
        text.append(f"{sign} ", style).append(visible(node.stored.message.type), "bold")
        return text.append(f" {screen.signs.here}", "bold") if node.is_start else text

    def gap(node: "Node") -> Text:
        if node.gap_us is None:
            return Text()
        return Text(f"+{duration(node.gap_us)}", _WARNING if node.is_slowest else "")

    return [
        Column("message", message, least=28, comfortable=60),
        Column(
            "stream",
            lambda n: Text(visible(n.stored.stream_id), stream_style(n.stored.stream_id)),
            least=12,
            comfortable=30,
        ),
        Column("#", lambda n: Text(str(n.stored.position), "dim"), right=True, rank=ESSENTIAL + 1),
        Column("since start", _offset, right=True, rank=ESSENTIAL),
        Column("gap", gap, right=True, rank=ESSENTIAL + 2, needed=lambda n: n.gap_us is not None),
        Column("by", _link, rank=1, needed=lambda n: n.link not in (None, "causation")),
        Column(
            "correlation",
            lambda n: Text(visible(n.stored.message.correlation_id or ""), "dim"),
            rank=2,
            needed=lambda n: n.stored.message.correlation_id is not None,
        ),
        Column("note", _note, least=16, needed=lambda n: bool(_note(n).plain)),
    ]


def _guides(node: "Node", screen: Screen) -> str:
    """The lines of a tree; of one deeper than twelve levels the outer ones give way to their number."""
    shown = node.guides[-_LEVELS_MAX:]
    hidden = node.depth - len(shown)
    down, branch, last = screen.signs.guides
    lines = "".join(down if goes_on else "  " for goes_on in shown[:-1])
    front = f"({hidden}) " if hidden else ""
    return front + lines + ((branch if shown[-1] else last) if shown else "")


def _offset(node: "Node") -> Text:
    return Text("" if node.offset_us is None else duration(node.offset_us), "dim")


def _link(node: "Node") -> Text:
    return Text(str(node.link or ""), "dim")


def _note(node: "Node") -> Text:
    notes = []
    if node.cycle:
        round_trip = " < ".join(f"#{position}" for position in (*node.cycle, node.cycle[0]))
        notes.append(f"cycle: {round_trip}")
    if node.is_orphan:
        notes.append(f"orphan: no {visible(node.stored.message.causation_id or '')}")
    return Text("; ".join(notes), _WARNING)


# ---------------------------------------------------------------- lanes

_NAME_CELLS_MAX = 28
_LANE_CELLS_MIN, _LANE_CELLS_MAX = 16, 120
_DEFAULT_WIDTH = 140


class Lanes:
    """An encoder: a line a stream, with a sign where something was recorded, over one scale of time."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._lanes: list[Lane] = []

    def add(self, lane: "Lane") -> bytes:
        self._lanes.append(lane)
        return b""

    def release(self) -> bytes:
        lanes, self._lanes = self._lanes, []
        if not lanes:
            return b""
        names = [visible(lane.stream_id) for lane in lanes]
        longest = max(6, *map(cell_len, names))
        width = self._screen.width or _DEFAULT_WIDTH
        name_cells = longest
        if self._screen.width is not None:
            name_cells = min(longest, max(12, min(_NAME_CELLS_MAX, width // 3)))
        counts = max(8, *(len(f"{len(lane.nodes):,}") for lane in lanes))
        cells = width - name_cells - counts - 2 * GAP
        cells = max(min(_LANE_CELLS_MIN, width), min(_LANE_CELLS_MAX, cells))
        head = (
            f"{'stream':<{name_cells}}  {_scale(lanes[0].span_us, cells)}  {'messages':>{counts}}"
        )
        lines = [Text(head, HEAD)]
        for lane, name in zip(lanes, names, strict=True):
            text = cut(Text(name, stream_style(lane.stream_id)), name_cells, self._screen.signs)
            text.append(" " * (name_cells - cell_len(text.plain) + GAP))
            text.append_text(self._marks(lane, cells))
            lines.append(text.append(f"  {len(lane.nodes):>{counts},}"))
        if self._screen.width is not None:
            lines = [cut(line, self._screen.width, self._screen.signs) for line in lines]
        return self._screen.draw(lines)

    def end(self) -> bytes:
        return b""

    def _marks(self, lane: "Lane", cells: int) -> Text:
        """Where several fall into one cell their number stands there, and `+` for ten or more."""
        signs = self._screen.signs
        at: defaultdict[int, list[Node]] = defaultdict(list)
        for node in lane.nodes:
            if node.offset_us is not None:
                at[node.offset_us * (cells - 1) // max(1, lane.span_us)].append(node)
        text = Text()
        last = max(at, default=-1)
        for cell in range(cells):
            here = at.get(cell, [])
            if len(here) > 1:
                text.append(str(len(here)) if len(here) < 10 else "+", "bold")
            elif here:
                text.append(*kind_sign(here[0].stored, self._screen))
            else:
                inside = min(at, default=cells) < cell < last
                text.append(signs.lane if inside else " ", "dim")
        return text


def _scale(span_us: int, cells: int) -> str:
    """`0`, the middle if there is room, and the end of the time that is shown."""
    middle, end = duration(span_us / 2), duration(span_us)
    text = list("0" + " " * (cells - 1))
    if cells > 2 * (len(middle) + len(end)) and span_us > 1:
        start = cells // 2 - len(middle) // 2
        text[start : start + len(middle)] = middle
    text[max(2, cells - len(end)) :] = end[-(cells - 2) :]
    return "".join(text)
