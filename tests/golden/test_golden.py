"""What msgstore once wrote is read as it was meant, left as it is, and written again the same."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgpack
import pytest

from msgstore import FileMessageStore, Message, ReadOnlyStore
from msgstore.disk.files import RealDisk
from msgstore.engine.journal import entries_of_generation, read_slots, stray_entries

from .reading import all_of, to_text
from .recipes import RECIPES, Recipe

GOLDEN = Path(__file__).parent / "v1"
MAKE_GOLDEN = Path(__file__).parents[2] / "scripts" / "make-golden"
DATA_FILES = ("index", "catalog", "sessions", "store.json")


@pytest.fixture(params=list(RECIPES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def recipe(name: str) -> Iterator[Recipe]:
    """The recipe of the store, under whose limits the test then runs."""
    with RECIPES[name].limits():
        yield RECIPES[name]


@pytest.fixture
def store_path(name: str, recipe: Recipe, tmp_path: Path) -> Path:
    """A copy of the golden store, with the modes that git does not keep."""
    path = tmp_path / "store"
    shutil.copytree(GOLDEN / name, path)
    for file in (path, *path.rglob("*")):
        file.chmod(0o700 if file.is_dir() else 0o600)
    return path


def data_of(path: Path) -> dict[str, bytes]:
    """The bytes of all that holds messages, streams and sessions."""
    files = [path / name for name in DATA_FILES] + sorted(path.rglob("*.msgpack"))
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


def expected_text(name: str) -> str:
    return (GOLDEN / f"{name}.json").read_text(encoding="utf-8")


def test_every_golden_store_is_read(name: str, store_path: Path) -> None:
    """Messages, streams, sessions and totals are those that were saved, and nothing is damaged."""
    with FileMessageStore(store_path, create=False) as store:
        assert to_text(all_of(store)) == expected_text(name)
        assert store.verify().findings == ()


def test_every_stream_is_read(name: str, store_path: Path) -> None:
    """Each stream by itself gives its messages in order, from either end and from its middle."""
    by_stream: dict[str, list[Any]] = {}
    for one in json.loads(expected_text(name))["messages"]:
        by_stream.setdefault(one["streamId"], []).append(one)
    with FileMessageStore(store_path, create=False) as store:
        for stream_id, expected in by_stream.items():

            def read(stream_id: str = stream_id, **how: Any) -> list[Any]:
                return [stored.to_json() for stored in store.get_messages(stream_id, **how)]

            middle = len(expected) // 2
            assert read() == expected
            assert read(direction="backwards") == expected[::-1]
            assert read(from_revision=middle) == expected[middle:]
            assert read(to_revision=middle, direction="backwards") == expected[middle::-1]


def test_reading_changes_no_data(recipe: Recipe, store_path: Path) -> None:
    """A store that was read is the store it was; one that was cut short has been completed."""
    before = data_of(store_path)
    with FileMessageStore(store_path, create=False) as store:
        all_of(store)
        store.verify()
    after = data_of(store_path)
    if recipe.is_cut_short:
        assert all(after[path].startswith(data) for path, data in before.items())
        assert set(after) > set(before)
    else:
        assert after == before


def test_a_message_can_be_added(name: str, store_path: Path) -> None:
    """A save goes on where the golden store ends, in its first stream and in a new one."""
    expected = json.loads(expected_text(name))
    messages = expected["messages"]
    with FileMessageStore(store_path, create=False) as store:
        first = store.save_message("golden/new", Message("Added", {"n": 1}, id="added"))
        assert (first.first_revision, first.first_position) == (0, len(messages) + 1)
        for stream in expected["streams"][:1]:
            again = store.save_message(stream["streamId"], Message("Added"))
            assert again.first_revision == stream["revision"] + 1
    with FileMessageStore(store_path, create=False) as store:
        read = [stored.to_json() for stored in store.get_all_messages()]
        assert read[: len(messages)] == messages
        assert read[len(messages)]["message"] == {"type": "Added", "data": {"n": 1}, "id": "added"}
        assert len(read) == len(messages) + 1 + min(1, len(expected["streams"]))
        assert store.verify().findings == ()


@pytest.fixture
def read_only(monkeypatch: pytest.MonkeyPatch, store_path: Path) -> None:
    """The store can only be read, whoever asks: modes would not hold back root."""
    real_open = os.open

    def guarded_open(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        writes = flags & (os.O_RDWR | os.O_WRONLY | os.O_CREAT)
        if writes and str(path).startswith(str(store_path)):
            raise OSError(errno.EROFS, "Read-only file system", path)
        return real_open(path, flags, *rest, **more)

    def refused(path: Any, *_: Any, **__: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system", path)

    monkeypatch.setattr(os, "open", guarded_open)
    for call in ("mkdir", "unlink", "rmdir", "replace", "rename", "truncate"):
        monkeypatch.setattr(os, call, refused)


@pytest.mark.usefixtures("read_only")
def test_every_golden_store_is_read_from_a_read_only_disk(name: str, store_path: Path) -> None:
    """Where nothing can be written the journal is laid over the files, and no file changes."""
    before = {file: file.read_bytes() for file in store_path.rglob("*") if file.is_file()}
    with FileMessageStore(store_path, create=False) as store:
        assert to_text(all_of(store)) == expected_text(name)
        assert store.verify().findings == ()
        with pytest.raises(ReadOnlyStore):
            store.save_message("golden/new", Message("Added"))
    assert {file: file.read_bytes() for file in store_path.rglob("*") if file.is_file()} == before


def test_the_same_calls_give_the_same_bytes(name: str, recipe: Recipe, tmp_path: Path) -> None:
    """Today's code writes every segment, row, stream and session as the golden store has it."""
    again = tmp_path / "again"
    recipe.run(again)
    assert data_of(again) == data_of(GOLDEN / name)


# ---------------------------------------------------------------- without our own reader


def test_the_segments_say_what_the_json_says(name: str, recipe: Recipe) -> None:
    """Read with nothing but msgpack and the specification, the segments hold those messages."""
    found = {}
    for path in (GOLDEN / name).rglob("*.msgpack"):
        header, *records = msgpack.Unpacker(path.open("rb"))
        assert header[2:4] == ["msgstore-segment", 1]
        for record in records:
            found[record[2]] = as_json(header[5], record)
    expected = json.loads(expected_text(name))["messages"]
    if recipe.is_cut_short:
        assert 0 < len(found) < len(expected)
    else:
        assert len(found) == len(expected)
    assert [to_text(found[n]) for n in sorted(found)] == list(map(to_text, expected[: len(found)]))


def as_json(stream_id: str, record: list[Any]) -> dict[str, Any]:
    """A record's elements as docs/format.md numbers them, as the contract has a message in JSON."""
    assert len(record) == 16
    assert record[1] == record[15]
    id_ = record[9]
    message = {
        "type": record[7],
        "data": record[8],
        "id": str(UUID(bytes=id_)) if isinstance(id_, bytes) else id_,
        "requestId": record[10],
        "correlationId": record[11],
        "causationId": record[12],
        "timestamp": None if record[13] is None else moment(record[13]),
        "metadata": record[14],
    }
    return {
        "streamId": stream_id,
        "message": {name: value for name, value in message.items() if value is not None},
        "messageType": ("event", "command")[record[5]],
        "revision": record[4],
        "position": record[2],
        "timestamp": moment(record[3]),
        "sessionId": record[6] or "no-session",
    }


def moment(time_us: int) -> str:
    time = datetime(1970, 1, 1) + timedelta(microseconds=time_us)
    return time.isoformat(timespec="microseconds").removesuffix("000") + "Z"


# ---------------------------------------------------------------- what makes each one special


def journal_of(name: str) -> tuple[RealDisk, Any]:
    disk = RealDisk(str(GOLDEN / name))
    return disk, read_slots(disk)[-1]


def test_the_killed_store_is_cut_short() -> None:
    """Its last entry adds two rows, of which the index knows nothing yet."""
    disk, slot = journal_of("killed")
    entries = list(entries_of_generation(disk, slot))
    assert [entry.head.rows for entry in entries] == [0, 2, 2]
    assert disk.size("index") == (1 + 2) * 96
    disk.forget()


def test_the_stale_store_holds_stale_entries() -> None:
    """Right where its last entry ends a whole one of the generation before begins."""
    disk, slot = journal_of("stale")
    end = list(entries_of_generation(disk, slot))[-1].end
    stray = list(stray_entries(disk, end, lambda head: True))
    assert stray[0].offset == end
    assert {entry.head.generation for entry in stray} == {slot.generation - 1}
    disk.forget()


def test_the_rolled_store_has_rolled() -> None:
    """One stream has eight segments; one has a full segment and no next one yet."""
    names = [path.name.split("~")[0] for path in (GOLDEN / "rolled").rglob("*.msgpack")]
    assert {name: names.count(name) for name in names} == {
        "long": 8,
        "batch": 2,
        "full": 1,
        "short": 1,
    }


# ---------------------------------------------------------------- never regenerated


def test_every_recipe_has_its_store() -> None:
    """No store is without a recipe, no recipe without a store and what is to be read from it."""
    assert {path.name for path in GOLDEN.iterdir() if path.is_dir()} == set(RECIPES)
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(RECIPES)


def test_a_golden_store_is_never_made_again(name: str) -> None:
    """The script that made it refuses to make it again."""
    before = data_of(GOLDEN / name)
    done = subprocess.run(
        [sys.executable, str(MAKE_GOLDEN), name], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == f"make-golden: {name} is there, and is never made again\n"
    assert data_of(GOLDEN / name) == before
