"""The command line of a torture: tasks side by side, one table at the end."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from multiprocessing import get_context

from rich.console import Console
from rich.table import Table

from torture.parts import COUNTED, MUTANTS, Outcome, Plan, Task, tasks, timed

PARTS = (
    *("crashes", "wandering", "refusals", "rot", "damage"),
    *("fuzzing", "calls", "power", "kills", "mutants"),
)
_VIOLATIONS_SHOWN = 20
Timed = tuple[Outcome, float]


@dataclass
class Part:
    """What one part came to; `seconds` are of all its processes together."""

    figures: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    left_out: set[str] = field(default_factory=set)
    seconds: float = 0.0

    def add(self, outcome: Outcome, seconds: float) -> None:
        self.figures.update(outcome.figures)
        self.violations += outcome.violations
        self.left_out.update(outcome.left_out)
        self.seconds += seconds


def main(arguments: Sequence[str]) -> int:
    flags = _parse(arguments)
    seconds = flags.minutes * 60
    plan = Plan(seconds * flags.jobs, flags.seed, flags.complete)
    chosen = [task for task in tasks(plan) if not flags.only or task.part in flags.only]
    start = time.monotonic()
    parts = run(chosen, flags.jobs, start + seconds)
    elapsed = time.monotonic() - start
    _show(parts, elapsed, flags)
    if flags.json:
        with open(flags.json, "w", encoding="utf-8") as file:
            json.dump(_as_json(parts, elapsed, flags), file, indent=1)
    return 1 if any(part.violations for part in parts.values()) else 0


def run(chosen: Sequence[Task], jobs: int, deadline: float) -> dict[str, Part]:
    """Carries out tasks in the order given, so many at a time; optional ones up to the deadline."""
    parts = {name: Part() for name in PARTS if any(task.part == name for task in chosen)}
    ahead, running, done = iter(chosen), dict[Future[Timed], Task](), 0
    with ProcessPoolExecutor(jobs, get_context("spawn"), max_tasks_per_child=1) as processes:
        while True:
            while len(running) < jobs and (task := _next(ahead, deadline)):
                running[processes.submit(timed, task)] = task
            if not running:
                return parts
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                part, (outcome, seconds) = running.pop(future).part, future.result()
                parts[part].add(outcome, seconds)
                done += 1
                for violation in outcome.violations:
                    print(f"VIOLATION in {part}: {violation[:400]}", file=sys.stderr)
                print(f"{done:>4}  {part}  {seconds:.0f} s", file=sys.stderr, flush=True)


def _next(ahead: Iterator[Task], deadline: float) -> Task | None:
    for task in ahead:
        if not task.is_optional or time.monotonic() < deadline:
            return task
    return None


# ---------------------------------------------------------------- what is shown


def _show(parts: dict[str, Part], elapsed: float, flags: argparse.Namespace) -> None:
    console = Console(width=None if sys.stdout.isatty() else 100, soft_wrap=False)
    table = Table(title=_title(elapsed, flags), title_justify="left")
    table.add_column("part")
    table.add_column("what was done")
    table.add_column("CPU s", justify="right")
    table.add_column("violations", justify="right")
    for name, part in parts.items():
        done = ", ".join(f"{part.figures[w]:,} {w}" for w in COUNTED if part.figures[w])
        table.add_row(name, done, f"{part.seconds:,.0f}", f"{len(part.violations):,}")
    table.add_section()
    for what in COUNTED:
        total = sum(part.figures[what] for part in parts.values())
        if total or what == MUTANTS:
            table.add_row("", f"{total:,} {what}")
    violations = [one for part in parts.values() for one in part.violations]
    table.add_row("[bold]all", "", f"{sum(p.seconds for p in parts.values()):,.0f}", "")
    console.print(table)
    for words in sorted({words for part in parts.values() for words in part.left_out}):
        console.print(f"left out: {words}", markup=False)
    for violation in violations[:_VIOLATIONS_SHOWN]:
        console.print(f"violation: {violation}", markup=False)
    console.print(f"violations: {len(violations):,}", style="bold")


def _title(elapsed: float, flags: argparse.Namespace) -> str:
    command = "scripts/torture" + (" --complete" if flags.complete else "")
    command += f" --minutes {flags.minutes:g} --seed {flags.seed}"
    command += "".join(f" --only {name}" for name in flags.only)
    machine = (
        f"{platform.machine()}, {os.cpu_count()} CPUs, {platform.system()} {platform.release()}"
    )
    python = f"Python {platform.python_version()}"
    when = time.strftime("%Y-%m-%d")
    return f"{command}\n{when}, {machine}, {python}, {elapsed / 60:.0f} minutes"


def _as_json(
    parts: dict[str, Part], elapsed: float, flags: argparse.Namespace
) -> dict[str, object]:
    return {
        "title": _title(elapsed, flags),
        "parts": {
            name: {**part.figures, "seconds": part.seconds, "violations": part.violations}
            for name, part in parts.items()
        },
    }


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("scripts/torture", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="about so long [10]")
    parser.add_argument("--complete", action="store_true", help="leave nothing to chance")
    parser.add_argument("--only", choices=PARTS, action="append", default=[])
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", metavar="FILE", help="the figures, as JSON, too")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
