"""What somebody planted in a store in place of its files and folders is neither followed nor obeyed."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from msgstore import FileMessageStore, Message, MsgStoreError, StoreUnavailable
from msgstore.model.saving import SaveRequest

from .forge import forget_hint

pytestmark = pytest.mark.timeout(60)  # a named pipe must not be waited for

FILES = ("store.json", "write.lock", "journal", "index", "catalog", "sessions", "segment")


def place_of(path: Path, name: str) -> Path:
    return next(path.glob("streams/*/a~*")) if name == "segment" else path / name


def make_socket(place: Path, outside: Path) -> None:
    here = os.getcwd()
    os.chdir(place.parent)  # the name of a socket may only be short
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(place.name)
    finally:
        os.chdir(here)


PLANTS: dict[str, Callable[[Path, Path], object]] = {
    "a link to a file": lambda place, outside: place.symlink_to(outside),
    "a link to nothing": lambda place, outside: place.symlink_to(outside.with_name("nothing")),
    "a link to a device": lambda place, outside: place.symlink_to("/dev/zero"),
    "a pipe": lambda place, outside: os.mkfifo(place),
    "a folder": lambda place, outside: place.mkdir(),
    "a socket": make_socket,
}


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A file of somebody else, which holds what the store's file held."""
    return tmp_path / "outside"


def use(path: Path, stream: str = "a") -> None:
    """Reads and writes; raises what the first of them raises."""
    with FileMessageStore(path, create=False, lock_timeout_s=5) as store:
        list(store.get_messages(stream))
        list(store.get_all_messages())
        store.get_stats()
        store.save_message(stream, Message("More"))
        store.end_session(store.create_session())


@pytest.mark.parametrize("plant", PLANTS)
@pytest.mark.parametrize("name", FILES)
def test_in_place_of_a_file(path: Path, outside: Path, name: str, plant: str) -> None:
    """It is refused with an error of msgstore, at once, and what a link leads to stays as it was."""
    place = place_of(path, name)
    place.rename(outside)
    before = outside.read_bytes()
    PLANTS[plant](place, outside)
    with pytest.raises(MsgStoreError):
        use(path)
    with pytest.raises(MsgStoreError), FileMessageStore(path, create=False) as store:
        store.save_message("a", Message("More"))
    assert outside.read_bytes() == before
    assert not outside.with_name("nothing").exists()


@pytest.mark.parametrize("name", ["write.lock", "journal", "index", "catalog", "segment"])
def test_a_link_is_called_one(path: Path, outside: Path, name: str) -> None:
    """The error says that it is a symbolic link, and which."""
    place = place_of(path, name)
    place.rename(outside)
    place.symlink_to(outside)
    with pytest.raises(StoreUnavailable, match="symbolic link .*" + place.name.split("~")[0]):
        use(path)


@pytest.mark.parametrize("folder", ["streams", "shard"])
@pytest.mark.parametrize("leads", ["to its own content", "to an empty folder", "nowhere"])
def test_a_link_in_place_of_a_folder(path: Path, tmp_path: Path, folder: str, leads: str) -> None:
    """No segment is read or written by way of it, be it of an old stream or of a new one."""
    place = path / "streams" if folder == "streams" else place_of(path, "segment").parent
    target = tmp_path / "elsewhere"
    if leads == "to its own content":
        place.rename(target)
    else:
        shutil.rmtree(place)
        if leads == "to an empty folder":
            target.mkdir()
    place.symlink_to(target)
    before = {p: p.read_bytes() for p in target.rglob("*") if p.is_file()}
    with FileMessageStore(path, create=False) as store:
        for attempt in (
            lambda: list(store.get_messages("a")),
            lambda: list(store.get_all_messages()),
            lambda: store.get_stream_info("a"),
            lambda: store.save_message("a", Message("More")),
        ):
            with pytest.raises(MsgStoreError, match="symbolic link"):
                attempt()
        assert store.verify().findings
    assert {p: p.read_bytes() for p in target.rglob("*") if p.is_file()} == before


def test_a_folder_exchanged_for_a_link_meanwhile(path: Path, tmp_path: Path) -> None:
    """A store object that has used the folder before does not follow a link that came later."""
    with FileMessageStore(path) as store:
        store.save_message("a", Message("More"))
        shard = place_of(path, "segment").parent
        other = next(f"x-{n}" for n in range(5000) if shard_of(f"x-{n}") == shard.name)
        shard.rename(tmp_path / "elsewhere")
        shard.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(StoreUnavailable, match="symbolic link"):
            store.save_message(other, Message("First"))
    assert len(list((tmp_path / "elsewhere").iterdir())) == 1


def shard_of(stream_id: str) -> str:
    from msgstore.format.names import segment_path

    return segment_path(stream_id, 0).split("/")[1]


def test_a_link_in_place_of_the_quarantine(path: Path, tmp_path: Path) -> None:
    """What recovery sets aside goes nowhere else; the recovery itself does not depend on it."""
    (tmp_path / "elsewhere").mkdir()
    (path / "quarantine").symlink_to(tmp_path / "elsewhere")
    with place_of(path, "segment").open("ab") as file:
        file.write(b"left over")
    (path / "write.lock").write_bytes(b"")
    with pytest.raises(StoreUnavailable, match="symbolic link"), FileMessageStore(path) as store:
        store.save_message("a", Message("More"))
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_the_folder_that_was_named_may_be_a_link(path: Path, tmp_path: Path) -> None:
    """The user named it: a link to a store is that store."""
    (tmp_path / "link").symlink_to(path)
    use(tmp_path / "link")
    with FileMessageStore(path) as store:
        assert store.get_stream_info("a").revision == 3


@pytest.mark.parametrize("name", ["write.lock", "journal", "index", "catalog", "segment"])
def test_a_file_with_a_second_name(path: Path, outside: Path, name: str) -> None:
    """It can be read, but a write would change what stands elsewhere, and is refused."""
    place = place_of(path, name)
    os.link(place, outside)
    before = outside.read_bytes()
    with FileMessageStore(path, create=False) as store:
        assert len(list(store.get_all_messages())) == 4
        lines = [SaveRequest.of(stream, [Message("More")]) for stream in ("a", "new")]
        with pytest.raises(StoreUnavailable, match="second name"):
            store.save_each(lines)
    if name != "write.lock":  # which another process may still use
        assert outside.read_bytes() == before
    outside.unlink()
    with FileMessageStore(path, create=False) as store:
        store.save_message("a", Message("More"))
        assert store.verify().findings == ()


@pytest.mark.parametrize("name", ["write.lock", "journal", "index", "catalog", "segment"])
def test_a_file_with_a_second_name_after_a_loss_of_power(
    path: Path, outside: Path, name: str
) -> None:
    """A store that cannot be recovered on that account is read all the same."""
    forget_hint(path)
    place = place_of(path, name)
    os.link(place, outside)
    before = outside.read_bytes()
    with FileMessageStore(path, create=False) as store:
        assert len(list(store.get_all_messages())) == 4
        assert len(list(store.get_messages("a"))) == 3
        with pytest.raises(StoreUnavailable, match="second name"):
            store.save_message("a", Message("More"))
    assert outside.read_bytes() == before


def test_reset_follows_no_link(path: Path, tmp_path: Path) -> None:
    """Emptying a store removes links, and nothing that they lead to."""
    theirs = tmp_path / "theirs"
    (theirs / "folder").mkdir(parents=True)
    (theirs / "folder/file").write_bytes(b"mine")
    (path / "quarantine").symlink_to(theirs)
    (path / "lookup").symlink_to(theirs / "folder")
    (path / "streams/zz").symlink_to(theirs)
    (path / "streams/file").symlink_to(theirs / "folder/file")
    with FileMessageStore(path) as store:
        store.reset()
        assert store.get_stats().total_messages == 0
    assert (theirs / "folder/file").read_bytes() == b"mine"
    assert not (path / "quarantine").exists()


def test_reset_goes_no_deeper_than_a_store(path: Path) -> None:
    """Folders nested without end are an error of msgstore, not one of the interpreter."""
    here = os.getcwd()
    os.chdir(path / "streams")
    try:
        for _ in range(40):
            os.mkdir("d")
            os.chdir("d")
    finally:
        os.chdir(here)
    with FileMessageStore(path) as store, pytest.raises(StoreUnavailable):
        store.reset()
