"""Runs the targets by the thousand or by the million, each in a process of its own.

With atheris, where it is installed, mutation is led by what the inputs reach in the package; without
it, by the plain mutator. A violation is told as `target:hex`, which `reproduce` takes.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from fuzz.mutate import INPUT_BYTES_MAX, mutations
from fuzz.targets import TARGETS, Target

TESTS = Path(__file__).parent.parent
INPUT_TIMEOUT_S = 20
"""An input that takes longer is a violation: whatever it claims, it is short."""
_VIOLATIONS_MAX = 20
_STARTING_S = 60


@dataclass
class Counts:
    """Inputs that were run, of how many targets, by which engine; and what went wrong."""

    inputs: int = 0
    targets: int = 0
    violations: list[str] = field(default_factory=list)
    engine: str = ""
    by_target: dict[str, int] = field(default_factory=dict)


class Watch:
    """Runs inputs of one target, and keeps the shortest for each kind of violation."""

    def __init__(self, target: Target) -> None:
        self.inputs = 0
        self.violations: dict[str, tuple[bytes, str]] = {}
        self._target = target

    def run(self, data: bytes) -> bool:
        """True if this input is a violation that is worth telling."""
        self.inputs += 1
        try:
            self._target.fuzz_one(data)
        except Exception as error:
            return self._keep(data, error)
        return False

    def _keep(self, data: bytes, error: Exception) -> bool:
        last = traceback.extract_tb(error.__traceback__)[-1]
        kind = f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"
        known = self.violations.get(kind)
        if (known and len(known[0]) <= len(data)) or len(self.violations) >= _VIOLATIONS_MAX:
            return False
        self.violations[kind] = (data, f"{error}"[:200])
        return True

    def told(self) -> list[str]:
        return [
            f"{self._target.name}:{data.hex()} {kind}: {reason!a}"
            for kind, (data, reason) in self.violations.items()
        ]


# ---------------------------------------------------------------- the engines


def run_plainly(target: Target, inputs: int, seed: int, seconds: float | None = None) -> Watch:
    """The plain mutator, in this process: the same inputs for the same seed."""
    watch = Watch(target)
    end = math.inf if seconds is None else time.monotonic() + seconds
    for data in itertools.islice(mutations(target.corpus(), target.tokens, f"{seed}"), inputs):
        if time.monotonic() > end:
            break
        watch.run(data)
    return watch


def best_engine() -> str:
    return "atheris" if find_spec("atheris") else "plain"


def fuzz(
    inputs: int,
    seed: int = 0,
    seconds: float | None = None,
    *,
    only: str | None = None,
    engine: str | None = None,
) -> Counts:
    """At least so many inputs over all targets, each by its weight; fewer if `seconds` are over."""
    counts = Counts(engine=engine or best_engine())
    chosen = [one for one in TARGETS.values() if only is None or one.name == only]
    shares = sum(one.weight for one in chosen)
    for one in chosen:
        share = one.weight / shares
        some = math.ceil(inputs * share)
        done, found = _in_a_child(one, some, seed, seconds and seconds * share, counts.engine)
        counts.targets += 1
        counts.inputs += done
        counts.by_target[one.name] = done
        counts.violations += found
    return counts


def _in_a_child(
    target: Target, inputs: int, seed: int, seconds: float | None, engine: str
) -> tuple[int, list[str]]:
    """How many inputs ran, and the violations: a hang or a crash of the interpreter is one too."""
    with tempfile.TemporaryDirectory(dir=_fast_folder()) as folder:
        job = {"target": target.name, "inputs": inputs, "seed": seed, "seconds": seconds}
        job |= {"engine": engine, "folder": folder}
        environment = os.environ | {"PYTHONPATH": str(TESTS), "TMPDIR": folder}
        with (Path(folder) / "said").open("w+b") as said:
            child = subprocess.Popen(
                [sys.executable, "-m", "fuzz.child", json.dumps(job)],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                cwd=folder,
                env=environment,
            )
            code = _wait(child, None if seconds is None else seconds + _STARTING_S)
            said.seek(0)
            return _read_report(Path(folder), target, code, said.read().decode(errors="replace"))


def _wait(child: subprocess.Popen[bytes], timeout_s: float | None) -> int | None:
    try:
        return child.wait(timeout_s)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        return None


def _read_report(
    folder: Path, target: Target, code: int | None, said: str
) -> tuple[int, list[str]]:
    found = []
    if (folder / "violations").exists():
        found = json.loads((folder / "violations").read_text())
    for kind in ("crash", "timeout", "oom"):
        for path in folder.glob(f"artefact-{kind}-*"):
            found.append(f"{target.name}:{path.read_bytes().hex()} {kind}")
    if code != 0 and not found:
        found.append(f"{target.name}: the process ended with {code}: {said[-600:]!a}")
    done = re.search(r"(?:Done |executed_units: +)(\d+)", said)
    return int(done[1]) if done else 0, found


def _fast_folder() -> str | None:
    """Command lines make and remove thousands of files."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


# ---------------------------------------------------------------- by hand


def reproduce(violation: str) -> None:
    """Runs one input again, given as it was told; raises what it raised."""
    name, _, hexadecimal = violation.split(" ")[0].partition(":")
    TARGETS[name].fuzz_one(bytes.fromhex(hexadecimal))


def main() -> int:
    """`python -m fuzz.driver` in tests/; 1 if a property does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--only", choices=[*TARGETS])
    parser.add_argument("--engine", choices=["atheris", "plain"])
    parser.add_argument("--reproduce", metavar="TARGET:HEX")
    asked = parser.parse_args()
    if asked.reproduce:
        reproduce(asked.reproduce)
        return 0
    counts = fuzz(asked.inputs, asked.seed, asked.seconds, only=asked.only, engine=asked.engine)
    for name, done in counts.by_target.items():
        print(f"{done:>10,}  {name}")
    print(f"{counts.inputs:>10,}  inputs of {counts.targets} targets with {counts.engine}")
    for violation in counts.violations:
        print(violation)
    return 1 if counts.violations else 0


__all__ = ["INPUT_BYTES_MAX", "TARGETS", "Counts", "fuzz", "reproduce", "run_plainly"]

if __name__ == "__main__":
    sys.exit(main())
