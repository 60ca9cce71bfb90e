"""What a target is: a reader, the property that holds for every input, and valid input to begin with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

Check = Callable[[bytes], None]
Seal = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Target:
    """One reader. `check` raises for an input that violates the property, whatever it raises.

    With `seal` the first byte of an input is not the reader's: it says whether the checksums of the
    rest are made right first, which a mutation hardly ever hits on.
    """

    name: str
    check: Check
    seeds: Callable[[], Sequence[bytes]]
    seal: Seal | None = None
    tokens: tuple[bytes, ...] = ()
    """What is worth inserting."""
    weight: int = 40
    """Its share of all inputs: the slow ones have less."""

    def fuzz_one(self, data: bytes) -> None:
        """Raises if the property does not hold for this input."""
        if self.seal is None:
            self.check(data)
        elif data:
            self.check(self.seal(data[1:]) if data[0] & 1 else data[1:])

    def corpus(self) -> list[bytes]:
        """Inputs that are valid, as `fuzz_one` takes them."""
        if self.seal is None:
            return list(self.seeds())
        return [bytes([flag]) + seed for seed in self.seeds() for flag in (0, 1)]


TARGETS: dict[str, Target] = {}
"""All of them by name, in the order in which they were made known."""


def target(
    seeds: Callable[[], Sequence[bytes]],
    *,
    seal: Seal | None = None,
    tokens: tuple[bytes, ...] = (),
    weight: int = 40,
) -> Callable[[Check], Check]:
    """Makes a check known as a target, under its own name."""

    def add(check: Check) -> Check:
        TARGETS[check.__name__] = Target(check.__name__, check, seeds, seal, tokens, weight)
        return check

    return add
