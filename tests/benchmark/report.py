"""The results of a run as values that JSON can hold; all that is shown is drawn from these."""

from __future__ import annotations

from typing import Any

from benchmark.rows import Figure, Row

Report = dict[str, Any]


def figure_of(figure: Figure) -> dict[str, Any]:
    there = figure.there
    told: dict[str, Any] = {
        "what": figure.what,
        "unit": figure.unit,
        "here": figure.here.median,
        "hereRounds": list(figure.here.rounds),
    }
    if there:
        told |= {"peer": figure.peer, "there": there.median, "thereRounds": list(there.rounds)}
        told["ratio"] = figure.ratio
    if figure.target and figure.value is not None:
        told["value"] = figure.value
        told["target"] = str(figure.target)
        told["targetUnit"] = figure.target.unit
        told["met"] = figure.is_met
        told["share"] = figure.target.share(figure.value)
    return told


def row_of(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "work": row.work,
        "peer": row.peer,
        "targets": [str(target) for target in row.targets],
        "figures": [],
        "notes": [],
    }


def judgement(figure: dict[str, Any]) -> str:
    """In words, so that it is seen without colours."""
    if "met" not in figure:
        return ""
    return "met" if figure["met"] else "MISSED"


def measured(figure: dict[str, Any]) -> str:
    """What the target is held against, as text: a ratio, or a figure in the target's unit."""
    if "value" in figure:
        return amount(figure["value"], figure["targetUnit"])
    return amount(figure["ratio"], "") if figure.get("ratio") is not None else ""


def amount(value: float, unit: str) -> str:
    """Three digits, and more where there are more before the point: 0.0123, 12.3, 12,346; counts whole."""
    if value == 0 or isinstance(value, int) or abs(value) >= 100:
        text = f"{value:,.0f}"
    else:
        digits = 2
        bound = 10.0
        while digits and abs(value) >= bound:
            digits, bound = digits - 1, bound * 10
        while abs(value) < bound / 10 and digits < 5:
            digits, bound = digits + 1, bound / 10
        text = f"{value:.{digits}f}"
    return f"{text} {unit}".rstrip()


def bar(share: float, width: int = 20) -> str:
    """How much of the target is used up: it is reached at the mark in the middle.

    >>> bar(0.5), bar(1.5), bar(7)
    ('█████·····│··········', '██████████│█████·····', '██████████│█████████▶')
    """
    half = width // 2
    full = round(share * half) if share < 2 else width
    cells = ["█" if cell < full else "·" for cell in range(width)]
    if share > 2:
        cells[-1] = "▶"
    return "".join(cells[:half]) + "│" + "".join(cells[half:])


def is_row_met(row: dict[str, Any]) -> bool:
    """Every target that the row is named for was measured, and was met each time."""
    judged = [figure for figure in row["figures"] if "met" in figure]
    measured_targets = {figure["target"].split()[1] for figure in judged}
    named = {target.split()[1] for target in row["targets"]}
    return named <= measured_targets and all(figure["met"] for figure in judged)


def summary(report: Report) -> str:
    figures = [figure for row in report["rows"] for figure in row["figures"] if "met" in figure]
    if not figures:
        return "nothing here is held against a target"
    met = sum(figure["met"] for figure in figures)
    rows_met = sum(map(is_row_met, report["rows"]))
    return (
        f"{rows_met} of {len(report['rows'])} rows reach all they aim at; "
        f"{met} of {len(figures)} figures do"
    )
