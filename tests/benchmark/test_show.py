"""How it is shown: judged, in three digits, on a terminal, on a page and in a chart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmark import __main__ as command
from benchmark import report, show
from benchmark.rows import TINY, Figure, all_rows, at_least, at_most
from benchmark.timing import Times

ROWS = all_rows()

FIGURES = [
    Figure("fast", "ms", Times((1.0, 2.0, 3.0)), at_most(1.25), "a peer", Times((4.0,))),
    Figure("slow", "messages/s", Times((150.0,)), at_least(2), "a peer", Times((100.0,))),
    Figure("large", "MiB", Times((90.0,)), at_most(64, "MiB"), given_value=80.0),
    Figure("by the way", "µs", Times((12345.6,)), None, "<another> & more", Times((0.01234,))),
]
REPORT = {
    "command": "scripts/bench",
    "machine": {
        "date": "2026-01-02",
        "processor": "Some CPU",
        "cores": 2,
        "memory GiB": 8,
        "system": "Linux 6.1 x86_64",
        "file system": "ext4",
        "python": "CPython 3.11.0",
        "load before": 0.1,
        "versions": {"msgstore": "0.1.0", "SQLite": "3.40"},
    },
    "sizes": TINY._asdict(),
    "rows": [
        {**report.row_of(ROWS[0]), "figures": [report.figure_of(f) for f in FIGURES]},
        {**report.row_of(ROWS[1]), "notes": ["skipped `jq`: it is not installed"]},
    ],
}


def test_targets_are_judged() -> None:
    """A ratio, or what was measured where the target has a unit; at most or at least."""
    told = [report.figure_of(figure) for figure in FIGURES]
    assert [report.judgement(one) for one in told] == ["met", "MISSED", "MISSED", ""]
    assert [report.measured(one) for one in told] == ["0.500", "1.50", "80.0 MiB", "1,000,454"]
    assert [one.get("share") for one in told] == [0.4, pytest.approx(4 / 3), 1.25, None]


def test_a_target_of_nothing() -> None:
    """Zero of at most zero is met, one is not, and the bar stays finite."""
    none = at_most(0, "messages")
    assert (none.is_met(0), none.share(0)) == (True, 0)
    assert (none.is_met(1), none.share(1)) == (False, 1e6)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        *((0, "", "0"), (0.0, "ms", "0 ms"), (7, "", "7"), (0.0123, "", "0.0123")),
        *((0.5, "", "0.500"), (1.25, "s", "1.25 s"), (12.34, "%", "12.3 %")),
        *((123.4, "µs", "123 µs"), (12345.6, "", "12,346")),
    ],
)
def test_amounts_have_three_digits(value: float, unit: str, text: str) -> None:
    """Enough to compare, and none that say nothing."""
    assert report.amount(value, unit) == text


def test_bars() -> None:
    """The mark in the middle is the target; what goes beyond is missed, and an arrow is far beyond."""
    assert report.bar(0.5) == "█████·····│··········"
    assert report.bar(1.5) == "██████████│█████·····"
    assert report.bar(7) == "██████████│█████████▶"


def test_the_table_of_a_page() -> None:
    """Machine, versions, a line a figure, and what was left out."""
    assert show.markdown(REPORT) == (
        "Machine: Some CPU, 2 cores, 8 GiB, ext4, Linux 6.1 x86_64, CPython 3.11.0, 2026-01-02. "
        "msgstore 0.1.0, SQLite 3.40.\n"
        "\n"
        "`scripts/bench`: 0 of 2 rows reach all they aim at; 1 of 3 figures do.\n"
        "\n"
        "| | work | here | peer | there | ratio | target | |\n"
        "|---|---|---|---|---|---|---|---|\n"
        "| P1 | fast | 2.00 ms | a peer | 4.00 ms | 0.500 | ≤ 1.25 | met |\n"
        "| P1 | slow | 150 messages/s | a peer | 100 messages/s | 1.50 | ≥ 2 | MISSED |\n"
        "| P1 | large | 90.0 MiB |  |  | 80.0 MiB | ≤ 64 MiB | MISSED |\n"
        "| P1 | by the way | 12,346 µs | <another> & more | 0.0123 µs | 1,000,454 |  |  |\n"
        f"| P2 | {ROWS[1].work} | not measured | {ROWS[1].peer} |  |  |  |  |\n"
        "\n"
        "- tiny: smaller sizes and fewer rounds than docs/performance.md\n"
        "- P2: skipped `jq`: it is not installed\n"
    )


def test_a_row_is_met_if_all_of_it_is() -> None:
    """One figure beyond a target, or a target that nobody measured, and the row is not met."""
    good = report.figure_of(Figure("a", "ms", Times((1.0,)), at_most(2), "b", Times((1.0,))))
    bad = report.figure_of(Figure("a", "ms", Times((3.0,)), at_most(2), "b", Times((1.0,))))
    assert report.is_row_met({"figures": [good, good], "targets": ["≤ 2"]})
    assert not report.is_row_met({"figures": [good, bad], "targets": ["≤ 2"]})
    assert not report.is_row_met({"figures": [good], "targets": ["≤ 2", "≤ 3"]})
    assert not report.is_row_met({"figures": [], "targets": ["≤ 2"]})


def test_a_chart_has_the_worst_of_each_target() -> None:
    """Eighteen commands below 64 MiB are one bar, not eighteen."""
    figures = [
        Figure(name, "MiB", Times((size,)), at_most(64, "MiB"))
        for name, size in (("a", 10.0), ("b", 30.0), ("c", 20.0))
    ]
    rows = [{**report.row_of(ROWS[0]), "figures": [report.figure_of(f) for f in figures]}]
    assert [figure["what"] for _, figure in show.with_targets({"rows": rows})] == ["b"]


def test_a_report_is_shown_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--from draws table, page and chart from a file, the same every time."""
    saved, page = tmp_path / "report.json", tmp_path / "page.md"
    saved.write_text(json.dumps(REPORT), encoding="utf-8")
    page.write_text(f"before\n{show.BEGIN}\nold\n{show.END}\nafter\n", encoding="utf-8")
    charts = [tmp_path / "chart.svg", tmp_path / "chart.txt"]
    for chart in charts:
        arguments = ["--from", str(saved), "--chart", str(chart), "--page", str(page)]
        assert command.main(arguments) == 0
    assert page.read_text() == (
        f"before\n{show.BEGIN}\n\n{show.markdown(REPORT)}\n{show.END}\nafter\n"
    )
    assert charts[1].read_text().splitlines()[2].endswith("│·········· met    0.500 (≤ 1.25)")
    assert charts[0].read_text().count("<rect") == 4
    assert "0 of 2 rows reach all they aim at; 1 of 3 figures do" in capsys.readouterr().out


def test_a_page_without_a_place_is_left_alone() -> None:
    """A table goes between the marks, or nowhere."""
    with pytest.raises(ValueError, match="no place"):
        show.put_between_marks("a page", "a table")


def test_a_row_that_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    """It is a usage error that lists those there are; P3 is both of its halves."""
    with pytest.raises(SystemExit):
        command._parse(["--only", "P99"])
    assert "no row is called P99; there are P1, P2, P3a" in capsys.readouterr().err
    assert [row.name for row in command._parse(["--only", "P3", "--only", "P10"]).rows] == [
        *("P3a", "P3b", "P10"),
    ]
