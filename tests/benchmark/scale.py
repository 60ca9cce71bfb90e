"""Builds stores of a size that few will reach, checks them, and tells what they cost.

streams: 1,000,000 streams of one message; stream: one stream of 10,000,000; messages: 10,000,000 in
20,000 streams. With --cache they stay, and scripts/bench finds the last one there for P8 and P13.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmark import machine
from benchmark.huge import Scenario, Told, Wrong, no_room, scenarios, weigh
from benchmark.report import Report, amount
from benchmark.show import BEGIN_SCALE, put_between_marks
from benchmark.stores import Cache

MESSAGES, STREAMS = 10_000_000, 1_000_000


def main(arguments: Sequence[str]) -> int:
    flags = _parse(arguments)
    if flags.from_report:
        report: Report = json.loads(flags.from_report.read_text(encoding="utf-8"))
    elif flags.cache:
        report = measure(flags.scenarios, flags.cache)
    else:
        with TemporaryDirectory(prefix="msgstore-scale-") as folder:
            report = measure(flags.scenarios, Path(folder))
    _hand_out(report, flags)
    return 1 if any("wrong" in store for store in report["stores"]) else 0


def measure(chosen: Sequence[Scenario], folder: Path) -> Report:
    cache = Cache(folder.resolve())
    report: Report = {"machine": machine.describe(cache.folder), "stores": []}
    for scenario in chosen:
        found: dict[str, Any] = {"name": scenario.name, "store": str(scenario), "figures": []}
        report["stores"].append(found)
        if reason := no_room(scenario, cache):
            found["skipped"] = reason
            continue
        try:
            for told in weigh(scenario, cache):
                found["figures"].append(_as_json(told))
        except Wrong as error:
            found["wrong"] = str(error)
    return report


def _hand_out(report: Report, flags: argparse.Namespace) -> None:
    if flags.json:
        flags.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if flags.page:
        page = flags.page.read_text(encoding="utf-8")
        page = put_between_marks(page, markdown(report), BEGIN_SCALE)
        flags.page.write_text(page, encoding="utf-8")
    if flags.markdown:
        print(markdown(report), end="")
    else:
        show(report)


def _as_json(told: Told) -> dict[str, Any]:
    return {"what": told.what, "value": told.value, "unit": told.unit}


# ---------------------------------------------------------------- what is shown


def show(report: Report) -> None:
    console = Console(width=None if sys.stdout.isatty() else 140)
    table = Table(
        title=f"scripts/scale · {machine.sentence(report['machine'])}", title_justify="left"
    )
    table.add_column("")
    for store in report["stores"]:
        table.add_column(store["store"], justify="right")
    for what, *values in lines(report):
        table.add_row(what.replace("`", ""), *values)
    console.print(table)
    for words in remarks(report):
        console.print(words, markup=False, highlight=False)


def lines(report: Report) -> Iterator[list[str]]:
    """The table without its heading: a figure, and its value in each of the stores."""
    by_store = [
        {one["what"]: amount(one["value"], one["unit"]) for one in store["figures"]}
        for store in report["stores"]
    ]
    for what in dict.fromkeys(what for figures in by_store for what in figures):
        yield [what, *(figures.get(what, "") for figures in by_store)]


def remarks(report: Report) -> Iterator[str]:
    yield from machine.doubts(report["machine"])
    for store in report["stores"]:
        if "skipped" in store:
            yield f"skipped {store['store']}: {store['skipped']}"
        elif "wrong" in store:
            yield f"WRONG: {store['store']}: {store['wrong']}"
        else:
            yield f"{store['store']}: every message is what was put in"


def markdown(report: Report) -> str:
    heading = ["", *(store["store"] for store in report["stores"])]
    table = [heading, ["---"] * len(heading), *lines(report)]
    text = "\n".join(f"| {' | '.join(cells)} |" for cells in table)
    said = "\n".join(f"- {words}" for words in remarks(report))
    return f"Machine: {machine.sentence(report['machine'])}.\n\n{text}\n\n{said}\n"


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("scripts/scale", description=__doc__)
    parser.add_argument("--messages", type=int, default=MESSAGES, metavar="N", help="[10,000,000]")
    parser.add_argument("--streams", type=int, default=STREAMS, metavar="N", help="[1,000,000]")
    parser.add_argument(
        "--only", choices=("streams", "stream", "messages"), action="append", default=[]
    )
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where the stores stay")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the figures, as JSON, too")
    parser.add_argument("--markdown", action="store_true", help="print the table of a page")
    parser.add_argument("--page", type=Path, metavar="FILE", help="put that table into this page")
    parser.add_argument(
        "--from", type=Path, dest="from_report", metavar="FILE", help="measure nothing, show this"
    )
    flags = parser.parse_args(arguments)
    if flags.messages < 100 or flags.streams < 2:
        parser.error("at least 100 messages, and 2 streams")
    every = scenarios(flags.messages, flags.streams)
    flags.scenarios = [one for one in every if not flags.only or one.name in flags.only]
    return flags


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
