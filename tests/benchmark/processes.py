"""P10, P11: several processes at one store."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from benchmark.messages import messages
from benchmark.rows import Bench, Figure, at_least, at_most, row
from benchmark.stores import build_empty_store, msgstore_command, open_database, to_message
from benchmark.timing import Times, environment, in_turn
from benchmark.whole_commands import fresh
from msgstore import FileMessageStore

PROCESSES = 4
_SILENCE_S = 120
"""So long a line may be on its way on a machine that is busy with other things."""
_TESTS = Path(__file__).parent.parent


@row(
    "P10",
    "four processes saving at once, durably, messages a second; refused or lost",
    "SQLite, `synchronous=FULL`, busy timeout of 30 s",
    at_least(2),
    at_most(0, "messages"),
)
def four_writers(bench: Bench) -> Iterator[Figure]:
    missing: dict[str, list[float]] = {"msgstore": [], "sqlite": []}

    def rate(kind: str) -> float:
        path = fresh(bench.scratch / f"four-{kind}")
        told = save_at_once(kind, path, bench.sizes.saves_each)
        there = count_saved(kind, path)
        missing[kind].append(PROCESSES * bench.sizes.saves_each - there)
        taken_s: float = max(one["end"] for one in told) - min(one["start"] for one in told)
        for words in {words for one in told for words in one["refused"]}:
            bench.note(f"{kind} refused a save: {words}")
        return there / taken_s

    sides = [lambda: rate("msgstore"), lambda: rate("sqlite")]
    here, there = in_turn(sides, bench.sizes.rounds, warm_up=False)
    peer = "SQLite, `synchronous=FULL`, busy timeout of 30 s"
    yield Figure("four processes saving", "messages/s", here, at_least(2), peer, there)
    lost, peer_lost = (Times(tuple(missing[kind])) for kind in ("msgstore", "sqlite"))
    worst = max(lost.rounds)
    none = at_most(0, "messages")
    yield Figure("refused or lost", "messages", lost, none, peer, peer_lost, given_value=worst)


def start_saver(kind: str, path: Path, count: int, number: int = 0) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "benchmark.saver", kind, str(path), str(count), str(number)]
    process = subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(PYTHONPATH=str(_TESTS)),
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


def save_at_once(kind: str, path: Path, count: int) -> list[dict[str, Any]]:
    """Lets all begin when all are ready; what each of them tells. The store is there already."""
    if kind == "msgstore":
        build_empty_store(path)
    else:
        open_database(path).close()
    savers = [start_saver(kind, path, count, number) for number in range(PROCESSES)]
    for saver in savers:
        assert saver.stdin
        saver.stdin.write("go\n")
        saver.stdin.flush()
    return [json.loads(saver.communicate()[0]) for saver in savers]


def count_saved(kind: str, path: Path) -> int:
    """How many different ones are there, read one by one."""
    if kind == "msgstore":
        with FileMessageStore(path, create=False) as store:
            return len({m.message.request_id for m in store.get_all_messages()})
    database = open_database(path)
    found: int = database.execute("select count(distinct req) from m").fetchone()[0]
    database.close()
    return found


# ---------------------------------------------------------------- tail -f


@row(
    "P11",
    "from the call of a save to the line that `tail -f` prints, p99; CPU of an idle `tail -f`",
    "`tail -f` of coreutils, and a line written and synced",
    at_most(10, "ms"),
    at_most(1, "%"),
)
def follow(bench: Bench) -> Iterator[Figure]:
    path = bench.scratch / "followed"
    build_empty_store(path)
    command = msgstore_command(path, "tail", "-f", "-o", "jsonl")
    with FileMessageStore(path) as store:
        lines = messages(bench.sizes.follows + 1, 1)

        def save() -> None:
            line = next(lines)
            store.save_message(line["streamId"], to_message(line))

        delays = watch(command, save, bench.sizes.follows)
        yield from in_percentiles(bench, "save to line of `tail -f`", delays)
        yield from idle(bench, command)


def in_percentiles(bench: Bench, what: str, delays: list[float]) -> Iterator[Figure]:
    peer, theirs = "", None
    if tool := shutil.which("tail"):
        peer, theirs = "a synced line to that of coreutils `tail -f`", watch_file(bench, tool)
    for name, share, target in (("p50", 0.5, None), ("p99", 0.99, at_most(10, "ms"))):
        there = Times((percentile(theirs, share) * 1e3,)) if theirs else None
        here = Times((percentile(delays, share) * 1e3,))
        yield Figure(f"{what}, {name}", "ms", here, target, peer, there)


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def watch_file(bench: Bench, tool: str) -> list[float]:
    path = bench.scratch / "followed.ndjson"
    with path.open("ab", buffering=0) as file:

        def save() -> None:
            file.write(b'{"type":"OrderPlaced"}\n')
            os.fsync(file.fileno())

        return watch([tool, "-f", str(path)], save, bench.sizes.follows)


def watch(command: list[str], save: Callable[[], None], times: int) -> list[float]:
    """Seconds from each call of `save` to its line. Pauses between them differ, up to 0.1 s."""
    chance = Random(11)
    delays = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment()
    ) as process:
        try:
            first_line_of(process, save)
            for _ in range(times):
                time.sleep(0.005 + 0.095 * chance.random() ** 2)
                start = time.perf_counter()
                save()
                read_line(process)
                delays.append(time.perf_counter() - start)
        finally:
            process.kill()
    return delays


def first_line_of(process: subprocess.Popen[bytes], save: Callable[[], None]) -> None:
    """It follows once it has printed what was there."""
    save()
    read_line(process)


def read_line(process: subprocess.Popen[bytes]) -> None:
    """The next line of an unbuffered pipe. Raises TimeoutError where nothing comes at all."""
    assert process.stdout
    file, said = process.stdout.fileno(), b""
    while not said.endswith(b"\n"):
        if not select.select([file], [], [], _SILENCE_S)[0]:
            raise TimeoutError(f"{process.args!r} printed nothing for {_SILENCE_S} s")
        said += os.read(file, 1 << 16)


def idle(bench: Bench, command: list[str]) -> Iterator[Figure]:
    """CPU time of the process, of which the kernel keeps nanoseconds, while nothing arrives."""
    seconds = bench.sizes.idle_s
    if not Path("/proc/self/schedstat").exists():
        bench.skip("CPU of an idle `tail -f`", "the kernel has no /proc/PID/schedstat")
        return
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment()
    ) as process:
        try:
            read_line(process)
            time.sleep(min(1, seconds))  # what it does at the start is no idling
            before, start = cpu_s(process.pid), time.monotonic()
            time.sleep(seconds)
            used = (cpu_s(process.pid) - before) / (time.monotonic() - start)
        finally:
            process.kill()
    yield Figure("CPU of an idle `tail -f`", "%", Times((used * 100,)), at_most(1, "%"))


def cpu_s(pid: int) -> float:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
