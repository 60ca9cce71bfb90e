"""Hunts all mutants, as many at a time as there are processors; `scripts/mutants` calls this."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor

from laboratory.mutants import MUTANTS
from laboratory.mutation import run


def main(words: list[str]) -> int:
    chosen = [mutant for mutant in MUTANTS if all(word in mutant.name for word in words)]
    if not chosen:
        print(f"mutants: none is called {' '.join(words)!r}", file=sys.stderr)
        return 2
    survivors = 0
    words_too = len(chosen) < len(MUTANTS)
    print(f"{'mutant':50} {'caught by':24} {'states':>8} {'s':>5}")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for outcome in pool.map(run, chosen):
            mutant = outcome.mutant
            survivors += not outcome.violation
            figures = f"{outcome.states:8,} {outcome.seconds:5.1f}"
            print(f"{mutant.name:50} {outcome.claim:24} {figures}", flush=True)
            if words_too:
                print(f"  {mutant.breaks}\n  {outcome.violation[:300]}")
    print(f"{len(chosen) - survivors} of {len(chosen)} caught")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
