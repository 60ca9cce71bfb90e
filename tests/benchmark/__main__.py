"""msgstore beside its peers: the same work in the same run, taken in turn; medians and ratios.

Every aim of docs/performance.md is a row, P1 to P15; `--only nats` is docs/backends.md's. Nothing
fails on a time.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

from rich.console import Console

from benchmark import machine, show
from benchmark.report import Report, figure_of, row_of
from benchmark.rows import FULL, QUICK, TINY, Bench, Row, Sizes, all_rows, extra_rows
from benchmark.stores import Cache, remove

_PIPE_COLUMNS = 140


def main(arguments: Sequence[str]) -> int:
    flags = _parse(arguments)
    if flags.from_report:
        report: Report = json.loads(flags.from_report.read_text(encoding="utf-8"))
    elif flags.cache:
        report = measure(flags.rows, flags.sizes, flags.cache)
    else:
        with TemporaryDirectory(prefix="msgstore-bench-") as folder:
            report = measure(flags.rows, flags.sizes, Path(folder))
    _hand_out(report, flags)
    return 1 if any("broke" in row for row in report["rows"]) else 0


def measure(rows: Sequence[Row], sizes: Sizes, folder: Path) -> Report:
    """Runs rows one after the other. A row that breaks says so, and the others go on."""
    folder.mkdir(parents=True, exist_ok=True)
    cache = Cache(folder.resolve(), _say)
    report: Report = {
        "command": _command(rows, sizes),
        "machine": machine.describe(cache.folder),
        "sizes": sizes._asdict(),
        "rows": [],
    }
    for row in rows:
        _say(f"{row.name}: {row.work}")
        report["rows"].append(_measure_row(row, sizes, cache))
    return report


def _measure_row(row: Row, sizes: Sizes, cache: Cache) -> dict[str, object]:
    scratch = Path(mkdtemp(prefix="scratch-", dir=cache.folder))
    bench = Bench(sizes, cache, scratch, warm_up=sizes is not TINY)
    told = row_of(row)
    start = time.monotonic()
    try:
        for figure in row.measure(bench):
            told["figures"].append(figure_of(figure))
    except Exception as error:  # what went wrong belongs into its place in the table
        told["broke"] = f"{type(error).__name__}: {error}"
        _say(f"{row.name} broke: {error}")
    finally:
        remove(scratch)
    told["notes"] = bench.notes
    told["seconds"] = round(time.monotonic() - start, 1)
    return told


def _command(rows: Sequence[Row], sizes: Sizes) -> str:
    words = ["scripts/bench"]
    if sizes.name != FULL.name:
        words.append(f"--{sizes.name}")
    if len(rows) < len(all_rows()):
        words += [f"--only {row.name}" for row in rows]
    return " ".join(words)


def _say(words: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {words}", file=sys.stderr, flush=True)


def _hand_out(report: Report, flags: argparse.Namespace) -> None:
    if flags.json:
        flags.json.write_text(
            json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
    if flags.chart:
        draw = show.chart_svg if flags.chart.suffix == ".svg" else show.chart_text
        flags.chart.write_text(draw(report), encoding="utf-8")
    if flags.page:
        page = flags.page.read_text(encoding="utf-8")
        flags.page.write_text(show.put_between_marks(page, show.markdown(report)), encoding="utf-8")
    if flags.markdown:
        print(show.markdown(report), end="")
    else:
        show.print_table(report, Console(width=None if sys.stdout.isatty() else _PIPE_COLUMNS))


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    aims = {row.name: row for row in all_rows()}
    rows = aims | {row.name: row for row in extra_rows()}
    parser = argparse.ArgumentParser("scripts/bench", description=__doc__)
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="P4",
        help="this row, or with P3 P3a and P3b; repeat for several",
    )
    parser.add_argument("--quick", action="store_true", help="smaller sizes, fewer rounds")
    parser.add_argument("--tiny", action="store_true", help="only to see that every row runs")
    parser.add_argument(
        "--cache", type=Path, metavar="DIR", help="where stores are kept for the next time"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="all figures, as JSON")
    parser.add_argument("--markdown", action="store_true", help="print the table of a page")
    parser.add_argument("--page", type=Path, metavar="FILE", help="put that table into this page")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="a chart: .svg, or text")
    parser.add_argument(
        "--from", type=Path, dest="from_report", metavar="FILE", help="measure nothing, show this"
    )
    flags = parser.parse_args(arguments)
    flags.sizes = TINY if flags.tiny else QUICK if flags.quick else FULL
    named = [row for row in rows.values() if _names(row) & set(flags.only)]
    flags.rows = named if flags.only else [*aims.values()]
    unknown = set(flags.only).difference(*map(_names, flags.rows))
    if unknown:
        parser.error(f"no row is called {min(unknown)}; there are {', '.join(rows)}")
    return flags


def _names(row: Row) -> set[str]:
    """What `--only` may call it: P3 is P3a and P3b."""
    return {row.name, row.name.rstrip("ab")}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
