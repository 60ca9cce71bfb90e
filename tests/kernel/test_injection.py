"""System calls that fail or kill: a share of them; `inject_everywhere` without a share tries all."""

from __future__ import annotations

import random

import pytest

from .injection import KINDS, inject_everywhere, why_not

SHARE = 0.04

pytestmark = pytest.mark.skipif(why_not() is not None, reason=why_not() or "")


@pytest.mark.parametrize("kind", KINDS)
def test_a_system_call_that_goes_wrong(kind: str) -> None:
    """What was acknowledged is there, what was refused is not, and the next save needs no help."""
    counts = inject_everywhere(kind, chance=random.Random(11), share=SHARE)
    assert counts.violations == []
    assert counts.faults > 20
    assert (counts.kills > 0) == (kind == "kill")
    assert counts.outcomes["saved"] > 0
    assert kind == "kill" or counts.outcomes["refused"] > 0
