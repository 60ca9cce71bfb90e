"""What is exported comes back as it was, whatever it is."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import HealthCheck, given, settings

from msgstore import MemoryMessageStore, PositionalMessage, open_store
from msgstore.cli.json_input import read_json
from msgstore.exchange import encoders, forms
from msgstore.exchange.entries import Entry, read_binary, read_text
from msgstore.exchange.importing import Imported, Importer
from msgstore.exchange.sqlite_file import Database

from .values import stored_messages

TEXTS = {
    forms.JSON_LINES: lambda: encoders.Lines(encoders.stored_json),
    forms.REFERENCE: lambda: encoders.Array(encoders.reference_json),
    forms.EVENTS: lambda: encoders.Lines(encoders.events_from("urn:test")),
    forms.EVENTS_BATCH: lambda: encoders.Array(encoders.events_from("urn:test")),
}


def encode(encoder: Any, messages: Iterable[PositionalMessage]) -> bytes:
    return b"".join([*map(encoder.add, messages), encoder.end()])


def exported(form: str, messages: list[PositionalMessage]) -> bytes:
    if form in TEXTS:
        return encode(TEXTS[form](), messages)
    if form == forms.PACK:
        return encode(encoders.Pack(list), messages)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        database = Database(str(path), list)
        for stored in messages:
            database.add(stored)
        database.end()
        return path.read_bytes()


def imported(data: bytes) -> Iterator[Entry]:
    """Read by what it looks like."""
    guess = forms.guess_form(data[: forms.HEAD_BYTES])
    if guess.form not in forms.BINARY:
        yield from read_text(BytesIO(data), guess, read_json, only=False)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(data)
        yield from read_binary(str(path), guess.form, read_json)


def strict(value: Any) -> str:
    """JSON in which 1 and 1.0 are not the same, nor 0.0 and -0.0."""
    return json.dumps(value)


def essence(stored: PositionalMessage) -> str:
    """All of a stored message but the time of recording and the session, which an import gives anew."""
    place = [stored.stream_id, stored.message_type.value, stored.position, stored.revision]
    return strict([*place, stored.message.to_json()])


def essence_of_entry(entry: Entry) -> str:
    request = entry.request
    [message] = request.messages
    assert request.message_type is not None
    place = [request.stream_id, request.message_type.value, entry.position, entry.revision]
    return strict([*place, message.to_json()])


@pytest.mark.parametrize("form", [*TEXTS, forms.PACK, forms.SQLITE])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(messages=stored_messages())
def test_any_messages_survive(form: str, messages: list[PositionalMessage]) -> None:
    """Each message comes back with its stream, its kind, its place and all of its content."""
    entries = list(imported(exported(form, messages)))
    assert [*map(essence_of_entry, entries)] == [*map(essence, messages)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(messages=stored_messages())
def test_a_pack_is_read_in_place(messages: list[PositionalMessage]) -> None:
    """A pack gives exactly what was put into it, times and sessions too, from either end."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.msgpack"
        path.write_bytes(exported(forms.PACK, messages))
        with open_store(str(path)) as store:
            read = list(store.get_all_messages())
            backwards = list(store.get_all_messages(direction="backwards"))
    assert read == messages
    assert [strict(m.to_json()) for m in read] == [strict(m.to_json()) for m in messages]
    assert backwards == messages[::-1]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(messages=stored_messages())
def test_the_same_messages_make_the_same_pack(messages: list[PositionalMessage]) -> None:
    """The bytes of a pack are a function of its messages."""
    again = [PositionalMessage.from_json(json.loads(strict(m.to_json()))) for m in messages]
    assert exported(forms.PACK, again) == exported(forms.PACK, messages)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(messages=stored_messages())
def test_the_official_sdk_takes_the_events(messages: list[PositionalMessage]) -> None:
    """Each line is a structured event of CloudEvents 1.0, and the array a batch of the same events."""
    lines = exported(forms.EVENTS, messages).splitlines()
    for line, stored in zip(lines, messages, strict=True):
        event = JSONFormat().read(CloudEvent, line)
        assert event.get_specversion() == "1.0"
        assert event.get_id() == stored.message.id
        assert event.get_type() == stored.message.type
        assert event.get_subject() == stored.stream_id
        assert event.get_source() == "urn:test"
        assert event.get_time() == (stored.message.timestamp or stored.timestamp)
        assert strict(event.get_data()) == strict(stored.message.data)
        assert event.get_extension("msgstoreposition") == str(stored.position)
    batch = json.loads(exported(forms.EVENTS_BATCH, messages))
    assert batch == [json.loads(line) for line in lines]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(messages=stored_messages())
def test_importing_twice_stores_once(messages: list[PositionalMessage]) -> None:
    """A second import finds every id, and nothing is new."""
    data = exported(forms.JSON_LINES, messages)
    store = MemoryMessageStore()
    for expected in (len(messages), 0):
        done = Imported("jsonl")
        Importer(store, done, 5).take(imported(data), lambda: None)
        assert (done.messages, done.duplicates) == (expected, len(messages) - expected)
    assert [m.message for m in store.get_all_messages()] == [m.message for m in messages]
