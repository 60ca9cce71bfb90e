"""The forms in which people write times on a command line."""

import re
from datetime import UTC, datetime, timedelta, tzinfo

from msgstore.cli.errors import BadUsage
from msgstore.model.clock import EPOCH

FORMS = (
    "2026-11-23, 2026-11-23T14:30, 2026-11-23T14:30:00Z, 14:30, now, today, yesterday, "
    "90s, 5m, 1h, '1h ago', 2d, 3w, epoch seconds"
)

_AGO = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*([smhdw])(?:\s+ago)?", re.ASCII)
_CLOCK = re.compile(r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?", re.ASCII)
_SECONDS = re.compile(r"\d{1,11}(?:\.\d{1,9})?", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_time(text: str, flag: str, now: datetime | None = None) -> datetime:
    """The moment that `text` names, in UTC; `now` is aware and stands for the present.

    A time without a zone is local, a date alone is its first moment, a duration counts back from
    now. Raises BadUsage, which lists the forms, for anything else.
    """
    here = now.astimezone() if now else datetime.now().astimezone()
    try:
        moment = _read(text.strip(), here)
        # Near the ends of the calendar a local time can be one that UTC has no year for.
        moment = None if moment is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        moment = None
    if moment is None:
        raise BadUsage(f"{flag}: {text[:40]!r} is not a time", f"one of {FORMS}")
    return moment


def _read(text: str, now: datetime) -> datetime | None:
    if match := _AGO.fullmatch(text):
        return now - timedelta(**{_UNITS[match[2]]: float(match[1])})
    if text in ("now", "today", "yesterday"):
        return now if text == "now" else _midnight(now, days_ago=int(text == "yesterday"))
    if _CLOCK.fullmatch(text):
        hour, colon, rest = text.partition(":")
        return datetime.fromisoformat(f"{now:%Y-%m-%d}T{hour:0>2}{colon}{rest}").astimezone()
    if _SECONDS.fullmatch(text):
        return _from_epoch(text)
    return datetime.fromisoformat(text).astimezone()


def _midnight(now: datetime, days_ago: int) -> datetime:
    """Through the calendar, not by 24 hours: a day with a change of the clocks is longer or shorter."""
    day = now.date() - timedelta(days=days_ago)
    return datetime(day.year, day.month, day.day).astimezone()


def _from_epoch(text: str) -> datetime | None:
    whole, _, fraction = text.partition(".")
    if not fraction and len(whole) in (4, 8):
        return None  # `2026` and `20261123` are meant as dates, and would be in the year 1970
    return EPOCH + timedelta(seconds=int(whole), microseconds=int(f"{fraction:0<6}"[:6]))


class LocalZone(tzinfo):
    """This machine's time zone with its past and coming changes of the clocks."""

    def fromutc(self, dt: datetime) -> datetime:
        return dt.replace(tzinfo=UTC).astimezone().replace(tzinfo=self)

    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        return None if dt is None else dt.replace(tzinfo=None).astimezone().utcoffset()

    def dst(self, dt: datetime | None) -> timedelta | None:
        return None

    def tzname(self, dt: datetime | None) -> str | None:
        return None if dt is None else dt.replace(tzinfo=None).astimezone().tzname()


def utc_now() -> datetime:
    return datetime.now(UTC)


def moment_before(now: datetime, duration_s: float) -> datetime:
    """So many seconds before `now`; the first moment there is, where that is further back."""
    try:
        return now - timedelta(seconds=duration_s)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)
