"""`scripts/cluster`: three servers, four clients, and what happens to them for some minutes."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from .cluster import Cluster
from .judging import Verdict
from .ordeal import Ordeal

_SHOWN = 20


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/cluster", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--every", type=float, default=20.0, help="seconds between faults")
    parser.add_argument("--keep", metavar="FOLDER", help="where servers and logs stay")
    parser.add_argument("--json", metavar="FILE")
    flags = parser.parse_args(arguments)
    if flags.keep:
        return run(Path(flags.keep), flags)
    with tempfile.TemporaryDirectory() as folder:
        return run(Path(folder), flags)


def run(folder: Path, flags: argparse.Namespace) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    happened: Counter[str] = Counter()
    start_s = time.monotonic()
    with Cluster(folder) as cluster:
        ordeal = Ordeal(cluster, folder)
        with ordeal.clients():
            _let_things_happen(ordeal, happened, start_s + flags.minutes * 60, flags.every)
        for node in cluster.nodes:
            if node.process is None:
                node.start()
        cluster.wait_for_leader()
        verdict = ordeal.judge()
    _show(verdict, happened, time.monotonic() - start_s)
    if flags.json:
        facts = {"figures": verdict.figures, "faults": happened, "violations": verdict.violations}
        Path(flags.json).write_text(json.dumps(facts, indent=1))
    return 1 if verdict.violations else 0


def _let_things_happen(
    ordeal: Ordeal, happened: Counter[str], end_s: float, every_s: float
) -> None:
    pause = threading.Event()
    number = 0
    while time.monotonic() < end_s:
        ordeal.wait_for_saves(20)
        fault = ordeal.faults[number % len(ordeal.faults)]
        begun_s, number = time.monotonic(), number + 1
        fault()
        happened[fault.__name__] += 1
        print(f"{fault.__name__}: {ordeal.saves} saves acknowledged", file=sys.stderr, flush=True)
        pause.wait(max(0.0, min(begun_s + every_s, end_s) - time.monotonic()))


def _show(verdict: Verdict, happened: Counter[str], seconds: float) -> None:
    print(f"{seconds:.0f} s; {', '.join(f'{name} {n}' for name, n in happened.items())}")
    for name, count in sorted(verdict.figures.items()):
        print(f"  {name:28} {count:>9,}")
    for violation in verdict.violations[:_SHOWN]:
        print(f"VIOLATION {violation}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
