"""The share of the fuzzing that runs with all tests: fixed seeds, the plain mutator."""

from __future__ import annotations

import pytest

from fuzz.driver import TARGETS, fuzz, run_plainly

INPUTS_PER_WEIGHT = 50
SEED = 20261123


@pytest.mark.parametrize("name", TARGETS)
def test_valid_input_is_taken(name: str) -> None:
    """The property of a target holds for what the encoders make, with checksums made right or not."""
    for data in TARGETS[name].corpus():
        TARGETS[name].fuzz_one(data)


@pytest.mark.filterwarnings("ignore:Possible:FutureWarning")  # regular expressions are fuzzed too
@pytest.mark.parametrize("name", TARGETS)
def test_changed_input(name: str) -> None:
    """The property of a target holds for every input of a fixed seed."""
    target = TARGETS[name]
    watch = run_plainly(target, max(40, target.weight * INPUTS_PER_WEIGHT), SEED)
    assert watch.told() == []
    assert watch.inputs >= 40


def test_a_process_of_its_own() -> None:
    """The driver runs targets in processes, with whatever engine there is, and counts their inputs."""
    counts = fuzz(500, seed=1, only="index_row")
    assert counts.violations == []
    assert counts.targets == 1
    assert counts.inputs >= 500


def test_a_violation_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What raises is told once for each place, with the shortest input that does it."""
    from fuzz.driver import Watch
    from fuzz.target import Target

    def refuse(data: bytes) -> None:
        if len(data) > 2:
            raise KeyError("no")

    watch = Watch(Target("some", refuse, lambda: [b""]))
    assert [watch.run(data) for data in (b"", b"abcd", b"abcde", b"abc")] == [
        False,
        True,
        False,
        True,
    ]
    assert [told.split(" ")[0] for told in watch.told()] == ["some:616263"]
