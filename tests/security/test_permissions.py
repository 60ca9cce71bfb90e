"""Who may read what msgstore makes, and to whom it belongs."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cli.harness import Cli

from msgstore import FileMessageStore, Message


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def modes(root: Path) -> set[tuple[str, str]]:
    """What kinds of thing there are, and their modes."""
    return {
        ("folder" if p.is_dir() else "file", oct(stat.S_IMODE(p.stat().st_mode)))
        for p in (root, *root.rglob("*"))
    }


def fill(path: Path) -> None:
    """Makes every kind of file, recovered after a loss of power."""
    with FileMessageStore(path) as store:
        with store.session("run"):
            store.save_message("a", Message("A"))
        segment = next(path.glob("streams/*/*"))
    with segment.open("ab") as file:
        file.write(b"left over")
    (path / "write.lock").write_bytes(bytes(136))
    (path / "resetting").touch()
    (path / "resetting").unlink()
    with FileMessageStore(path) as store:
        store.save_message("b", Message("B"))
    assert {p.name for p in path.iterdir()} >= {
        "store.json", "write.lock", "journal", "index", "catalog", "sessions", "streams",
        "quarantine",
    }  # fmt: skip


@pytest.mark.parametrize("mask", [0o000, 0o002, 0o022, 0o027, 0o077])
def test_only_the_owner_may_read(tmp_path: Path, mask: int) -> None:
    """Folders have mode 0700 and files 0600 whatever the umask would give to others."""
    with umask(mask):
        fill(tmp_path / "store")
    assert modes(tmp_path / "store") == {("folder", "0o700"), ("file", "0o600")}


def test_a_folder_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    """Who made the folder decides who may enter it; what is in it is still the owner's alone."""
    store = tmp_path / "store"
    store.mkdir()
    store.chmod(0o750)
    fill(store)
    assert stat.S_IMODE(store.stat().st_mode) == 0o750
    assert modes(store) == {("folder", "0o750"), ("folder", "0o700"), ("file", "0o600")}


def test_a_mode_that_was_changed_stays(path: Path) -> None:
    """What somebody opened to a group is not closed again by a save, a recovery or a read."""
    for file in path.rglob("*"):
        file.chmod(0o770 if file.is_dir() else 0o660)
    (path / "write.lock").write_bytes(bytes(136))
    with FileMessageStore(path) as store:
        store.save_message("a", Message("More"))
    assert modes(path) - {("folder", "0o700")} == {("folder", "0o770"), ("file", "0o660")}


def test_a_cursor_file_follows_the_umask(cli: Cli) -> None:
    """It is the user's own file, outside of the store."""
    cli.save({"streamId": "a", "type": "T"})
    for mask, mode in ((0o022, 0o644), (0o027, 0o640), (0o077, 0o600)):
        with umask(mask):
            assert cli("tail", "--cursor-file", "seen.json").code == 0
        assert stat.S_IMODE((cli.folder / "seen.json").stat().st_mode) == mode
        (cli.folder / "seen.json").unlink()


def test_a_cursor_file_is_not_written_through_a_link(cli: Cli) -> None:
    """A link in its place is replaced, and no temporary file is left or can be guessed."""
    cli.save({"streamId": "a", "type": "T"})
    victim = cli.folder / "victim"
    victim.write_text('{"store": "x", "position": 0, "fingerprint": null}')
    seen = cli.folder / "seen.json"
    assert cli("tail", "--cursor-file", "seen.json").code == 0
    kept = seen.read_bytes()
    victim.write_bytes(kept)
    seen.unlink()
    seen.symlink_to(victim)
    cli.save({"streamId": "a", "type": "T"})
    assert cli("tail", "--cursor-file", "seen.json").code == 0
    assert victim.read_bytes() == kept
    assert not seen.is_symlink()
    assert [p.name for p in cli.folder.iterdir() if ".tmp" in p.name] == []


def test_the_temporary_file_has_another_name_each_time(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who can write to the folder cannot put a link in its place: the process id is not its name."""
    from msgstore.cli.cursor import Cursor

    names: list[str] = []
    real = os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: (names.append(str(a)), real(a, b)))
    with FileMessageStore(path) as store:
        for position in (1, 2):
            Cursor(str(tmp_path / "seen.json"), store).keep(position)
    assert len(set(names)) == 2
    assert not any(str(os.getpid()) in name.rpartition("/")[2].split(".") for name in names)


def as_user(uid: int, path: Path, *streams: str) -> bool:
    """Whether that user can save to all of these streams."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            with FileMessageStore(path) as store:
                for stream in streams:
                    store.save_message(stream, Message("Theirs"))
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can work in other people's stores")
def test_what_root_makes_belongs_to_the_store_s_owner(path: Path) -> None:
    """After root has saved to a store, repaired or read it, its owner can go on."""
    uid = 4321
    for file in (path, *path.rglob("*")):
        os.chown(file, uid, uid)
    (path / "write.lock").unlink()
    with FileMessageStore(path) as store:
        for number in range(40):
            store.save_message(f"new-{number}", Message("Root's"))
        store.create_session()
    assert {p.stat().st_uid for p in (path, *path.rglob("*"))} == {uid}
    assert modes(path) == {("folder", "0o700"), ("file", "0o600")}
    ours = [folder for folder in path.parents if folder.stat().st_mode & stat.S_IRWXO == 0]
    before = [(folder, stat.S_IMODE(folder.stat().st_mode)) for folder in ours]
    try:
        for folder, _ in before:
            folder.chmod(0o755)
        assert as_user(uid, path, "a", "new-7", "another")
    finally:
        for folder, mode in before:
            folder.chmod(mode)
    with FileMessageStore(path) as store:
        assert store.get_stream_info("new-7").revision == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_store_of_somebody_else_can_be_read(path: Path) -> None:
    """Whose a store is makes no difference to who is allowed to read it."""
    for file in (path, *path.rglob("*")):
        os.chown(file, 4321, 4321)
    with FileMessageStore(path, create=False) as store:
        assert len(list(store.get_all_messages())) == 4
        assert store.verify().findings == ()
