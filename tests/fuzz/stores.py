"""Whole stores of which one file is fuzzed: read, verified, recovered, dumped and repaired in memory.

Whatever stands in a file, a read gives messages or an error of msgstore; a repair gives a sound store
or says that it cannot; recovery twice is recovery once; and nothing is touched outside of the store.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from types import SimpleNamespace
from unittest.mock import patch

from laboratory.bench import CHANCE, LaboratoryStore

from fuzz.memory_disk import MemoryDisk
from fuzz.sealing import seal_frames, seal_hint, seal_index, seal_journal
from fuzz.target import target
from msgstore import CorruptRecord, Message, MessageFilter, MsgStoreError
from msgstore.engine import commit, create, diagnosis, journal, opened, recorder, segments
from msgstore.engine.dumping import Dumper
from msgstore.engine.identity import Identity, decode_identity, encode_identity
from msgstore.engine.repair import rebuild_index, repair
from msgstore.format.frame import frame_crc, frame_length, frame_problem
from msgstore.format.names import (
    CATALOG,
    INDEX,
    JOURNAL,
    LOCK,
    REPAIRING,
    SESSIONS,
    STORE_JSON,
    segment_path,
)
from msgstore.format.record import decode_head, is_record
from msgstore.format.repair import Move, Swap, encode_swap
from msgstore.format.row import ROW_BYTES, decode_row, encode_row
from msgstore.model import clock
from msgstore.model.errors import UnsupportedFormat

STREAM = "a"
_SEGMENT = segment_path(STREAM, 0)
_NOW_US = 1_800_000_000_000_000
_WHERE = MessageFilter(where="n>=0", stream_pattern="*")

logging.getLogger("msgstore").addHandler(logging.NullHandler())


@contextmanager
def small_stores() -> Iterator[None]:
    """Journals of some kilobytes, segments of some records; time and chance as in the laboratory."""
    changes = [
        *((module, "JOURNAL_BYTES_CHECKPOINT", 9216) for module in (recorder, journal)),
        *((module, "JOURNAL_BYTES_FIRST", 9216) for module in (journal, create)),
        *((module, "SEGMENT_BYTES_ROLL", 400) for module in (commit, segments)),
        *((module, "dependable_boot_id", lambda root: "boot") for module in (opened, diagnosis)),
        (os, "urandom", CHANCE.urandom),
        (clock, "time", SimpleNamespace(time_ns=CHANCE.time_ns)),
    ]
    patches = [patch.object(module, name, value) for module, name, value in changes]
    CHANCE.restart(1)
    for one in patches:
        one.start()
    try:
        yield
    finally:
        for one in patches:
            one.stop()


@cache
def sound_files() -> dict[str, bytes]:
    """The files of a store of two streams, several segments, and sessions that ended or did not."""
    disk = MemoryDisk({})
    with small_stores(), LaboratoryStore(disk, "always") as store:  # type: ignore[arg-type]
        with store.session("run", {"host": "web-1"}):
            for number in range(3):
                store.save_message(STREAM, Message("Step", {"n": number}, id=f"a-{number}"))
        store.create_session("open")
        store.save_messages("b-events", [Message("Step", {"n": n}) for n in range(2)])
        store.save_messages(STREAM, [Message("Step", {"text": "x" * 40}) for _ in range(3)])
    return disk.files


def _with(**changes: bytes) -> MemoryDisk:
    return MemoryDisk(sound_files() | changes)


def _replaced(path: str, data: bytes) -> MemoryDisk:
    return MemoryDisk(sound_files() | {path: data})


def _needing_recovery(disk: MemoryDisk) -> MemoryDisk:
    return MemoryDisk(disk.files | {LOCK: bytes(136)})


# ---------------------------------------------------------------- what is done to a store


_READS: tuple[Callable[[LaboratoryStore], object], ...] = (
    lambda store: [m.to_json() for m in store.get_all_messages()],
    lambda store: list(store.get_all_messages(_WHERE, direction="backwards")),
    lambda store: [m.to_json() for m in store.get_messages(STREAM)],
    lambda store: list(store.get_messages(STREAM, 1, 2, direction="backwards")),
    lambda store: [stream.to_json() for stream in store.get_streams()],
    lambda store: [session.to_json() for session in store.get_sessions()],
    lambda store: store.get_stats().to_json(),
    lambda store: store.active_session(),
    lambda store: store.verify().to_json(),
    lambda store: store.verify(STREAM).to_json(),
    lambda store: store.count_by("session"),
    lambda store: store.count_by("stream"),
    lambda store: store.count_by("hour"),
    lambda store: store.count_messages(MessageFilter(session_id="no-session")),
    lambda store: list(store.get_all_messages(_WHERE, on_damage=lambda error: None)),
    lambda store: list(store.get_messages(STREAM, on_damage=lambda error: None)),
    lambda store: next(store.get_all_messages(MessageFilter(message_id="a-1")), None),
)


def _read_all(disk: MemoryDisk) -> None:
    """Every way of reading gives what it promises, or an error of msgstore."""
    with suppress(MsgStoreError), _open(disk) as store:
        for read in _READS:
            with suppress(MsgStoreError):
                read(store)


def _open(disk: MemoryDisk) -> LaboratoryStore:
    return LaboratoryStore(disk, None)  # type: ignore[arg-type]


def _dump_all(disk: MemoryDisk) -> None:
    dumper = Dumper(disk)
    for position in range(1, 10):
        with suppress(MsgStoreError):
            dumper.row(position).to_json()
            dumper.record(position).to_json()
    for look in (dumper.hint, lambda: list(dumper.journal()), lambda: dumper.position_of("a-2")):
        with suppress(MsgStoreError):
            look()
    for path in (_SEGMENT, CATALOG, SESSIONS):
        for offset in (0, 64, 128):
            with suppress(MsgStoreError):
                dumper.frame(path, offset).to_json()


def _repair(disk: MemoryDisk) -> None:
    """A repair is refused, and then nothing has changed; or the store is sound, and keeps so."""
    before = dict(disk.files)
    with suppress(MsgStoreError):
        repair(disk, _NOW_US, apply=False).to_json()
    assert disk.files == before, "a dry run changed something"
    with suppress(MsgStoreError):
        rebuild_index(MemoryDisk(before), _NOW_US)
    try:
        report = repair(disk, _NOW_US, apply=True)
    except MsgStoreError:
        return
    with _open(disk) as store:
        assert report.applied or not report.damage
        assert store.verify().findings == ()
        assert [m.position for m in store.get_all_messages()] == [*range(1, report.messages + 1)]


# ---------------------------------------------------------------- one file each


@target(lambda: [sound_files()[_SEGMENT]], seal=seal_frames, weight=1)
def whole_segment(data: bytes) -> None:
    """A segment of other bytes, of which the index knows nothing."""
    with small_stores():
        _read_all(_replaced(_SEGMENT, data))


@target(lambda: [sound_files()[_SEGMENT]], seal=seal_frames, weight=1)
def segment_and_rows(data: bytes) -> None:
    """A forged segment: the rows of the index name its records where they stand."""
    with small_stores():
        disk = _replaced(_SEGMENT, data)
        _let_rows_follow(disk, data)
        _read_all(disk)
        _dump_all(disk)


def _let_rows_follow(disk: MemoryDisk, segment: bytes) -> None:
    index, at = bytearray(disk.files[INDEX]), 0
    while at < len(segment) and frame_problem(segment, at) is None:
        head = decode_head(segment, at) if is_record(segment[at:]) else None
        row = None
        if head and 1 <= head.position < len(index) // ROW_BYTES:
            row = decode_row(head.position, index, head.position * ROW_BYTES)
        if head and row:
            row = row._replace(
                offset=at,
                length=head.length,
                record_crc=frame_crc(segment, at),
                revision=head.revision,
            )
            place = slice(head.position * ROW_BYTES, (head.position + 1) * ROW_BYTES)
            index[place] = encode_row(head.position, row)
        at += frame_length(segment, at)
    disk.files[INDEX] = bytes(index)


@target(lambda: [sound_files()[INDEX]], seal=seal_index, weight=1)
def whole_index(data: bytes) -> None:
    """An index of other rows."""
    with small_stores():
        _read_all(_replaced(INDEX, data))
        _dump_all(_replaced(INDEX, data))


@target(lambda: [sound_files()[CATALOG]], seal=seal_frames, weight=1)
def whole_catalog(data: bytes) -> None:
    """A catalog of other streams."""
    with small_stores():
        _read_all(_replaced(CATALOG, data))


@target(lambda: [sound_files()[SESSIONS]], seal=seal_frames, weight=1)
def whole_session_log(data: bytes) -> None:
    """A session log of other events, of any length that the hint can be wrong about."""
    with small_stores():
        _read_all(_replaced(SESSIONS, data))
        _read_all(_needing_recovery(_replaced(SESSIONS, data)))


@target(lambda: [sound_files()[LOCK]], seal=seal_hint, weight=1)
def hint_of_a_store(data: bytes) -> None:
    """A hint that says something else of the files."""
    with small_stores():
        _read_all(_replaced(LOCK, data))


@target(lambda: [_journal_with_entries()], seal=seal_journal, weight=1)
def recovery(data: bytes) -> None:
    """A journal of other entries, after a power loss: recovery twice is recovery once."""
    with small_stores():
        disk = _needing_recovery(_replaced(JOURNAL, data))
        with suppress(MsgStoreError):
            with _open(disk) as store:
                store.get_stats()
            once = _but_journal(disk)
            again = _needing_recovery(disk)
            with _open(again) as store:
                store.get_stats()
            assert _but_journal(again) == once
        _read_all(disk)
        _dump_all(disk)


def _but_journal(disk: MemoryDisk) -> dict[str, bytes]:
    return {path: data for path, data in disk.files.items() if path not in (JOURNAL, LOCK)}


@cache
def _journal_with_entries() -> bytes:
    """A journal that was not ended by a checkpoint: the last saves are in it."""
    journal = sound_files()[JOURNAL]
    assert b"MSJE" in journal
    return journal


@target(
    lambda: [encode_identity(Identity(bytes(range(16)), "always"), _NOW_US)],
    tokens=(
        b'"version": 1',
        b"null",
        b"true",
        b"1.0",
        b"[" * 900,
        b'"batch"',
        b'"uuid"',
        b"{",
        b"[" * 400 + b"]" * 400,
    ),
)
def store_json(data: bytes) -> None:
    """The identity of a store of this version, or one of the two errors that are promised."""
    try:
        identity = decode_identity("/store", data)
    except (CorruptRecord, UnsupportedFormat) as error:
        str(error)
        return
    again = decode_identity("/store", encode_identity(identity, _NOW_US))
    assert again == identity
    assert len(identity.store_uuid) == 16


@target(lambda: [_swap(True), _swap(False)], seal=seal_frames, weight=1)
def swap_under_way(data: bytes) -> None:
    """A forged mark of a repair: it moves files of the store and no others, or is refused."""
    with small_stores():
        disk = _with(**{REPAIRING: data, "repair.new/index": sound_files()[INDEX]})
        with suppress(MsgStoreError):
            repair(MemoryDisk(disk.files), _NOW_US, apply=False)
        _read_all(disk)


def _swap(has_new: bool) -> bytes:
    moves = (Move(INDEX, True), Move(_SEGMENT, has_new))
    return encode_swap(Swap(sound_files()[STORE_JSON], "quarantine/repair-1", moves))


_FILES = (_SEGMENT, INDEX, CATALOG, SESSIONS, JOURNAL, STORE_JSON)
_SEALS = (seal_frames, seal_index, seal_frames, seal_frames, seal_journal, bytes)


@target(
    lambda: [bytes([n]) + sound_files()[path] for n, path in enumerate(_FILES)],
    seal=lambda data: data[:1] + _SEALS[data[0] % len(_FILES)](data[1:]) if data else data,
    weight=1,
)
def repaired(data: bytes) -> None:
    """One file is damaged or forged: a repair gives a sound store, or refuses and changes nothing."""
    if data:
        with small_stores():
            _repair(_replaced(_FILES[data[0] % len(_FILES)], data[1:]))
