"""kill -9 at any instant, while other processes save, read and follow."""

from __future__ import annotations

from .soak import soak

KILLS = 60


def test_killed_savers() -> None:
    """Nothing acknowledged is lost, no batch torn, no gap left, and nobody is told of an error."""
    counts = soak(120, writers=3, readers=1, kills=KILLS)
    assert counts.violations == []
    assert counts.kills == KILLS
    assert counts.saves > KILLS
