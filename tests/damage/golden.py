"""The golden stores and a richer one in memory, in two views, and what is right of each."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import pytest
from golden.reading import all_of, to_text
from golden.recipes import RECIPES as GOLDEN_RECIPES
from golden.recipes import Recipe, World
from laboratory.bench import CHANCE, LaboratoryStore

from damage.disk import Files, MemoryDisk
from msgstore import FileMessageStore, Message
from msgstore.engine import journal, opened, recorder
from msgstore.engine.identity import new_token, read_identity
from msgstore.format.hint import HINT_BYTES, decode_hint, encode_hint
from msgstore.format.journal import ENTRIES_START, ENTRY_ALIGNMENT, decode_entry_head
from msgstore.format.names import JOURNAL, LOCK
from msgstore.model import clock

Content = dict[str, Any]
"""All of a store, in the shape of the golden JSON."""
GOLDEN = Path(__file__).parents[1] / "golden" / "v1"
BOOT = "boot"


def rich(world: World, path: Path) -> None:
    """Several generations of the journal behind it: of what is in the files it holds the end only."""
    with world.open(path) as store, store.session("run", {"host": "db-1"}):
        for number in range(14):
            world.pass_us(1_000)
            store.save_message("long", Message("Grown", {"n": number, "text": "x" * 60}))
            if number % 5 == 0:
                store.save_messages("batch", [Message("Counted", {"n": n}) for n in range(3)])
        with store.transaction() as transaction:
            transaction.save_message("left", Message("Moved", correlation_id="corr-1"))
            transaction.save_message("right", Message("Do", request_id="r-1"), None, "command")
        store.activate_session(store.create_session("active"))
        for number in range(4):
            store.save_message("orders-1", Message("Step", {"n": number}, id=f"m-{number}"))


RECIPES = {**GOLDEN_RECIPES, "rich": Recipe(rich, roll_bytes=512, checkpoint_bytes=6 * 1024)}

_MARK = journal.JOURNAL_BYTES_CHECKPOINT
VIEWS = ("running", "copied")
"""`running`: the hint is believed, as in the boot in which it was written. `copied`: it is not, and
whoever opens the store first recovers it in full."""


@contextmanager
def standing_still(name: str) -> Iterator[None]:
    """The limits under which the store was made; time, chance and machine are the same each time."""
    with RECIPES[name].limits(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(opened, "dependable_boot_id", lambda root: BOOT)
        patch.setattr(os, "urandom", CHANCE.urandom)
        patch.setattr(clock, "time", SimpleNamespace(time_ns=CHANCE.time_ns))
        patch.setattr(clock, "_last_ms", 0)
        patch.setattr(clock, "_last_counter", 0)
        patch.setattr(logging.getLogger("msgstore"), "disabled", True)
        for module in (journal, recorder):  # a LaboratoryStore sets its own
            patch.setattr(module, "JOURNAL_BYTES_CHECKPOINT", _MARK)
        yield


def open_store(disk: MemoryDisk) -> FileMessageStore:
    """A store object over the disk. What chance gives it is the same each time."""
    CHANCE.restart(1)
    clock._last_ms = clock._last_counter = 0
    return LaboratoryStore(disk, None, _MARK)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Golden:
    """One view of a golden store: what is to be read from it, and what a save builds on.

    These are two where a writer was killed behind the journal: the next writer carries out what
    readers, who believe the hint, do not see before.
    """

    name: str
    view: str
    files: Files
    right: Content
    base: Content
    before: Content | None
    """What is there without the last entry of the journal; None unless only the journal has it."""
    entries: list[range]
    """The bytes of each entry of the journal's present generation."""

    @property
    def last_entry(self) -> range:
        return self.entries[-1]

    def disk(self) -> MemoryDisk:
        return MemoryDisk(self.files)


@cache
def golden(name: str, view: str) -> Golden:
    """To be called while it is `standing_still`."""
    files, right = _made(name) if name not in GOLDEN_RECIPES else _stored(name)
    if view == "running":
        files[LOCK] = _believed_hint(files) + files[LOCK][HINT_BYTES:]
    entries = _entries(files[JOURNAL])
    before = _without(files, entries[-1], right) if RECIPES[name].is_cut_short else None
    seen = before if before and view == "running" else right
    found = Golden(name, view, files, seen, right, before, entries)
    assert to_text(all_of(open_store(found.disk()))) == to_text(seen)
    return found


def _stored(name: str) -> tuple[Files, Content]:
    text = (GOLDEN / f"{name}.json").read_text(encoding="utf-8")
    return _files(GOLDEN / name), json.loads(text)


def _made(name: str) -> tuple[Files, Content]:
    """A store that is made now; what is right is what it says of itself while nothing is damaged."""
    CHANCE.restart(2)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "store"
        RECIPES[name].run(path)
        files = _files(path)
    return files, json.loads(to_text(all_of(open_store(MemoryDisk(files)))))


def _files(folder: Path) -> Files:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _believed_hint(files: Files) -> bytes:
    """The hint as the same writer would have left it for these files in this boot."""
    disk = MemoryDisk(files)
    hint, identity = decode_hint(files[LOCK]), read_identity(disk)  # type: ignore[arg-type]
    assert hint is not None
    assert identity is not None
    token = new_token(disk, BOOT, identity.store_uuid)  # type: ignore[arg-type]
    return encode_hint(hint._replace(token=token))


def _entries(journal: bytes) -> list[range]:
    """Of the present generation: from the first entry on, sequence numbers rise by one."""
    at, last = ENTRIES_START, -1
    found = []
    while (head := decode_entry_head(journal[at:])) and last in (-1, head.sequence - 1):
        found.append(range(at, at + head.length))
        last = head.sequence
        at += head.length + -head.length % ENTRY_ALIGNMENT
    return found


def _without(files: Files, entry: range, right: Content) -> Content:
    """What is to be read where an entry is zeros: a beginning of what is right."""
    disk = MemoryDisk(files)
    disk.write(JOURNAL, entry.start, bytes(len(entry)))
    found = json.loads(to_text(all_of(open_store(disk))))
    known = found["messages"]
    assert 0 < len(known) < len(right["messages"])
    assert known == right["messages"][: len(known)]
    return dict(found)
