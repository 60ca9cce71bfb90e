"""P15: the first answer after a writer was killed, or the power was cut."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmark import sqlite_peer
from benchmark.processes import start_saver
from benchmark.rows import Bench, Figure, at_most, row
from benchmark.timing import Side, environment, in_turn
from msgstore import FileMessageStore

_FACTOR_MAX = 1.5
_HINT_BYTES = 80
"""What stands at the front of `write.lock`; see docs/format.md."""

_FIRST_ANSWER = """
import sys, time
if sys.argv[1] == "msgstore":
    from msgstore.backends.file import FileMessageStore
    start = time.perf_counter()
    found = FileMessageStore(sys.argv[2], create=False).get_stats().total_messages
else:
    import sqlite3
    start = time.perf_counter()
    database = sqlite3.connect(sys.argv[2], timeout=30)
    found = database.execute("select max(position) from m").fetchone()[0]
print(time.perf_counter() - start, found, flush=True)
"""
"""Times itself, without the start of the interpreter, which would hide a difference."""


@row(
    "P15",
    "from opening to the first answer after a kill or a power loss, at 1,000,000 messages",
    "the same at 1,000, with as much in the journal",
    at_most(_FACTOR_MAX),
)
def first_answer(bench: Bench) -> Iterator[Figure]:
    sizes = bench.sizes
    stores = {}
    for count in (sizes.large, sizes.small):
        stores[count] = bench.scratch / f"killed-{count}"
        shutil.copytree(bench.cache.store(count, sizes.streams), stores[count])
    database = bench.scratch / "killed.db"
    shutil.copyfile(bench.cache.database(sizes.large, sizes.streams), database)
    sides: list[Side] = [
        *(partial(answer_s, path, sizes.journal_saves) for path in stores.values()),
        *(
            partial(answer_s, path, sizes.journal_saves, power_loss=True)
            for path in stores.values()
        ),
        partial(sqlite_answer_s, database, sizes.journal_saves),
    ]
    rounds = in_turn(sides, sizes.rounds, warm_up=bench.warm_up)
    killed, small_killed, lost, small_lost, sqlite = (times.of(1e3) for times in rounds)
    at, peer = f"at {sizes.large:,}", f"the same at {sizes.small:,}"
    yield Figure(f"after a kill, {at}", "ms", killed, at_most(_FACTOR_MAX), peer, small_killed)
    yield Figure(f"after a power loss, {at}", "ms", lost, at_most(_FACTOR_MAX), peer, small_lost)
    yield Figure(f"after a kill, {at}", "ms", killed, None, "SQLite, as much in its WAL", sqlite)


def lose_hint(store: Path) -> None:
    """After a power loss the hint is of another boot, and is as good as none."""
    with (store / "write.lock").open("r+b") as file:
        file.write(bytes(_HINT_BYTES))


def answer_s(store: Path, saves: int, *, power_loss: bool = False) -> float:
    """Empties the journal, fills it anew, kills who did that, and asks."""
    lose_hint(store)
    with FileMessageStore(store, create=False) as opened:  # a recovery begins a new generation
        before = opened.get_stats().total_messages
    killed_saver("msgstore-killed", store, saves)
    if power_loss:
        lose_hint(store)
    os.sync()
    taken_s, found = ask("msgstore", store)
    assert found == before + saves, f"{before} and {saves} messages became {found}"
    return taken_s


def sqlite_answer_s(database: Path, saves: int) -> float:
    """The same of the peer: its log is put back into the database first, and filled anew."""
    opened = sqlite_peer.connect(database)
    opened.execute("pragma wal_checkpoint(truncate)")
    opened.close()
    killed_saver("sqlite-killed", database, saves)
    os.sync()
    return ask("sqlite", database)[0]


def killed_saver(kind: str, path: Path, saves: int) -> None:
    saver = start_saver(kind, path, saves)
    told = json.loads(saver.communicate("go\n")[0])
    assert told["refused"] == []
    assert saver.returncode < 0


def ask(kind: str, path: Path) -> tuple[float, int]:
    words = [sys.executable, "-c", _FIRST_ANSWER, kind, str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=environment())
    taken_s, found = done.stdout.split()
    return float(taken_s), int(found)
