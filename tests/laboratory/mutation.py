"""One deliberate error of the engine, made in a copy of the package, and the hunt for it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

TESTS = Path(__file__).resolve().parent.parent
PACKAGE = TESTS.parent / "msgstore"
_SECONDS_MAX = 400


class Change(NamedTuple):
    """One place of one file of the package: `old` stands there exactly once."""

    file: str
    old: str
    new: str


class Mutant(NamedTuple):
    """`breaks` says what rule or promise goes; `place` is where it shows first, see `hunt`."""

    name: str
    breaks: str
    changes: tuple[Change, ...]
    place: str = "explore/always/s"


class Outcome(NamedTuple):
    """`violation` is "" where the mutant survived."""

    mutant: Mutant
    violation: str
    states: int
    seconds: float

    @property
    def claim(self) -> str:
        return self.violation.split(": ")[1] if self.violation else "SURVIVED"


def run(mutant: Mutant) -> Outcome:
    """Hunts in a copy of the package that has this error. Raises LookupError if its text is gone."""
    start = time.monotonic()
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "msgstore"
        shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
        for change in mutant.changes:
            apply(copy, change, mutant.name)
        violation, states = _hunt(folder, mutant.place)
    return Outcome(mutant, violation, states, time.monotonic() - start)


def apply(package: Path, change: Change, name: str) -> None:
    path = package / change.file
    text = path.read_text(encoding="utf-8")
    count = text.count(change.old)
    if count != 1:
        raise LookupError(f"mutant {name!r}: {change.file} holds its text {count} times, not once")
    path.write_text(text.replace(change.old, change.new), encoding="utf-8")


def _hunt(folder: str, place: str) -> tuple[str, int]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((folder, str(TESTS)))}
    done = subprocess.run(
        [sys.executable, "-m", "laboratory.hunt", place],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_SECONDS_MAX,
        check=False,
    )
    if done.returncode:  # what the engine raises is a find, and ends well: see `hunt`
        raise RuntimeError(f"the hunt at {place} itself broke:\n{done.stderr.strip()}")
    violation, states = json.loads(done.stdout)
    return violation, states
