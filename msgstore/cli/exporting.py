"""What `export` does: choose the format, write, and say what was written."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from msgstore.cli.damage import Damage
from msgstore.cli.errors import BadUsage
from msgstore.cli.escape import visible, visible_json
from msgstore.cli.output import Output, check_message, record_output
from msgstore.cli.render.progress import Progress
from msgstore.cli.settings import Settings
from msgstore.cli.shapes import EXPORTED, MESSAGE
from msgstore.cli.tally import counted
from msgstore.exchange import encoders, forms
from msgstore.exchange.cloud_events import ANONYMOUS_SOURCE
from msgstore.exchange.new_file import new_file
from msgstore.model.filter import EVERYTHING
from msgstore.model.message import NO_SESSION, PositionalMessage
from msgstore.model.values import Json, check_text

if TYPE_CHECKING:
    from msgstore.backends.protocol import LocalMessageStore
    from msgstore.model.filter import MessageFilter

_CHUNK_BYTES = 1 << 18
_TOLD_EVERY = 1000


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export came to; `path` is absolute, or `-` for stdout, of which the size is not known."""

    path: str
    format: str
    messages: int
    bytes: int | None

    def to_json(self) -> dict[str, Json]:
        size = {} if self.bytes is None else {"bytes": self.bytes}
        return {"path": self.path, "format": self.format, "messages": self.messages, **size}


def split_target(target: list[str]) -> tuple[str | None, str]:
    """`[SESSION] FILE`. Raises BadUsage."""
    if len(target) > 2 or not all(target):
        raise BadUsage("a session and a file are all that is taken", "msgstore export last run.db")
    return (target[0] if len(target) == 2 else None), target[-1]


def with_session(
    store: "LocalMessageStore", filter: "MessageFilter", session: str | None
) -> "MessageFilter":
    if session is None:
        return filter
    if filter.session_id is not None:
        raise BadUsage("SESSION and --session exclude each other", "give one of them")
    from msgstore.cli.naming import resolve_session

    found = session if session == NO_SESSION else resolve_session(store, session)
    return replace(filter, session_id=found)


def report_printer(settings: Settings, path: str) -> Callable[[Exported], None]:
    """What says how much was written: a sentence for people, else JSON; beside data only a sentence."""
    if path == "-":
        return lambda report: settings.say(_sentence(report))
    if settings.output_format("table") not in ("table", "wide") or settings.fields:
        output = record_output(settings, EXPORTED)
        return lambda report: output.put_all([report])
    return lambda report: None if settings.quiet else print(visible(_sentence(report)))


def _sentence(report: Exported) -> str:
    text = f"exported {counted(report.messages, 'message')} as {report.format}"
    if report.bytes is None:
        return text
    return f"{text} to {report.path} ({report.bytes:,} bytes)"


class Export:
    """One export. Wrong flags fail when it is made, before a store is opened."""

    def __init__(
        self, settings: Settings, path: str, form: str | None, source: str | None, force: bool
    ) -> None:
        self._settings = settings
        self._path = path
        self._form = form or _form_of(path)
        self._source = source
        self._force = force
        if source is not None:
            if self._form not in (forms.EVENTS, forms.EVENTS_BATCH):
                raise BadUsage("--source is for CloudEvents", "--format cloudevents")
            check_text(source, "--source")
        if path == "-" and self._form == forms.SQLITE:
            raise BadUsage("sqlite is no stream of bytes", "name a file: orders.sqlite")
        if path == "-" and self._form == forms.PACK and sys.stdout.isatty():
            raise BadUsage("a pack is nothing for a terminal", "name a file: run.msgpack")

    def run(self, store: "LocalMessageStore", filter: "MessageFilter", damage: Damage) -> Exported:
        """Writes what matches. If reading fails, nothing stands at the path that did not before."""
        messages = store.get_all_messages(filter, **damage.options)
        with Progress(self._settings, "exported") as progress:
            checked = _counted(map(check_message, messages), progress)
            if self._path == "-":
                return self._print(store, filter, checked)
            with new_file(self._path, self._force) as temporary:
                count = self._fill(temporary, store, filter, checked)
        return Exported(os.path.abspath(self._path), self._form, count, os.stat(self._path).st_size)

    def _print(
        self,
        store: "LocalMessageStore",
        filter: "MessageFilter",
        messages: Iterator[PositionalMessage],
    ) -> Exported:
        watched = sys.stdout.isatty()
        encoder = _ForOutput(self._encoder(store, filter, watched), watched)
        output = Output(encoder, watched, 0.0, lambda: None)
        output.put_all(messages)
        return Exported("-", self._form, output.count, None)

    def _fill(
        self,
        temporary: str,
        store: "LocalMessageStore",
        filter: "MessageFilter",
        messages: Iterator[PositionalMessage],
    ) -> int:
        if self._form == forms.SQLITE:
            return _fill_database(temporary, store, filter, messages)
        encoder = self._encoder(store, filter, watched=False)
        count = 0
        with open(temporary, "wb", buffering=_CHUNK_BYTES) as file:
            for stored in messages:
                file.write(encoder.add(stored))
                count += 1
            file.write(encoder.end())
        return count

    def _encoder(self, store: "LocalMessageStore", filter: "MessageFilter", watched: bool) -> Any:
        if self._form == forms.CSV:
            from msgstore.cli.encoders import Csv

            return Csv(MESSAGE.paths, None, watched)
        if self._form == forms.PACK:
            return encoders.Pack(store.get_sessions, _always(filter))
        if self._form == forms.JSON_LINES:
            return encoders.Lines(encoders.stored_json)
        if self._form == forms.REFERENCE:
            return encoders.Array(encoders.reference_json)
        to_json = encoders.events_from(self._source or _source_of(store))
        return (encoders.Lines if self._form == forms.EVENTS else encoders.Array)(to_json)


def _fill_database(
    temporary: str,
    store: "LocalMessageStore",
    filter: "MessageFilter",
    messages: Iterable[PositionalMessage],
) -> int:
    from msgstore.exchange.sqlite_file import Database

    database = Database(temporary, store.get_sessions, _always(filter))
    count = 0
    try:
        for stored in messages:
            database.add(stored)
            count += 1
        database.end()
    finally:
        database.close()
    return count


class _ForOutput:
    """An encoder for stdout; on a terminal what could act on it is written as JSON escapes."""

    def __init__(self, encoder: Any, watched: bool) -> None:
        self._encoder = encoder
        self._watched = watched

    def add(self, record: Any) -> bytes:
        return self._shown(self._encoder.add(record))

    def release(self) -> bytes:
        return b""

    def end(self) -> bytes:
        return self._shown(self._encoder.end())

    def _shown(self, data: bytes) -> bytes:
        return visible_json(data.decode()).encode() if self._watched else data


def _form_of(path: str) -> str:
    """Raises BadUsage where the name tells nothing."""
    form = forms.JSON_LINES if path == "-" else forms.form_of_name(path)
    if form is None:
        raise BadUsage(
            f"the name of {path!r:.100} tells no format", f"--format {', '.join(forms.EXPORTED)}"
        )
    return form


def _always(filter: "MessageFilter") -> set[str] | None:
    """The sessions that are told of without a message: all of a whole store, and one that is named."""
    if filter == EVERYTHING:
        return None
    return set() if filter.session_id is None else {filter.session_id}


def _source_of(store: "LocalMessageStore") -> str:
    store_id = getattr(store, "store_id", None)
    return f"urn:uuid:{store_id}" if store_id else ANONYMOUS_SOURCE


def _counted(
    messages: Iterable[PositionalMessage], progress: Progress
) -> Iterator[PositionalMessage]:
    for number, stored in enumerate(messages, start=1):
        yield stored
        if not number % _TOLD_EVERY:
            progress.show(number)
