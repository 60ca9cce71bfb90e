"""One record, a fact a line; and what belongs under it."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from msgstore.cli.escape import visible
from msgstore.cli.render.dumps import dump_facts
from msgstore.cli.render.latencies import latency_facts
from msgstore.cli.render.lists import moment
from msgstore.cli.render.messages import message_columns
from msgstore.cli.render.screen import Screen
from msgstore.cli.render.table import HEAD, Column, Table
from msgstore.cli.tally import counted

if TYPE_CHECKING:
    from msgstore.cli.records import Session
    from msgstore.model.repairs import RepairReport
    from msgstore.model.results import Finding, StoreStats, VerifyReport

Fact = tuple[str, str]


class Facts:
    """An encoder for a single record."""

    def __init__(
        self, describe: "Callable[[Any, Screen], Iterator[Fact | bytes]]", screen: Screen
    ) -> None:
        self._describe = describe
        self._screen = screen

    def add(self, record: Any) -> bytes:
        described = [*self._describe(record, self._screen)]
        facts = [part for part in described if isinstance(part, tuple)]
        names = max((len(name) for name, _ in facts), default=0)
        numbers = max((len(value) for _, value in facts if _is_number(value)), default=0)
        lines = [
            Text.assemble(
                (f"{name:<{names}}  ", HEAD),
                value.rjust(numbers) if _is_number(value) else visible(value),
            )
            for name, value in facts
        ]
        return self._screen.draw(lines) + b"".join(p for p in described if isinstance(p, bytes))

    def release(self) -> bytes:
        return b""

    def end(self) -> bytes:
        return b""


def _is_number(value: str) -> bool:
    return value.replace(",", "").isdecimal()


def _stats(stats: "StoreStats", screen: Screen) -> "Iterator[Fact | bytes]":
    yield "messages", f"{stats.total_messages:,}"
    yield "commands", f"{stats.total_commands:,}"
    yield "events", f"{stats.total_events:,}"
    yield "streams", f"{stats.total_streams:,}"
    yield "sessions", f"{stats.total_sessions:,}"
    if stats.oldest_message:
        yield "oldest", moment(stats.oldest_message)
        yield "newest", moment(stats.newest_message)
    if stats.disk_bytes is not None:
        yield "on disk", human_size(stats.disk_bytes)
    if stats.memory_bytes is not None:
        yield "in memory", human_size(stats.memory_bytes)


def human_size(size_bytes: int) -> str:
    """`3.2 MiB`."""
    size = float(size_bytes)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.1f} {unit}" if unit != "bytes" else f"{size_bytes} bytes"
        size /= 1024
    return f"{size:.1f} TiB"


def _session(session: "Session", screen: Screen) -> "Iterator[Fact | bytes]":
    info = session.info
    yield "session", info.session_id
    if info.name:
        yield "name", info.name
    for label, text in info.labels.items():
        yield "label", f"{label}={text}"
    yield "started", moment(info.started_at)
    if info.ended_at:
        yield "ended", moment(info.ended_at)
    yield (
        "state",
        "active" if session.is_active else info.status or ("ended" if info.ended_at else "open"),
    )
    commands, events = counted(info.command_count, "command"), counted(info.event_count, "event")
    yield (
        "messages",
        f"{info.message_count:,} ({commands}, {events})",
    )
    yield "last activity", moment(info.last_activity)
    latest = [*session.latest]
    if latest:
        columns = [column for column in message_columns(screen) if column.head != "session"]
        table = Table(columns, screen, wide=False)
        rows = b"".join(table.add(message) for message in reversed(latest))
        yield b"\n" + rows + table.release()


def _report(report: "VerifyReport", screen: Screen) -> "Iterator[Fact | bytes]":
    yield "messages", f"{report.messages:,}"
    yield "streams", f"{report.streams:,}"
    yield "sessions", f"{report.sessions:,}"
    yield "checked", human_size(report.bytes_checked)
    for note in report.notes:
        yield "note", note
    yield "damage", counted(len(report.findings), "place") if report.findings else "none found"
    if report.findings:
        table = Table(_FINDING_COLUMNS, screen, wide=False)
        rows = b"".join(table.add(finding) for finding in report.findings)
        yield b"\n" + rows + table.release()


def _repair(report: "RepairReport", screen: Screen) -> "Iterator[Fact | bytes]":
    yield "messages", f"{report.messages:,}"
    yield "damage", counted(len(report.damage), "place") if report.damage else "none found"
    yield "lost", counted(report.lost_count, "message") if report.lost else "nothing"
    if report.rebuilt:
        yield "made anew" if report.applied else "to be made anew", _made(report.rebuilt)
    if report.quarantine:
        yield "old files", report.quarantine
    for note in report.notes:
        yield "note", note
    yield "done", "yes" if report.applied else "nothing was changed"
    for rows, columns in ((report.lost, _LOST_COLUMNS), (report.damage, _FINDING_COLUMNS)):
        if rows:
            table = Table(columns, screen, wide=False)
            yield b"\n" + b"".join(table.add(row) for row in rows) + table.release()


def _made(paths: "Sequence[str]") -> str:
    """The files by their names, and how many segments: the paths of those say little to people."""
    names = [path for path in paths if "/" not in path]
    segments = len(paths) - len(names)
    return ", ".join([*names, counted(segments, "segment")] if segments else names)


def _known(get: "Callable[[Finding], object]") -> Callable[["Finding"], Text]:
    def cell(finding: "Finding") -> Text:
        value = get(finding)
        return Text("" if value is None else visible(str(value)))

    return cell


_FINDING_COLUMNS = [
    Column("file", _known(lambda f: f.path), least=16),
    Column("at byte", _known(lambda f: f.offset), right=True, rank=1),
    Column("stream", _known(lambda f: f.stream_id), needed=lambda f: f.stream_id is not None),
    Column(
        "rev", _known(lambda f: f.revision), right=True, needed=lambda f: f.revision is not None
    ),
    Column("#", _known(lambda f: f.position), right=True, needed=lambda f: f.position is not None),
    Column("what is wrong", _known(lambda f: f.reason), least=20),
]


def _span(first: int, last: int) -> Text:
    return Text(f"{first:,}" if first == last else f"{first:,} to {last:,}")


_LOST_COLUMNS = [
    Column("lost from", lambda run: Text(visible(run.stream_id))),
    Column("revisions", lambda run: _span(run.first_revision, run.last_revision), right=True),
    Column("positions", lambda run: _span(run.first_position, run.last_position), right=True),
    Column("messages", lambda run: Text(f"{run.count:,}"), right=True),
    Column("place", lambda run: Text(run.placing)),
]

FACTS: dict[str, Callable[[Any, Screen], Iterator[Fact | bytes]]] = {
    "stats": _stats,
    "session": _session,
    "report": _report,
    "dump": dump_facts,
    "repair": _repair,
    "latency": latency_facts,
}
