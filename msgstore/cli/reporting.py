"""What `report` does: choose the messages, write the page, and say what is in it."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from itertools import islice
from typing import TYPE_CHECKING

import orjson

from msgstore.analysis.links import Clock
from msgstore.cli.damage import Damage
from msgstore.cli.errors import BadUsage
from msgstore.cli.escape import visible
from msgstore.cli.output import check_message, record_output
from msgstore.cli.render.progress import Progress
from msgstore.cli.settings import FORMATS, Settings
from msgstore.cli.shapes import REPORTED
from msgstore.cli.tally import counted
from msgstore.exchange.new_file import new_file
from msgstore.exchange.report import About, Page
from msgstore.model.clock import format_time, system_clock_us
from msgstore.model.values import Json

if TYPE_CHECKING:
    from msgstore.backends.protocol import LocalMessageStore
    from msgstore.model.filter import MessageFilter
    from msgstore.model.message import PositionalMessage

COUNT_MAX = 10_000
_WORDS = {
    "message_names": "type",
    "message_type": "kind",
    "message_id": "id",
    "stream_id": "stream",
    "stream_pattern": "stream",
    "session_id": "session",
    "from_timestamp": "since",
    "to_timestamp": "until",
    "json_filter": "data",
}
_CHUNK_BYTES = 1 << 18
_TOLD_EVERY = 1000


@dataclass(frozen=True, slots=True)
class Reported:
    """`left_out` counts messages that match and are not in the page, `data_left_out` too long data."""

    path: str
    messages: int
    left_out: int
    data_left_out: int
    bytes: int

    def to_json(self) -> dict[str, Json]:
        return {
            "path": self.path,
            "messages": self.messages,
            "leftOut": self.left_out,
            "dataLeftOut": self.data_left_out,
            "bytes": self.bytes,
        }


@dataclass(frozen=True, slots=True)
class Part:
    """What of the messages that match goes into the page. Raises BadUsage."""

    limit: int | None
    last: int | None
    data_bytes_max: int
    clock: Clock

    def __post_init__(self) -> None:
        if self.limit is not None and self.last is not None:
            raise BadUsage(
                "-n and --last exclude each other", "-n for the first, --last for the last"
            )

    @property
    def is_of_newest(self) -> bool:
        return self.last is not None

    @property
    def count(self) -> int:
        given = self.limit if self.last is None else self.last
        return COUNT_MAX if given is None else given


def report_printer(settings: Settings, path: str) -> Callable[[Reported], None]:
    """What says what was written: a sentence for people, else JSON; beside the page only a sentence."""
    if path == "-":
        return lambda report: settings.say(_sentence(report))
    if settings.output_format("table") not in ("table", "wide") or settings.fields:
        output = record_output(settings, REPORTED)

        def tell(report: Reported) -> None:
            _warn(settings, report)
            output.put_all([report])

        return tell
    return lambda report: None if settings.quiet else print(visible(_sentence(report)))


def _sentence(report: Reported) -> str:
    where = "" if report.path == "-" else f" to {report.path}"
    text = f"reported {counted(report.messages, 'message')}{where} ({report.bytes:,} bytes)"
    return "; ".join([text, *_left_out(report)])


def _warn(settings: Settings, report: Reported) -> None:
    if left_out := [*_left_out(report)]:
        settings.say("; ".join(left_out))


def _left_out(report: Reported) -> Iterator[str]:
    if report.left_out:
        yield f"{counted(report.left_out, 'message')} left out: raise --limit, or narrow by filters"
    if report.data_left_out:
        yield f"{report.data_left_out:,} data or metadata left out as too long: raise --data-max"


class Report:
    """One report. Wrong flags fail when it is made, before a store is opened."""

    def __init__(
        self,
        settings: Settings,
        path: str | None,
        part: Part,
        force: bool,
    ) -> None:
        self.path = _check_path(path)
        self._settings = settings
        self._part = part
        self._force = force
        self._page = Page(part.data_bytes_max)
        self._total = 0

    def run(self, store: "LocalMessageStore", filter: "MessageFilter", damage: Damage) -> Reported:
        """Writes the page. If reading fails, nothing stands at the path that did not before."""
        with Progress(self._settings, "reported") as progress:
            pieces = self._pieces(store, filter, damage, progress)
            if self.path == "-":
                path, size_bytes = "-", _print(pieces)
            else:
                path = os.path.abspath(self.path)
                size_bytes = self._write(pieces)
        left_out = self._total - self._page.count
        return Reported(path, self._page.count, left_out, self._page.data_left_out, size_bytes)

    def _write(self, pieces: Iterator[bytes]) -> int:
        with (
            new_file(self.path, self._force) as temporary,
            open(temporary, "wb", buffering=_CHUNK_BYTES) as file,
        ):
            return sum(map(file.write, pieces))

    def _pieces(
        self,
        store: "LocalMessageStore",
        filter: "MessageFilter",
        damage: Damage,
        progress: Progress,
    ) -> Iterator[bytes]:
        yield self._page.begin()
        is_cut = False
        for number, stored in enumerate(self._messages(store, filter, damage), start=1):
            if number > self._part.count:
                is_cut = True
                break
            yield self._page.add(check_message(stored))
            if not number % _TOLD_EVERY:
                progress.show(number)
        self._total = self._page.count
        if is_cut or self._part.is_of_newest:
            self._total = max(self._total, _count(store, filter, damage))
        yield self._page.end(self._about(store, filter))

    def _messages(
        self, store: "LocalMessageStore", filter: "MessageFilter", damage: Damage
    ) -> Iterator["PositionalMessage"]:
        """In order of position; one more than are shown, so that it is noticed that there are more."""
        options = damage.options
        if not self._part.is_of_newest:
            return store.get_all_messages(filter, **options)
        newest = store.get_all_messages(filter, direction="backwards", **options)
        return reversed([*islice(newest, self._part.count)])

    def _about(self, store: "LocalMessageStore", filter: "MessageFilter") -> About:
        from msgstore import __version__

        told = self._page.session_ids | {filter.session_id}
        return About(
            total=self._total,
            made_us=system_clock_us(),
            clock=self._part.clock,
            version=__version__,
            filters=[*_filters(filter)],
            sessions=[info for info in store.get_sessions() if info.session_id in told],
        )


def _check_path(path: str | None) -> str:
    """Raises BadUsage where it is no name for a page."""
    if not path:
        raise BadUsage("report: which file is the page to be?", "-o run.html, or -o - for stdout")
    if path in FORMATS:
        raise BadUsage(
            f"-o {path}: behind `report` -o names the page",
            f"-o run.html, or ./{path}; `msgstore -o {path} report …` is about what is printed",
        )
    if path == "-" and sys.stdout.isatty():
        raise BadUsage("a page is nothing for a terminal", "-o run.html")
    return path


def _print(pieces: Iterator[bytes]) -> int:
    size_bytes = 0
    for piece in pieces:
        size_bytes += len(piece)
        rest = memoryview(piece)
        while rest:  # under PYTHONUNBUFFERED one write may take only a part
            rest = rest[sys.stdout.buffer.write(rest) :]
    sys.stdout.buffer.flush()
    return size_bytes


def _count(store: "LocalMessageStore", filter: "MessageFilter", damage: Damage) -> int:
    if damage.options:  # rows alone would count what cannot be read
        return sum(1 for _ in store.get_all_messages(filter, **damage.options))
    return store.count_messages(filter)


def _filters(filter: "MessageFilter") -> Iterator[tuple[str, str]]:
    """The parts that are given, by the names of their flags, in words."""
    for field in fields(filter):
        value = getattr(filter, field.name)
        if value not in (None, (), ""):
            yield _WORDS.get(field.name, field.name.replace("_", " ")), _text(value)


def _text(value: object) -> str:
    from datetime import datetime

    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, Mapping):
        return orjson.dumps(dict(value)).decode()
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(map(_text, value))
    return str(value)
