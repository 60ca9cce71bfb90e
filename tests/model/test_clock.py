"""Times and identities."""

from __future__ import annotations

import re
import threading
import time
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgstore.model.clock import (
    TIME_US_MAX,
    TIME_US_MIN,
    format_time,
    format_uuid,
    new_session_id,
    parse_uuid,
    system_clock_us,
    to_datetime,
    to_us,
    uuid7,
    uuid7s,
)

FORMS: dict[str, tuple[datetime, str]] = {
    "whole seconds": (datetime(2026, 11, 23, 14, 0, tzinfo=UTC), "2026-11-23T14:00:00.000Z"),
    "milliseconds": (datetime(2026, 1, 2, 3, 4, 5, 6000, UTC), "2026-01-02T03:04:05.006Z"),
    "microseconds": (datetime(2026, 1, 2, 3, 4, 5, 6007, UTC), "2026-01-02T03:04:05.006007Z"),
    "another zone": (
        datetime(2026, 1, 1, 1, 0, tzinfo=timezone(timedelta(hours=2))),
        "2025-12-31T23:00:00.000Z",
    ),
    "year 1": (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000Z"),
    "year 9999": (
        datetime(9999, 12, 31, 23, 59, 59, 999999, UTC),
        "9999-12-31T23:59:59.999999Z",
    ),
}


@pytest.mark.parametrize("case", FORMS)
def test_the_form_of_a_time(case: str) -> None:
    """A time is ISO 8601 in UTC with `Z`, three digits of a second or six."""
    moment, text = FORMS[case]
    assert format_time(moment) == text
    assert datetime.fromisoformat(text) == moment


@given(st.integers(TIME_US_MIN, TIME_US_MAX))
def test_microseconds_are_exact(time_us: int) -> None:
    """Microseconds come back exactly from a datetime, in all years it can hold."""
    assert to_us(to_datetime(time_us)) == time_us


def test_the_bounds_of_time() -> None:
    """The least and the greatest time are the first and last microseconds of years 1 and 9999."""
    assert to_datetime(TIME_US_MIN) == datetime(1, 1, 1, tzinfo=UTC)
    assert to_datetime(TIME_US_MAX) == datetime(9999, 12, 31, 23, 59, 59, 999999, UTC)


def test_the_system_clock() -> None:
    """The system's clock is in microseconds since 1970."""
    before = time.time_ns() // 1000
    assert before <= system_clock_us() <= time.time_ns() // 1000


def test_uuid7_is_version_7() -> None:
    """An id is a UUID of version 7 and of the variant of RFC 9562, and holds the time."""
    before_ms = time.time_ns() // 1_000_000
    made = UUID(bytes=uuid7())
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    # The counter may run over into the next millisecond.
    assert before_ms <= made.int >> 80 <= time.time_ns() // 1_000_000 + 1


def test_uuid7_rises() -> None:
    """Ids of one process rise, however many are made in a millisecond."""
    made = [uuid7() for _ in range(20_000)]
    assert made == sorted(set(made))


def test_uuid7_rises_when_the_clock_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids rise even while the clock is set back."""
    first = uuid7()
    monkeypatch.setattr(time, "time_ns", lambda: 1_000_000_000_000_000_000)
    made = [first, *(uuid7() for _ in range(10_000))]
    assert made == sorted(set(made))


def test_uuid7_of_many_threads() -> None:
    """Threads that make ids at once never make the same one."""
    made: list[bytes] = []

    def make() -> None:
        made.extend([uuid7() for _ in range(5000)])

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 20_000


def test_uuid7s() -> None:
    """Ids that are made at once are of version 7, hold the time, rise, and have their canonical text."""
    before_ms = time.time_ns() // 1_000_000
    made = [uuid7(), *(raw for raw, _ in uuid7s(10_000)), uuid7()]
    assert made == sorted(set(made))
    for raw, text in uuid7s(100):
        uuid = UUID(bytes=raw)
        assert (uuid.version, uuid.variant) == (7, "specified in RFC 4122")
        assert before_ms <= uuid.int >> 80 <= time.time_ns() // 1_000_000 + 10
        assert text == str(uuid).encode()
    assert uuid7s(0) == []


@given(st.binary(min_size=16, max_size=16))
def test_uuid_text(raw: bytes) -> None:
    """The text of a UUID is the canonical one, and gives its bytes back."""
    assert format_uuid(raw) == str(UUID(bytes=raw))
    assert parse_uuid(format_uuid(raw)) == raw


@pytest.mark.parametrize(
    "text",
    [
        *("", "m-1", "0198C0DE-0000-7000-8000-000000000001", "0198c0de000070008000000000000001"),
        *("{0198c0de-0000-7000-8000-00000000001}", "0198c0de-0000-7000-8000-00000000000g"),
        *("0198c0de-00007-000-8000-000000000001", "0198c0de-0000-7000-8000-0000000000 1"),
        "٠198c0de-0000-7000-8000-000000000001",
    ],
)
def test_text_that_is_no_canonical_uuid(text: str) -> None:
    """Only canonical text is taken for a UUID: what is given comes back as it was given."""
    assert parse_uuid(text) is None


def test_session_ids() -> None:
    """A session id holds its milliseconds, and eight random characters."""
    made = {new_session_id(1_795_443_901_760_999) for _ in range(200)}
    assert len(made) == 200
    assert all(re.fullmatch(r"session-1795443901760-[0-9a-z]{8}", one) for one in made)
