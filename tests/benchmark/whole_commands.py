"""P1, P2, P14: commands as whole processes, from the shell's side."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmark.messages import IN_A_ROW, length_of
from benchmark.rows import Bench, Figure, Target, at_most, row
from benchmark.stores import msgstore_command, remove
from benchmark.timing import Times, Usage, in_turn, run
from msgstore import FileMessageStore

Command = Sequence[str]

_LAUNCHER = """#!{python}
import re
import sys
sys.path.insert(0, {folder!r})
from empty_app import app
if __name__ == '__main__':
    sys.argv[0] = re.sub(r'(-script\\.pyw|\\.exe)?$', '', sys.argv[0])
    sys.exit(app())
"""
"""Word for word what pip installs for `msgstore`, so that both sides start in the same way."""


def empty_application(folder: Path) -> Path:
    path = folder / "empty"
    here = str(Path(__file__).parent)
    path.write_text(_LAUNCHER.format(python=sys.executable, folder=here), encoding="utf-8")
    path.chmod(0o755)
    return path


def processes_in_turn(commands: Sequence[Command], bench: Bench) -> list[tuple[Times, Times]]:
    """Wall and CPU milliseconds of each command."""
    used: list[list[Usage]] = [[] for _ in commands]

    def side(index: int) -> float:
        used[index].append(run(commands[index]))
        return used[index][-1].wall_s

    sides = [lambda index=index: side(index) for index in range(len(commands))]
    walls = in_turn(sides, bench.sizes.short_rounds, warm_up=bench.warm_up)
    found = []
    for wall, all_used in zip(walls, used, strict=True):
        counted = all_used[-len(wall.rounds) :]
        found.append((wall.of(1e3), Times(tuple(one.cpu_s * 1e3 for one in counted))))
    return found


def against_empty(
    bench: Bench, what: str, command: Command, target: Target, *others: tuple[str, Command]
) -> Iterator[Figure]:
    """A command against the empty application, in time and in CPU time, and against other tools."""
    empty = empty_application(bench.scratch)
    commands = [command, [str(empty)], *(other for _, other in others)]
    (wall, cpu), (empty_wall, empty_cpu), *rest = processes_in_turn(commands, bench)
    peer = "an empty Typer application"
    yield Figure(what, "ms", wall, target, peer, empty_wall)
    yield Figure(f"{what}, CPU time", "ms", cpu, None, peer, empty_cpu)
    for (name, _), (other_wall, _) in zip(others, rest, strict=True):
        yield Figure(what, "ms", wall, None, name, other_wall)


@row("P1", "one `msgstore save`, the whole process", "an empty Typer application", at_most(1.25))
def one_save(bench: Bench) -> Iterator[Figure]:
    store = bench.scratch / "store"
    fields = ("-t", "OrderPlaced", "orderId=ord-1", "total:=100", "--correlation-id", "corr-1")
    save = msgstore_command(store, "save", "orders-1", *fields)
    run(save)
    others: list[tuple[str, Command]] = []
    if tool := sqlite_utils(bench):
        message = bench.scratch / "one.json"
        message.write_text('{"orderId":"ord-1","total":100}', encoding="utf-8")
        database = bench.scratch / "peer.db"
        others.append(("`sqlite-utils insert`", [tool, "insert", str(database), "m", str(message)]))
    yield from against_empty(bench, "`save`", save, at_most(1.25), *others)


@row(
    "P2",
    "one `msgstore query --correlation-id`, five hits in 1,000,000, the whole process",
    "an empty Typer application",
    at_most(1.3),
)
def one_query(bench: Bench) -> Iterator[Figure]:
    sizes = bench.sizes
    store = bench.cache.store(sizes.large, sizes.streams)
    wanted = f"corr-{sizes.large // IN_A_ROW * 2 // 3}"
    query = msgstore_command(store, "query", "--correlation-id", wanted, "-o", "jsonl")
    expect_lines(query, IN_A_ROW)
    others: list[tuple[str, Command]] = []
    if tool := sqlite_utils(bench):
        database = bench.cache.database(sizes.large, sizes.streams)
        sql = "select * from m where corr = :corr order by position"
        command = [tool, "query", str(database), sql, "-p", "corr", wanted, "--nl"]
        expect_lines(command, IN_A_ROW)
        others.append(("`sqlite-utils query`, indexed", command))
    yield from against_empty(
        bench, f"`query`, {sizes.large:,} messages", query, at_most(1.3), *others
    )


@row(
    "P14",
    "`stats`, `sessions`, `show`, `read --from-revision`, `query --since`, first page, at 1,000,000 messages",
    "the same at 1,000",
    at_most(1.3),
)
def as_it_grows(bench: Bench) -> Iterator[Figure]:
    sizes = bench.sizes
    large = bench.cache.store(sizes.large, sizes.streams)
    small = bench.cache.store(sizes.small, sizes.streams)
    of_large = page_commands(large, sizes.large, sizes.streams)
    of_small = page_commands(small, sizes.small, sizes.streams)
    for name, command in list(of_large.items())[: sizes.commands]:
        expect_as_many(command, of_small[name])
        (wall, _), (small_wall, _) = processes_in_turn([command, of_small[name]], bench)
        peer = f"the same at {sizes.small:,}"
        yield Figure(f"{name} at {sizes.large:,}", "ms", wall, at_most(1.3), peer, small_wall)


def page_commands(
    store: Path, count: int, streams: int, in_a_row: int = IN_A_ROW
) -> dict[str, Command]:
    """The commands that must not care how large a store is; each prints as much in all of them."""
    streams = min(streams, count // in_a_row)
    revision = max(0, length_of(0, count, streams, in_a_row) - 3)
    with FileMessageStore(store, create=False) as opened:
        late = opened.get_message(count - 19)
        assert late
        since = late.timestamp.isoformat()
    words = {
        "`stats`": ["stats"],
        "`sessions`": ["sessions"],
        "`show`": ["show", str(count // 2)],
        "`read --from-revision`": ["read", "orders-0", "--from-revision", str(revision)],
        "`query --since`": ["query", "--since", since, "-n", "20"],
        "`query -n 20`": ["query", "-n", "20"],
        "`tail`": ["tail"],
    }
    return {name: msgstore_command(store, *words[name]) for name in words}


def lines_of(command: Command) -> int:
    done = subprocess.run(command, capture_output=True, check=True)
    return done.stdout.count(b"\n")


def expect_lines(command: Command, count: int) -> None:
    """A peer that finds something else has done other work."""
    found = lines_of(command)
    assert found == count, f"{command} printed {found} lines, not {count}"


def expect_as_many(command: Command, other: Command) -> None:
    expect_lines(command, lines_of(other))


def sqlite_utils(bench: Bench) -> str | None:
    tool = Path(sys.executable).with_name("sqlite-utils")
    if not tool.exists():
        bench.skip("`sqlite-utils`", "it is not installed")
        return None
    return str(tool)


def jq(bench: Bench) -> str | None:
    tool = shutil.which("jq")
    if tool is None:
        bench.skip("`jq`", "it is not installed")
    return tool


def fresh(path: Path) -> Path:
    remove(path)
    return path
