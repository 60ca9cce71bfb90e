"""The forms of times."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest

from msgstore.cli.errors import BadUsage
from msgstore.cli.times import FORMS, LocalZone, parse_time

NOW = datetime(2026, 11, 23, 14, 30, 45, tzinfo=timezone(timedelta(hours=1)))


@pytest.fixture(autouse=True)
def amsterdam(monkeypatch: pytest.MonkeyPatch) -> object:
    """One hour ahead of UTC in winter, two in summer."""
    monkeypatch.setenv("TZ", "Europe/Amsterdam")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-23T14:30:00Z", "2026-11-23T14:30:00"),
        ("2026-11-23T14:30:00+02:00", "2026-11-23T12:30:00"),
        ("2026-11-23T14:30", "2026-11-23T13:30:00"),
        ("2026-07-23 14:30:01.25", "2026-07-23T12:30:01.250000"),
        ("2026-11-23", "2026-11-22T23:00:00"),
        ("14:30", "2026-11-23T13:30:00"),
        ("9:05", "2026-11-23T08:05:00"),
        ("14:30:15", "2026-11-23T13:30:15"),
        ("now", "2026-11-23T13:30:45"),
        ("today", "2026-11-22T23:00:00"),
        ("yesterday", "2026-11-21T23:00:00"),
        ("90s", "2026-11-23T13:29:15"),
        ("5m", "2026-11-23T13:25:45"),
        ("1h", "2026-11-23T12:30:45"),
        ("1h ago", "2026-11-23T12:30:45"),
        ("1.5h", "2026-11-23T12:00:45"),
        ("2d", "2026-11-21T13:30:45"),
        ("3w", "2026-11-02T13:30:45"),
        ("1763900000", "2025-11-23T12:13:20"),
        ("1763900000.25", "2025-11-23T12:13:20.250000"),
        ("0", "1970-01-01T00:00:00"),
        (" 1h ", "2026-11-23T12:30:45"),
    ],
)
def test_forms(text: str, expected: str) -> None:
    """Each form names one moment."""
    assert parse_time(text, "--since", NOW).replace(tzinfo=None).isoformat() == expected


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "soon",
            "1",
            "h",
            "-1h",
            "1y",
            "1h30m",
            "tomorrow",
            "25:00",
            "14:3",
            "2026-13-01",
            "1763900000000",
        ),
        *("2026", "20261123", "1e9", "+5", "0x10", "999999999d", "٣h", "1h  before"),
    ],
)
def test_anything_else_lists_the_forms(text: str) -> None:
    """What is no time raises BadUsage, whose hint lists the forms."""
    if text == "1":
        assert parse_time(text, "--since", NOW).year == 1970
        return
    with pytest.raises(BadUsage) as caught:
        parse_time(text, "--since", NOW)
    assert FORMS in caught.value.hint


def test_days_follow_the_calendar() -> None:
    """yesterday is a midnight, also across a change of the clocks."""
    after_change = datetime(2026, 10, 26, 12, tzinfo=UTC)
    assert parse_time("yesterday", "--since", after_change) == datetime(
        2026, 10, 24, 22, tzinfo=UTC
    )
    assert parse_time("today", "--since", after_change) == datetime(2026, 10, 25, 23, tzinfo=UTC)


def test_the_local_zone_knows_summer() -> None:
    """Offsets are those of the moment, not those of today."""
    zone = LocalZone()
    assert datetime(2026, 1, 1, 12, tzinfo=UTC).astimezone(zone).hour == 13
    assert datetime(2026, 7, 1, 12, tzinfo=UTC).astimezone(zone).hour == 14
    assert datetime(2026, 7, 1, 12, tzinfo=zone).utcoffset() == timedelta(hours=2)
