"""What a forged store can cost: memory and reads stay within what its files really hold."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from msgstore import CorruptRecord, CorruptStore, FileMessageStore, Message
from msgstore.disk.files import RealDisk
from msgstore.format.journal import Write
from msgstore.format.names import segment_path

from .forge import (
    add_entry,
    append_log,
    change_hint,
    change_row,
    forget_hint,
    put_last_record,
    record,
    segment_of,
)

SPARE_BYTES = 192 * 1024 * 1024
"""Address space on top of what a process of Python with its libraries takes."""

CHILD = """
import resource, sys
from msgstore import FileMessageStore, Message, MsgStoreError
import msgpack, orjson, portalocker
from msgstore.engine import counting, query, verify
taken = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + int(sys.argv[2]),) * 2)
for use in (
    lambda s: list(s.get_messages("a")),
    lambda s: list(s.get_messages("a", direction="backwards")),
    lambda s: list(s.get_all_messages()),
    lambda s: list(s.get_streams()),
    lambda s: s.get_sessions(),
    lambda s: s.active_session(),
    lambda s: s.get_stats(),
    lambda s: s.count_messages(),
    lambda s: s.count_by("hour"),
    lambda s: s.count_by("type"),
    lambda s: s.verify(),
    lambda s: s.save_message("a", Message("More", id="an-id")),
):
    try:
        with FileMessageStore(sys.argv[1], create=False) as store:
            use(store)
    except MsgStoreError as error:
        print(type(error).__name__)
"""

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")


def use_in_little_room(path: Path) -> list[str]:
    """What every use of the store ends with in a process of little memory; no other error may come."""
    command = [sys.executable, "-c", CHILD, str(path), str(SPARE_BYTES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def grow(file: Path, size: int) -> None:
    """Makes a file as long as that without taking room on the disk."""
    with file.open("r+b") as opened:
        opened.truncate(size)


@linux_only
def test_a_sound_store_needs_little_room(path: Path) -> None:
    """The limit of these tests is enough for what a store is used for."""
    assert use_in_little_room(path) == []


NESTED = 900


@linux_only
@pytest.mark.parametrize("bytes_max", [4000, 64 * 1024, 4 * 1024 * 1024])
def test_arrays_that_claim_more_than_there_is(path: Path, bytes_max: int) -> None:
    """Arrays in arrays, each of which claims all bytes of the record as its elements."""
    claim = b"\xdd" + (bytes_max - 200).to_bytes(4, "big")
    levels = min(NESTED, (bytes_max - 300) // 5)
    data = (claim * levels).ljust(bytes_max - 200, b"\x01")
    put_last_record(path, record(3, 2, data=data))
    assert "CorruptRecord" in use_in_little_room(path)


@linux_only
@pytest.mark.parametrize("name", ["index", "catalog", "sessions", "journal", "segment"])
def test_a_file_of_a_terabyte_of_nothing(path: Path, name: str) -> None:
    """A sparse file takes no more memory, and no more than moments."""
    file = segment_of(path) if name == "segment" else path / name
    grow(file, 1 << 40)
    use_in_little_room(path)
    forget_hint(path)
    grow(file, 1 << 40)
    use_in_little_room(path)


@linux_only
def test_rows_that_are_only_claimed(path: Path) -> None:
    """A hint and a sparse index that claim ten thousand million rows are refused, not counted."""
    rows = (1 << 40) // 96 - 1
    grow(path / "index", (rows + 1) * 96)
    change_hint(path, rows=rows)
    ended = use_in_little_room(path)
    assert set(ended) == {"CorruptRecord"}
    with FileMessageStore(path, create=False) as store:
        with pytest.raises(CorruptRecord):
            store.count_messages()
        report = store.verify()
        assert len(report.findings) == 1000
        assert report.messages < 10_000


@linux_only
@pytest.mark.parametrize("name", ["catalog", "sessions"])
def test_a_frame_of_four_gigabytes(path: Path, name: str) -> None:
    """A frame in a log that claims as much, and a file that has it, though only zeros."""
    size = 2**32 - 1
    head = b"\xdc\x00\x07\xce\x00\x00\x00\x00\xce" + size.to_bytes(4, "big")
    append_log(path, name, [], head)
    grow(path / name, (1 << 40))
    change_hint(path, **{f"{name}_end": 1 << 40})
    assert "CorruptRecord" in use_in_little_room(path)


@linux_only
def test_a_row_of_four_gigabytes(path: Path) -> None:
    """A row that claims a record of that size in a file that has it."""
    grow(segment_of(path), 1 << 40)
    change_row(path, 2, length=2**32 - 1)
    assert "CorruptRecord" in use_in_little_room(path)


@linux_only
def test_a_last_record_of_four_gigabytes(path: Path) -> None:
    """The end of a segment claims it, in a file that has it."""
    segment = segment_of(path)
    grow(segment, 1 << 33)
    with segment.open("ab") as file:
        file.write(b"\xce\xff\xff\xff\xff")
    with FileMessageStore(path, create=False) as store:
        store.get_sessions()
    assert use_in_little_room(path) == []


@linux_only
def test_an_entry_of_256_mebibytes(path: Path) -> None:
    """A head in the journal that claims it, in a file that has it: what follows is no entry."""
    content = (path / "journal").read_bytes()
    at = content.index(b"MSJE")
    forged = content[: at + 8] + (1 << 28).to_bytes(4, "little") + content[at + 12 :]
    (path / "journal").write_bytes(forged)
    grow(path / "journal", 1 << 40)
    forget_hint(path)
    with pytest.raises(CorruptStore):
        FileMessageStore(path)


# ---------------------------------------------------------------- how much is read


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The bytes that each read of a store's files brought."""
    brought: list[int] = []
    real = RealDisk.read

    def read(self: RealDisk, path: str, offset: int, size: int) -> bytes:
        data = real(self, path, offset, size)
        brought.append(len(data))
        return data

    monkeypatch.setattr(RealDisk, "read", read)
    return brought


def test_many_rows_that_point_at_one_large_record(tmp_path: Path, reads: list[int]) -> None:
    """The record is read for the row whose it is, and not once for each."""
    with FileMessageStore(tmp_path / "store") as store:
        store.save_messages("a", [Message("Step", {"n": n}) for n in range(400)])
        store.save_message("a", Message("Large", {"x": "x" * 5_000_000}))
    row = change_row(tmp_path / "store", 401)
    for position in range(1, 401):
        change_row(
            tmp_path / "store",
            position,
            offset=row.offset,
            length=row.length,
            record_crc=row.record_crc,
        )
    reads.clear()
    with FileMessageStore(tmp_path / "store", create=False) as store:
        assert len(store.verify().findings) >= 400
    assert sum(reads) < 4 * 5_000_000


def test_large_messages_are_verified_a_few_at_a_time(tmp_path: Path) -> None:
    """`verify` of many large messages holds about 4 MiB of them."""
    import tracemalloc

    with FileMessageStore(tmp_path / "store", durability="os") as store:
        for _ in range(24):
            store.save_message("a", Message("Large", {"x": "x" * 2_000_000}))
        tracemalloc.start()
        assert store.verify().findings == ()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 24_000_000


def test_rows_that_claim_segments(path: Path) -> None:
    """A row that claims its stream to have 65,536 segments is found out by the first that is missing."""
    change_row(path, 3, segment=65535)
    with FileMessageStore(path, create=False) as store:
        assert 0 < len(store.verify().findings) < 20


def test_a_journal_full_of_broken_entries(path: Path, reads: list[int]) -> None:
    """Heads that promise evidence of damage, and no entry under any of them."""
    journal = path / "journal"
    content = bytearray(journal.read_bytes())
    content.extend(bytes(4 * 1024 * 1024 - len(content)))
    at = content.index(b"MSJE")
    head = bytearray(content[at : at + 72])
    head[8:12] = (4 * 1024 * 1024).to_bytes(4, "little")
    head[32:40] = (10_000).to_bytes(8, "little")
    head[48:56] = (1 << 40).to_bytes(8, "little")
    for offset in range(64 * 1024, len(content), 512):
        content[offset : offset + 72] = head
    journal.write_bytes(content)
    forget_hint(path)
    with pytest.raises(CorruptRecord, match="full of broken entries"):
        FileMessageStore(path)
    assert sum(reads) < 40 * len(content)


# ---------------------------------------------------------------- what recovery writes

PATHS = {
    "upwards": "../outside",
    "absolute": "/tmp/outside",
    "the lock": "write.lock",
    "the identity": "store.json",
    "a NUL": "index\0",
    "a folder too many": "streams/2c/x/orders-1~2ce7cad384e551a8d16eb9ca1bc0d262.msgpack",
    "another folder": "streams/3f/orders-1~2ce7cad384e551a8d16eb9ca1bc0d262.msgpack",
    "upwards in a name": "streams/2c/..~2ce7cad384e551a8d16eb9ca1bc0d262.msgpack",
    "a new line": segment_path("a", 0) + "\n",
    "no ASCII": "streams/2c/ä~2ce7cad384e551a8d16eb9ca1bc0d262.msgpack",
}
ELSEWHERE = {
    "rows in the wrong place": Write("index", 10**6 * 96, bytes(96)),
    "rows over the first": Write("index", 96, bytes(96)),
    "more rows than it says": Write("index", 5 * 96, bytes(192)),
    "a catalog beyond what can be named": Write("catalog", 1 << 36, b"x"),
    "a session log of many terabytes": Write("sessions", 1 << 44, b"x"),
    "an offset beyond all": Write("sessions", 2**64 - 1, b"x"),
    "a segment that was full": Write(segment_path("a", 0), 1 << 30, b"x"),
    "nothing": Write("catalog", 0, b""),
} | {name: Write(path, 0, b"x") for name, path in PATHS.items()}


@pytest.mark.parametrize("beyond_hint", [True, False])
@pytest.mark.parametrize("case", ELSEWHERE)
def test_an_entry_that_no_commit_made(
    path: Path, tmp_path: Path, case: str, beyond_hint: bool
) -> None:
    """Its checksum, salt and chain right, it is no entry: none of its writes is carried out."""
    add_entry(path, [Write("catalog", 8, b"overwritten"), ELSEWHERE[case]], rows=1)
    if not beyond_hint:
        forget_hint(path)
    kept = [p for p in path.rglob("*") if p.is_file() and p.name not in ("journal", "write.lock")]
    before = {p: p.read_bytes() for p in kept}
    with FileMessageStore(path, create=False) as store:
        assert len(list(store.get_all_messages())) == 4
        assert store.verify().findings == ()
    assert {p: p.read_bytes() for p in kept} == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["store"]


def test_an_entry_that_writes_to_a_file_twice(path: Path) -> None:
    """A commit makes one write to a file."""
    add_entry(path, [Write("sessions", 0, b"x"), Write("sessions", 1, b"x")])
    forget_hint(path)
    with FileMessageStore(path, create=False) as store:
        assert len(store.get_sessions()) == 1


def test_a_message_cannot_stop_recovery(tmp_path: Path) -> None:
    """Data that looks like an entry of a later generation, wherever it comes to stand."""
    rest = struct.pack("<IIQQQQQIII4x", 72, 0, 2**40, 0, 2**40, 0, 0, 0, 0, 0)
    entry = b"MSJE" + struct.pack("<I", zlib.crc32(rest)) + rest
    path = tmp_path / "store"
    with FileMessageStore(path) as store:
        store.save_message("a", Message("Innocent"))
    # What a producer cannot choose is where in the journal it stands: here it stands everywhere.
    journal = path / "journal"
    content = bytearray(journal.read_bytes())
    for offset in range(16 * 1024, len(content), 512):
        content[offset : offset + len(entry)] = entry
    journal.write_bytes(content)
    forget_hint(path)
    with FileMessageStore(path, create=False) as store:
        assert len(list(store.get_all_messages())) == 1


def test_an_entry_newer_than_the_headers(path: Path) -> None:
    """The journal's newest header was lost, and its first entry shows it: refused."""
    journal = path / "journal"
    content = bytearray(journal.read_bytes())
    at = 8192 + 16
    generation = int.from_bytes(content[at : at + 8], "little")
    content[at : at + 8] = (generation + 1).to_bytes(8, "little")
    journal.write_bytes(content)
    forget_hint(path)
    with pytest.raises(CorruptRecord, match="newer than the journal's header"):
        FileMessageStore(path)
