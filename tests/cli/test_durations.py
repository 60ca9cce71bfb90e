"""Times that passed, for people."""

from __future__ import annotations

import pytest

from msgstore.cli.durations import duration


@pytest.mark.parametrize(
    ("time_us", "expected"),
    [
        (0, "0"),
        (340, "340 µs"),
        (1_249, "1.2 ms"),
        (15_000, "15 ms"),
        (1_234_000, "1.234 s"),
        (59_940_000, "59.9 s"),
        (125_000_000, "2 m 05 s"),
        (11_040_000_000, "3 h 04 m"),
        (442_800_000_000, "5 d 03 h"),
        (-340, "-340 µs"),
        (999.9, "1.0 ms"),
        (999_999, "1.000 s"),
        (59_999_999, "1 m 00 s"),
    ],
)
def test_duration(time_us: float, expected: str) -> None:
    """Three digits or so, in the unit that fits."""
    assert duration(time_us) == expected
