"""Stores of millions: built, checked message by message, and asked as commands ask."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from benchmark.messages import IN_A_ROW, length_of, message, number_at, revision_of
from benchmark.stores import Cache, build_store, msgstore_command, remove, size_of
from benchmark.timing import Times, first_line_s, peak_bytes
from benchmark.whole_commands import Command, page_commands
from msgstore import FileMessageStore, PositionalMessage

STREAMS_OF_MESSAGES = 20_000
SPOTS = 25
ROUNDS = 3
_DROPPED_MAX = 50_000
"""Of so many files the page cache is emptied before a command; the large ones come first."""
_BYTES_A_STREAM, _BYTES_A_MESSAGE = 5_000, 600
"""About what is needed on disk, a generous guess, to refuse before the disk is full."""
_TOLD_S = 15


class Scenario(NamedTuple):
    name: str
    messages: int
    streams: int
    in_a_row: int = IN_A_ROW

    def __str__(self) -> str:
        streams = "one stream" if self.streams == 1 else f"{self.streams:,} streams"
        return f"{self.messages:,} in {streams}"


def scenarios(messages: int, streams: int) -> list[Scenario]:
    streams = min(messages, streams)
    return [
        Scenario("streams", streams, streams, in_a_row=1),
        Scenario("stream", messages, 1),
        Scenario("messages", messages, min(STREAMS_OF_MESSAGES, messages // IN_A_ROW)),
    ]


@dataclass(frozen=True, slots=True)
class Told:
    """A line of the table: `value` in `unit`."""

    what: str
    value: float
    unit: str


class Wrong(Exception):
    """The store does not hold what was put into it."""


def no_room(scenario: Scenario, cache: Cache) -> str:
    """Why the file system cannot take such a store; empty if it can, or has it."""
    if cache.store_path(*scenario[1:]).exists():
        return ""
    room = os.statvfs(cache.folder)
    wanted = scenario.streams * _BYTES_A_STREAM + scenario.messages * _BYTES_A_MESSAGE
    if room.f_bavail * room.f_frsize < wanted:
        return f"it needs some {wanted / 1e9:.1f} GB of disk"
    # Some file systems make inodes as they are needed, and say that there are none.
    if room.f_files and room.f_favail < scenario.streams + 1_000:
        return f"it needs {scenario.streams + 1_000:,} inodes, and {room.f_favail:,} are left"
    return ""


def weigh(scenario: Scenario, cache: Cache) -> Iterator[Told]:
    """Builds a store, unless it is there, checks it, and measures. Raises Wrong."""
    path = cache.store_path(*scenario[1:])
    yield from build(scenario, cache)
    yield from check(scenario, path)
    yield from answers(scenario, path)
    yield Told("peak memory of this script so far", own_peak_mib(), "MiB")


def build(scenario: Scenario, cache: Cache) -> Iterator[Told]:
    path = cache.store_path(*scenario[1:])
    if path.exists():
        say(f"{scenario}: is there already")
    else:
        start = time.monotonic()
        part = path.with_name(path.name + ".part")
        remove(part)
        build_store(part, *scenario[1:], tell=teller(f"{scenario}: built", scenario.messages))
        part.rename(path)
        taken_s = time.monotonic() - start
        yield Told("build", taken_s, "s")
        yield Told("build rate", scenario.messages / taken_s, "messages/s")
    yield from sizes(scenario, path)


def sizes(scenario: Scenario, path: Path) -> Iterator[Told]:
    say(f"{scenario}: sizes")
    apparent, allocated, inodes = size_of(path)
    yield Told("bytes, apparent", apparent / 1e6, "MB")
    yield Told("bytes, allocated", allocated / 1e6, "MB")
    yield Told("bytes a message, apparent", apparent / scenario.messages, "B")
    yield Told("bytes a message, allocated", allocated / scenario.messages, "B")
    yield Told("inodes", inodes, "")


# ---------------------------------------------------------------- is it what was put in?


def check(scenario: Scenario, path: Path) -> Iterator[Told]:
    """Counts, first, middle and last of some streams, and every message in order of position."""
    with FileMessageStore(path, create=False) as store:
        say(f"{scenario}: spot checks")
        start = time.monotonic()
        check_counts(store, scenario)
        spots = check_spots(store, scenario)
        yield Told("spot checks", spots, "")
        yield Told("a spot check", (time.monotonic() - start) / spots * 1e3, "ms")
        start = time.monotonic()
        check_all(store, scenario)
        rate = scenario.messages / (time.monotonic() - start)
        yield Told("full pass, checked", rate, "messages/s")


def check_counts(store: FileMessageStore, scenario: Scenario) -> None:
    stats = store.get_stats()
    found, put_in = (stats.total_messages, stats.total_streams), scenario[1:3]
    if found[0] < put_in[0] or found[1] < put_in[1]:
        raise Wrong(f"{found[0]:,} messages in {found[1]:,} streams, and {put_in} were put in")


def check_spots(store: FileMessageStore, scenario: Scenario) -> int:
    _, count, streams, in_a_row = scenario
    done = 0
    for stream in sorted({i * (streams - 1) // (SPOTS - 1) for i in range(SPOTS)}):
        length = length_of(stream, count, streams, in_a_row)
        stream_id = f"orders-{stream}"
        info = store.get_stream_info(stream_id)
        if info is None or info.message_count != length:
            raise Wrong(f"{stream_id} has {info and info.message_count} messages, not {length}")
        for revision in sorted({0, length // 2, length - 1}):
            found = next(store.get_messages(stream_id, revision, 1), None)
            expect(found, number_at(stream, revision, streams, in_a_row), scenario)
            done += 1
        last = next(store.get_messages(stream_id, count=1, direction="backwards"), None)
        expect(last, number_at(stream, length - 1, streams, in_a_row), scenario)
        done += 1
    return done


def check_all(store: FileMessageStore, scenario: Scenario) -> None:
    """Every position once, in order, each with what was put in there."""
    tell = teller(f"{scenario}: checked", scenario.messages)
    number = 0
    for found in store.get_all_messages(count=scenario.messages):
        expect(found, number, scenario)
        number += 1
        if number % 10_000 == 0:
            tell(number)
    if number != scenario.messages:
        raise Wrong(f"positions end at {number:,}")


def expect(found: PositionalMessage | None, number: int, scenario: Scenario) -> None:
    """`found` is message `number`, in every part that was put in."""
    _, _, streams, in_a_row = scenario
    if found is None:
        raise Wrong(f"position {number + 1} is missing")
    line = message(number, streams, in_a_row)
    inner = found.message
    put_in = (number + 1, line["streamId"], revision_of(number, streams, in_a_row), line["type"])
    if (found.position, found.stream_id, found.revision, inner.type) != put_in:
        raise Wrong(f"{found.position} {found.stream_id} {found.revision} is not {put_in}")
    if (inner.data, inner.correlation_id) != (line["data"], line["correlationId"]):
        raise Wrong(f"position {found.position} holds other data than was put in")


# ---------------------------------------------------------------- commands


def answers(scenario: Scenario, path: Path) -> Iterator[Told]:
    """A cold first answer of each main command, as a whole process, and its peak memory."""
    os.sync()  # what is not written yet cannot be forgotten
    for name, command in main_commands(scenario, path).items():
        say(f"{scenario}: {name}")
        times = []
        for _ in range(ROUNDS):
            drop_page_cache(path)
            times.append(first_line_s(command))
        yield Told(f"first line of {name}, cold", Times(tuple(times)).median * 1e3, "ms")
        yield Told(f"peak memory of {name}", peak_bytes(command) / (1 << 20), "MiB")


def main_commands(scenario: Scenario, path: Path) -> dict[str, Command]:
    correlation = f"corr-{scenario.messages // scenario.in_a_row * 2 // 3}"
    words = {
        "`query --correlation-id`": ["query", "--correlation-id", correlation],
        "`query --count -t`": ["query", "--count", "-t", "OrderPlaced"],
        "`stats --by type`": ["stats", "--by", "type"],
        "`streams`": ["streams"],
    }
    more = {name: msgstore_command(path, *words[name]) for name in words}
    return {**page_commands(path, *scenario[1:]), **more}


def drop_page_cache(path: Path) -> None:
    """What the kernel remembers of the store's files, without touching those of others.

    The names in folders stay warm, and so does what is behind the first 50,000 files.
    """
    if not hasattr(os, "posix_fadvise"):
        return
    for file in files_of(path, _DROPPED_MAX):
        handle = os.open(file, os.O_RDONLY)
        try:
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(handle)


def files_of(path: Path, count: int) -> Iterator[str]:
    """The files of a folder, those at its top first."""
    for root, _, names in os.walk(path):
        for name in sorted(names):
            if count == 0:
                return
            count -= 1
            yield os.path.join(root, name)


def own_peak_mib() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / (1 << 20)


def teller(words: str, total: int) -> Callable[[int], None]:
    """Says on stderr how far it has come, every quarter of a minute."""
    told_s = [time.monotonic()]

    def tell(done: int) -> None:
        if time.monotonic() - told_s[0] > _TOLD_S:
            told_s[0] = time.monotonic()
            say(f"{words} {done:,} of {total:,}")

    return tell


def say(words: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {words}", file=sys.stderr, flush=True)
