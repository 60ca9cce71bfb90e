"""Every system call of a deed refused, or deadly, one after the other: strace holds the switch.

A deed (see scenarios.py) is done once to count its calls. Then it is done anew for the first, the
second, … call of each name, and that one call is refused (`EIO`, `ENOSPC`; with a `+` all later
calls of this name too) or kills the process (`kill`) before it is carried out. Afterwards the store
is opened by somebody else, who saves to it without help, and everything is looked over.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import msgstore
from msgstore import FileMessageStore, MsgStoreError

from .ledger import batch_of, examine, look_over
from .processes import Gate, Report, spawn
from .scenarios import CLI_BATCH_LINES, CLI_BATCHES, SCENARIOS, Scenario

WRITES = ("openat", "pwrite64", "ftruncate", "mkdir", "rename", "unlink", "rmdir")
SYNCS = ("fdatasync", "fsync", "syncfs")
READS = ("pread64", "lseek", "newfstatat", "stat", "lstat", "getdents64", "flock")
NAMES = {
    "kill": (*WRITES, *SYNCS, *READS, "close"),
    "EIO": (*WRITES, *SYNCS, *READS),
    "ENOSPC": (*WRITES, *SYNCS),
}
"""The calls that each kind of fault is tried on. An error of `close` would leak an open file."""
KINDS = ("kill", "EIO", "EIO+", "ENOSPC", "ENOSPC+")

_CALL = re.compile(r"^\d+ +(\w+)\(", re.MULTILINE)
_EXIT_CODES = (0, 5)


@dataclass(frozen=True, slots=True)
class Fault:
    """The `at`-th call (1-based) of this name goes wrong, and with `lasting` all that follow."""

    kind: str
    name: str
    at: int

    @property
    def expression(self) -> str:
        error = self.kind.removesuffix("+")
        what = "signal=KILL" if error == "kill" else f"error={error}"
        lasting = "+" if self.kind.endswith("+") else ""
        return f"inject={self.name}:{what}:when={self.at}{lasting}"


@dataclass
class Counts:
    """Calls that were counted, faults that were tried, kills among them; and what went wrong."""

    calls: int = 0
    faults: int = 0
    kills: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    """How often a batch of a deed was `saved`, `refused`, `unknown`."""
    violations: list[str] = field(default_factory=list)


def inject_everywhere(
    kind: str,
    scenarios: Sequence[Scenario] = SCENARIOS,
    *,
    chance: random.Random | None = None,
    share: float = 1.0,
) -> Counts:
    """Tries one kind of fault at every call of every deed; `chance` takes a `share` of them."""
    _import_everything()
    counts = Counts()
    for scenario in scenarios:
        calls = count_calls(scenario)
        counts.calls += sum(calls.values())
        for fault in faults(kind, calls):
            if chance is None or chance.random() < share:
                _try(scenario, fault, counts)
    return counts


@cache
def why_not() -> str | None:
    """Why no faults can be injected here, or None where they can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    sleeper = subprocess.Popen(["sleep", "60"])
    command = ["strace", "-o", "/dev/null", "-p", str(sleeper.pid)]
    strace = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert strace.stderr is not None
    line = strace.stderr.readline()
    sleeper.kill()
    sleeper.wait()
    strace.communicate()
    return None if "attached" in line else f"strace may not attach to processes here: {line}"


def faults(kind: str, calls: Counter[str]) -> Iterator[Fault]:
    for name in NAMES[kind.removesuffix("+")]:
        for at in range(1, calls[name] + 1):
            yield Fault(kind, name, at)


@cache
def count_calls(scenario: Scenario) -> Counter[str]:
    """The system calls of a deed that nothing goes wrong with, by name."""
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder, "trace")
        report, _ = do(scenario, Path(folder), ["-o", str(trace)])
        problems = judge(scenario, Path(folder), report)
        assert not problems, problems
        assert "refused" not in _endings(report), report.read()
        return Counter(_CALL.findall(trace.read_text()))


def _try(scenario: Scenario, fault: Fault, counts: Counts) -> None:
    folder = Path(tempfile.mkdtemp())
    report, killed = do(scenario, folder, ["-o", "/dev/null", "-e", fault.expression])
    problems = judge(scenario, folder, report)
    counts.faults += 1
    counts.kills += killed
    counts.outcomes.update(_endings(report))
    counts.violations += [f"{scenario.name}, {fault.expression}: {p}" for p in problems]
    shutil.rmtree(folder)


def _endings(report: Report) -> list[str]:
    return [words[0] for words in report.read() if words[1:2] == ["deed"]]


# ---------------------------------------------------------------- one run


def do(scenario: Scenario, folder: Path, switches: list[str]) -> tuple[Report, bool]:
    """Prepares, lets strace take hold, and does the deed; returns its report, and if it was killed."""
    report = Report(folder / "report")
    prepared, go = Gate(), Gate()

    def work() -> None:
        scenario.prepare(folder / "store", report)
        prepared.open()
        go.wait()
        scenario.act(folder / "store", report)

    child = spawn(report, work)
    if not prepared.wait(child):
        raise AssertionError(report.read())
    strace = _attach(child.pid, switches)
    go.open()
    child.wait()
    strace.communicate()
    prepared.close()
    go.close()
    return report, child.was_killed


def _attach(pid: int, switches: list[str]) -> subprocess.Popen[str]:
    names = ",".join(NAMES["kill"])
    command = ["strace", "-f", "-e", f"trace={names}", *switches, "-p", str(pid)]
    strace = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert strace.stderr is not None
    line = strace.stderr.readline()
    assert "attached" in line, line
    return strace


@cache
def _import_everything() -> None:
    """Imports are no part of a deed: a fault in them would say nothing about the store."""
    for name in ("portalocker", "orjson", "typer.main", "rich.console", "ctypes", "logging"):
        import_module(name)
    for module in walk_packages(msgstore.__path__, "msgstore."):
        if not module.name.startswith("msgstore.testing"):
            import_module(module.name)


# ---------------------------------------------------------------- what must hold


def judge(scenario: Scenario, folder: Path, report: Report) -> list[str]:
    """What is wrong with the store, or with what was told, after one run."""
    problems = [*report.about("bug"), *_judge_command(folder, report)]
    try:
        with FileMessageStore(folder / "store", lock_timeout_s=5) as store:
            store.save_messages("s0", batch_of("next", 2))
            problems += _judge_store(scenario, store, report)
    except MsgStoreError as error:
        problems.append(f"the next save: {type(error).__name__}: {error}")
    return problems


def _judge_store(scenario: Scenario, store: FileMessageStore, report: Report) -> list[str]:
    saved = {"next", *report.about("saved")} - {"session", "end", "flush", "reset", "reading"}
    refused = {line.split(" ")[0] for line in report.about("refused")}
    found = set(look_over(store).batches)
    if scenario.may_empty and "base0" not in found:
        saved = {label for label in saved if not label.startswith("base")}
        refused |= {f"base{n}" for n in range(9)}
    return [*examine(store, saved, refused), *_judge_sessions(store, report)]


def _judge_sessions(store: FileMessageStore, report: Report) -> list[str]:
    """A session that was started is there, is ended if that was said, and counts what it holds."""
    infos = {info.session_id: info for info in store.get_sessions()}
    started = report.about("started")
    problems = [f"session lost: {run}" for run in started if run not in infos]
    for info in infos.values():
        held = sum(1 for _ in store.get_session_messages(info.session_id))
        if info.message_count != held:
            problems.append(f"{info} holds {held}")
        if "end" in report.about("saved") and info.ended_at is None:
            problems.append(f"{info} did not end")
    if "end" in {line.split(" ")[0] for line in report.about("refused")}:
        problems += [f"{info} ended" for info in infos.values() if info.ended_at is not None]
    return problems


def _judge_command(folder: Path, report: Report) -> list[str]:
    """The command line ends with a documented code, and no traceback; 0 means all was saved.

    Adds to the report what the command said that it saved.
    """
    if not (folder / "said").exists():
        return []
    said = (folder / "said").read_text()
    told = re.search(r"saved (?:before it: )?(\d+) messages", said)
    batches = int(told[1]) // CLI_BATCH_LINES if told else 0
    for number in range(batches):
        report.tell("saved", f"deed{number}")
    problems = [f"said: {said}"] if "Traceback" in said else []
    for code in map(int, report.about("exit")):
        if code not in _EXIT_CODES or (code == 0) != (batches == CLI_BATCHES):
            problems.append(f"exit code {code} after {batches} batches: {said}")
    return problems
