"""Clocks: blocks of work taken in turn, and whole processes with what they used."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryFile
from typing import IO, NamedTuple

Side = Callable[[], float]
"""Does some work once, and returns what is compared: seconds, mostly."""


@dataclass(frozen=True, slots=True)
class Times:
    """What one side took in each round."""

    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.rounds)

    def of(self, factor: float) -> Times:
        return Times(tuple(value * factor for value in self.rounds))


def in_turn(sides: Sequence[Side], rounds: int, *, warm_up: bool = True) -> list[Times]:
    """Lets the sides work one after the other, round by round, and returns the times of each.

    Every other round goes the other way about, so that none always comes behind the same other.
    The first round is not counted: it fills caches, and compiles.
    """
    taken: list[list[float]] = [[] for _ in sides]
    for number in range(-1 if warm_up else 0, rounds):
        order = range(len(sides)) if number % 2 else reversed(range(len(sides)))
        for index in order:
            value = sides[index]()
            if number >= 0:
                taken[index].append(value)
    return [Times(tuple(values)) for values in taken]


def timed(work: Callable[[], object], times: int = 1) -> float:
    """Seconds for one of so many calls; garbage of others is taken away before."""
    gc.collect()
    start = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - start) / times


# ---------------------------------------------------------------- whole processes


class Usage(NamedTuple):
    """What a process took; `cpu_s` is that of the process and of the kernel on its behalf."""

    wall_s: float
    cpu_s: float


class ProcessFailed(Exception):
    """A command that was to be measured ended with another exit code than 0."""


def environment(**more: str) -> dict[str, str]:
    """That of this process without what would change how msgstore, or Python, behaves."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MSGSTORE_", "PYTHON")) and name not in ("NO_COLOR", "COLUMNS")
    }
    return {**kept, **more}


def run(
    command: Sequence[str],
    *,
    stdin: Path | None = None,
    stdout: int | IO[bytes] = subprocess.DEVNULL,
) -> Usage:
    """Runs a command to its end. Raises ProcessFailed with what it said."""
    surroundings = environment()
    with TemporaryFile() as errors, open(stdin or os.devnull, "rb") as input_file:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, stdin=input_file, stdout=stdout, stderr=errors, env=surroundings
        )
        _, status, used = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip()
            words = " ".join(command)
            raise ProcessFailed(f"{words}: exit {process.returncode}: {said[-400:]}")
    return Usage(wall_s, used.ru_utime + used.ru_stime)


def first_line_s(command: Sequence[str]) -> float:
    """Seconds from the start of a command to the first line it prints; it may go on, and is ended."""
    start = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment()
    ) as process:
        assert process.stdout
        process.stdout.readline()
        taken_s = time.perf_counter() - start
        process.kill()
    return taken_s


_PEAK = """
import os, sys
child = os.fork()
if not child:
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(os.open(sys.argv[1], os.O_RDONLY), 0)
    os.dup2(null, 1), os.dup2(null, 2)
    os.execv(sys.argv[2], sys.argv[2:])
_, status, used = os.wait4(child, 0)
print(used.ru_maxrss, os.waitstatus_to_exitcode(status))
"""


def peak_bytes(command: Sequence[str], *, stdin: Path | None = None, may_fail: bool = False) -> int:
    """The most memory (resident) that a command had. Raises ProcessFailed.

    A child counts as its own what its parent had when it began. So the parent is not this process,
    which is large, but a bare interpreter, which is smaller than any command.
    """
    words = [sys.executable, "-I", "-S", "-c", _PEAK, str(stdin or os.devnull), *command]
    told = subprocess.run(words, capture_output=True, check=True, env=environment()).stdout.split()
    if int(told[1]) and not may_fail:
        raise ProcessFailed(f"{' '.join(words[6:])}: exit {int(told[1])}")
    return int(told[0]) * (1 if sys.platform == "darwin" else 1024)
