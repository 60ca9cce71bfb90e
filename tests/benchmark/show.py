"""A report as a table for a terminal, as a table for a page, and as a chart."""

from __future__ import annotations

from collections.abc import Iterator
from math import log10
from typing import Any
from xml.sax.saxutils import escape

from rich.console import Console
from rich.markup import escape as escape_markup
from rich.table import Table

from benchmark import machine
from benchmark.report import Report, amount, bar, judgement, measured, summary

BEGIN, END = "<!-- scripts/bench --markdown -->", "<!-- end -->"
BEGIN_SCALE = "<!-- scripts/scale --markdown -->"
"""Between one of these and the next END a page has what `--markdown` prints."""


def title(report: Report) -> str:
    return f"{report['command']} · {machine.sentence(report['machine'])}"


def print_table(report: Report, console: Console) -> None:
    table = Table(title=escape_markup(title(report)), title_justify="left")
    table.add_column("", no_wrap=True, min_width=3)
    table.add_column("work, and ÷ peer", min_width=30)
    for name in ("here", "there", "ratio", "target"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("  target is at │", no_wrap=True)
    table.add_column("", no_wrap=True, min_width=6)
    for row in report["rows"]:
        for cells in row_cells(row):
            table.add_row(*map(escape_markup, cells))
        table.add_section()
    console.print(table)
    for words in remarks(report):
        console.print(words, markup=False, highlight=False)


def row_cells(row: dict[str, Any]) -> Iterator[list[str]]:
    name = row["name"]
    for figure in row["figures"]:
        against = f"\n  ÷ {figure['peer']}" if "peer" in figure else ""
        yield [
            name,
            plain(figure["what"] + against),
            amount(figure["here"], figure["unit"]),
            amount(figure["there"], figure["unit"]) if "there" in figure else "",
            measured(figure),
            figure.get("target", ""),
            bar(figure["share"]) if "share" in figure else "",
            judgement(figure),
        ]
        name = ""
    if "broke" in row:
        yield [name, f"broke: {row['broke']}", *[""] * 5, "BROKE"]


def plain(text: str) -> str:
    return text.replace("`", "")


def remarks(report: Report) -> Iterator[str]:
    yield summary(report)
    yield machine.versions_sentence(report["machine"])
    yield from warnings(report)
    for row in report["rows"]:
        yield from (f"{row['name']}: {plain(words)}" for words in row["notes"])


def warnings(report: Report) -> Iterator[str]:
    if report["sizes"]["name"] != "full":
        yield f"{report['sizes']['name']}: smaller sizes and fewer rounds than docs/performance.md"
    yield from machine.doubts(report["machine"])


# ---------------------------------------------------------------- for a page


def markdown(report: Report) -> str:
    """Deterministic for a report: what stands in docs/performance.md between the two marks."""
    lines = [
        f"Machine: {machine.sentence(report['machine'])}. "
        f"{machine.versions_sentence(report['machine'])}.",
        "",
        f"`{report['command']}`: {summary(report)}.",
        "",
        "| | work | here | peer | there | ratio | target | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in report["rows"]:
        lines += [f"| {' | '.join(cells)} |" for cells in page_cells(row)]
    notes = list(warnings(report))
    notes += [f"{row['name']}: {words}" for row in report["rows"] for words in row["notes"]]
    if notes:
        lines += ["", *(f"- {words}" for words in notes)]
    return "\n".join(lines) + "\n"


def page_cells(row: dict[str, Any]) -> Iterator[list[str]]:
    if not row["figures"]:
        yield [row["name"], row["work"], "not measured", row["peer"], "", "", "", ""]
    for figure in row["figures"]:
        yield [
            row["name"],
            figure["what"],
            amount(figure["here"], figure["unit"]),
            figure.get("peer", ""),
            amount(figure["there"], figure["unit"]) if "there" in figure else "",
            measured(figure),
            figure.get("target", ""),
            judgement(figure),
        ]


def put_between_marks(page: str, table: str, begin: str = BEGIN) -> str:
    """The page with another table. Raises ValueError where it has no place for one."""
    before, found, rest = page.partition(begin)
    _, end, after = rest.partition(END)
    if not found or not end:
        raise ValueError(f"the page has no place for the table: {begin} … {END}")
    return f"{before}{begin}\n\n{table}\n{END}{after}"


# ---------------------------------------------------------------- chart

_LABEL, _BAR, _LINE, _DECADES = 330, 400, 18, 2.0


def chart_text(report: Report) -> str:
    """A bar for each target of a row: up to the mark it is met, beyond the mark it is missed."""
    lines = [summary(report), ""]
    for name, figure in with_targets(report):
        words = f"{name:<4} {plain(figure['what']):<58.58}"
        lines.append(
            f"{words} {bar(figure['share'])} {judgement(figure):<6} "
            f"{measured(figure)} ({figure['target']})"
        )
    return "\n".join(lines) + "\n"


def chart_svg(report: Report) -> str:
    """The same as a picture, on a logarithmic scale: from a hundredth of the target to 100 times."""
    figures = list(with_targets(report))
    height = _LINE * (len(figures) + 3)
    width = _LABEL + _BAR + 210
    middle = _LABEL + _BAR // 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">',
        f"<title>{escape(summary(report))}</title>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text x="{middle}" y="14" text-anchor="middle">target</text>',
    ]
    for line, (name, figure) in enumerate(figures):
        parts += svg_bar(_LINE * (line + 1) + 4, name, figure)
    parts.append(
        f'<path d="M{middle} 18V{_LINE * (len(figures) + 1) + 4}" stroke="#000" stroke-width="1.5"/>'
    )
    below = _LINE * (len(figures) + 2)
    parts.append(
        f'<text x="{middle}" y="{below}" text-anchor="middle">'
        "better ← 0.1 and 10 times the target are half way to the ends → worse</text>"
    )
    return "\n".join([*parts, "</svg>"]) + "\n"


def svg_bar(y: int, name: str, figure: dict[str, Any]) -> list[str]:
    share = max(figure["share"], 1e-9)
    length = round(max(-1.0, min(1.0, log10(share) / _DECADES)) * _BAR / 2)
    middle = _LABEL + _BAR // 2
    x = min(middle, middle + length)
    # Filled or empty: the difference must be seen in black and white.
    dress = 'fill="#3a7"' if figure["met"] else 'fill="#fff" stroke="#b30" stroke-width="1.5"'
    what = escape(f"{name}  {plain(figure['what'])}"[:58])
    words = escape(f"{judgement(figure)}: {measured(figure)} ({figure['target']})")
    return [
        f'<text x="4" y="{y + 11}">{what}</text>',
        f'<rect x="{x}" y="{y + 2}" width="{max(1, abs(length))}" height="{_LINE - 6}" {dress}/>',
        f'<text x="{_LABEL + _BAR + 8}" y="{y + 11}">{words}</text>',
    ]


def with_targets(report: Report) -> Iterator[tuple[str, dict[str, Any]]]:
    """Of each row and each of its targets the figure that is furthest from it."""
    for row in report["rows"]:
        worst: dict[str, dict[str, Any]] = {}
        for figure in row["figures"]:
            if "share" in figure:
                other = worst.setdefault(figure["target"], figure)
                if figure["share"] > other["share"]:
                    worst[figure["target"]] = figure
        yield from ((row["name"], figure) for figure in worst.values())
