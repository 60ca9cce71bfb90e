"""RealDisk: the files of one store, and what the operating system may do to a call."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from msgstore.disk import files, handles
from msgstore.disk.files import RealDisk
from msgstore.disk.handles import handles_max

PLACES = [
    "store.json",
    "write.lock",
    "journal",
    "index",
    "catalog",
    "sessions",
    "streams/2c/orders-1~2ce7cad384e551a8d16eb9ca1bc0d262.msgpack",
]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[RealDisk]:
    disk = RealDisk(str(tmp_path / "store"))
    disk.make_folder("")
    yield disk
    disk.forget()


def open_files() -> int:
    return len(os.listdir("/dev/fd"))


# ---------------------------------------------------------------- reading and writing


def test_a_file_that_is_not_there(disk: RealDisk) -> None:
    """It has no size and no identity, and cannot be read."""
    assert disk.size("index") == -1
    assert disk.identity("index") is None
    with pytest.raises(FileNotFoundError):
        disk.read("index", 0, 1)


def test_a_write_makes_the_file_and_its_folders(disk: RealDisk) -> None:
    """The first write to a segment makes what leads to it."""
    disk.write("streams/2c/a.msgpack", 3, b"abc")
    assert disk.size("streams/2c/a.msgpack") == 6
    assert disk.read("streams/2c/a.msgpack", 0, 6) == b"\0\0\0abc"
    assert disk.list("streams") == ["2c"]
    assert disk.list("streams/2c") == ["a.msgpack"]
    assert disk.list("streams/3f") == []


def test_a_read_is_short_only_at_the_end(disk: RealDisk) -> None:
    """Up to the end there is what is there, behind it nothing."""
    disk.write("index", 0, b"0123456789")
    assert disk.read("index", 2, 3) == b"234"
    assert disk.read("index", 8, 99) == b"89"
    assert disk.read("index", 10, 1) == b""
    assert disk.read("index", 99, 1) == b""


def test_short_reads_are_put_together(disk: RealDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system call that returns less than was asked for is called again for the rest."""
    disk.write("index", 0, b"0123456789")
    real = os.pread
    monkeypatch.setattr(files.os, "pread", lambda fd, size, at: real(fd, min(size, 3), at))
    assert disk.read("index", 0, 10) == b"0123456789"
    assert disk.read("index", 1, 8) == b"12345678"
    assert disk.read("index", 5, 99) == b"56789"


def test_short_writes_are_gone_on_with(disk: RealDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system call that takes less than it was given is called again with the rest."""
    real = os.pwrite
    monkeypatch.setattr(files.os, "pwrite", lambda fd, data, at: real(fd, bytes(data)[:3], at))
    disk.write("index", 2, b"0123456789")
    assert disk.read("index", 0, 99) == b"\0\x000123456789"


def test_a_file_opened_to_read_can_be_written(disk: RealDisk) -> None:
    """The open file is exchanged for one that is writable when the first write comes."""
    disk.write("index", 0, b"abc")
    disk.forget()
    assert disk.read("index", 0, 3) == b"abc"
    disk.write("index", 1, b"X")
    disk.truncate("index", 2)
    assert disk.read("index", 0, 3) == b"aX"


def test_a_disk_that_became_read_only_can_be_read(
    disk: RealDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has written reads on when nothing can be written any more."""
    disk.write("index", 0, b"abc")
    disk.write("catalog", 0, b"def")
    disk.forget()
    real = os.open

    def read_only(path: str, flags: int, *rest: int, dir_fd: int | None = None) -> int:
        if flags & (os.O_RDWR | os.O_CREAT):
            raise OSError(errno.EROFS, "read-only file system", path)
        return real(path, flags, *rest, dir_fd=dir_fd)

    monkeypatch.setattr(files.os, "open", read_only)
    assert disk.read("index", 0, 9) == b"abc"
    assert disk.size("catalog") == 3
    assert disk.size("sessions") == -1
    with pytest.raises(OSError, match="read-only"):
        disk.write("index", 0, b"X")
    assert disk.read("index", 0, 9) == b"abc"


def test_truncate_cuts_and_lengthens(disk: RealDisk) -> None:
    """What is cut off is gone, and what is added is zeros."""
    disk.write("index", 0, b"abc")
    disk.truncate("index", 1)
    disk.truncate("index", 3)
    assert disk.read("index", 0, 9) == b"a\0\0"


def test_replace_puts_a_whole_file_in_place(disk: RealDisk) -> None:
    """Another file stands there, and readers that had the old one open see the new one."""
    disk.write("store.json", 0, b"old and long")
    before = disk.identity("store.json")
    disk.replace("store.json", b"new")
    assert disk.read("store.json", 0, 99) == b"new"
    assert disk.identity("store.json") != before
    assert disk.list("") == ["store.json"]


def test_forget_opens_anew(disk: RealDisk) -> None:
    """After `forget` what stands at the path now is read, not what stood there before."""
    disk.write("index", 0, b"old")
    other = Path(disk.root) / "other"
    other.write_bytes(b"new")
    other.rename(Path(disk.root) / "index")
    assert disk.read("index", 0, 3) == b"old"
    disk.forget()
    assert disk.read("index", 0, 3) == b"new"


def test_remove_takes_all(disk: RealDisk) -> None:
    """A folder goes with what is in it, and what is not there is no error."""
    disk.write("streams/2c/a", 0, b"a")
    disk.write("streams/3f/b", 0, b"b")
    disk.remove("streams")
    disk.remove("streams")
    assert disk.list("") == []
    assert disk.size("streams/2c/a") == -1


def test_remove_tells_an_error(disk: RealDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be looked at is not taken for absent."""
    disk.write("index", 0, b"a")

    def refused(path: str, *arguments: object, **options: object) -> None:
        raise OSError(errno.EIO, "Input/output error", path)

    with monkeypatch.context() as patch:
        for name in ("stat", "lstat", "unlink"):
            patch.setattr(os, name, refused)
        with pytest.raises(OSError, match="Input/output error"):
            disk.remove("index")
    assert disk.size("index") == 1


def test_syncs_return(disk: RealDisk) -> None:
    """Files, folders and the whole file system can be synced."""
    disk.write("streams/2c/a", 0, b"a")
    disk.sync("streams/2c/a")
    disk.sync_folder("streams/2c")
    disk.sync_folder("")
    assert disk.sync_all() in (True, False)


# ---------------------------------------------------------------- symbolic links

CALLS: dict[str, Callable[[RealDisk, str], object]] = {
    "size": lambda disk, path: disk.size(path),
    "read": lambda disk, path: disk.read(path, 0, 1),
    "write": lambda disk, path: disk.write(path, 0, b"X"),
    "truncate": lambda disk, path: disk.truncate(path, 0),
    "sync": lambda disk, path: disk.sync(path),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("path", PLACES)
def test_a_symbolic_link_is_refused(disk: RealDisk, tmp_path: Path, path: str, call: str) -> None:
    """In place of any file a link is refused, and what it leads to stays as it is."""
    outside = tmp_path / "outside"
    outside.write_bytes(b"mine")
    link = Path(disk.root) / path
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(outside)
    with pytest.raises(OSError, match="symbolic links") as caught:
        CALLS[call](disk, path)
    assert caught.value.errno == errno.ELOOP
    assert outside.read_bytes() == b"mine"


def test_a_link_that_leads_nowhere_makes_no_file(disk: RealDisk, tmp_path: Path) -> None:
    """A write does not make the file that a link names."""
    (Path(disk.root) / "index").symlink_to(tmp_path / "outside")
    with pytest.raises(OSError, match="symbolic links") as caught:
        disk.write("index", 0, b"X")
    assert caught.value.errno == errno.ELOOP
    assert not (tmp_path / "outside").exists()


def test_a_link_in_place_of_a_folder_is_refused(disk: RealDisk, tmp_path: Path) -> None:
    """Making a folder where a link stands is an error."""
    (Path(disk.root) / "streams").symlink_to(tmp_path)
    with pytest.raises(FileExistsError):
        disk.make_folder("streams")


@pytest.mark.parametrize("place", ["store.json", "store.json.new"])
def test_replace_follows_no_link(disk: RealDisk, tmp_path: Path, place: str) -> None:
    """`replace` takes the place of a link, and of one at its temporary file, without following it."""
    outside = tmp_path / "outside"
    outside.write_bytes(b"mine")
    (Path(disk.root) / place).symlink_to(outside)
    disk.replace("store.json", b"new")
    assert disk.read("store.json", 0, 9) == b"new"
    assert outside.read_bytes() == b"mine"


def test_remove_follows_no_link(disk: RealDisk, tmp_path: Path) -> None:
    """A link is removed, not what it leads to."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"mine")
    disk.make_folder("streams")
    (Path(disk.root) / "streams/2c").symlink_to(outside)
    disk.remove("streams")
    assert disk.list("") == []
    assert (outside / "file").read_bytes() == b"mine"


# ---------------------------------------------------------------- permissions


@pytest.fixture
def umask() -> Iterator[Callable[[int], None]]:
    before = os.umask(0)
    os.umask(before)
    yield lambda mask: os.umask(mask) and None
    os.umask(before)


@pytest.mark.parametrize("mask", [0o000, 0o002, 0o022, 0o027, 0o077])
def test_nobody_else_may_read(tmp_path: Path, umask: Callable[[int], None], mask: int) -> None:
    """Folders have mode 0700 and files 0600, whatever others would be given by the umask."""
    umask(mask)
    disk = RealDisk(str(tmp_path / "deep" / "store"))
    disk.make_folder("")
    disk.write("index", 0, b"x")
    disk.replace("store.json", b"{}")
    disk.write("streams/2c/a", 0, b"x")
    disk.write("quarantine/index.96.0", 0, b"x")
    root = Path(disk.root)
    modes = {
        str(path.relative_to(root)): oct(stat.S_IMODE(path.stat().st_mode))
        for path in (root, *root.rglob("*"))
    }
    assert modes == {
        ".": "0o700",
        "index": "0o600",
        "store.json": "0o600",
        "streams": "0o700",
        "streams/2c": "0o700",
        "streams/2c/a": "0o600",
        "quarantine": "0o700",
        "quarantine/index.96.0": "0o600",
    }


# ---------------------------------------------------------------- open files


def test_open_files_are_bounded(disk: RealDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many files a store has, so many of them are open, and the folder `streams`."""
    monkeypatch.setattr(files, "handles_max", lambda _: 20)
    before = open_files()
    for number in range(100):
        disk.write(f"streams/{number}/x", 0, b"%d" % number)
    assert open_files() - before == 20 + 1
    assert disk.read("streams/0/x", 0, 9) == b"0"
    assert open_files() - before == 20 + 1
    disk.forget()
    assert open_files() == before


def test_going_round_in_a_few_more_files_than_stay_open(
    disk: RealDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most are open still when their turn comes again: by age, none would be."""
    monkeypatch.setattr(files, "handles_max", lambda _: 100)
    opened = 0
    real = disk._open_anew

    def counted(path: str, writable: bool) -> handles.Handle:
        nonlocal opened
        opened += 1
        return real(path, writable)

    monkeypatch.setattr(disk, "_open_anew", counted)
    for round_ in range(11):
        for number in range(105):
            disk.write(f"streams/{number}/x", round_, b"x")
    assert opened < 105 + 10 * 105 // 2


def test_what_was_open_in_a_folder_that_is_removed(disk: RealDisk) -> None:
    """A file of the same name that is made later is another file."""
    disk.write("streams/2c/a", 0, b"old")
    disk.write("streams/2c/b", 0, b"old")
    disk.remove("streams")
    assert disk.size("streams/2c/a") == -1
    disk.write("streams/2c/a", 0, b"new")
    assert (disk.read("streams/2c/a", 0, 9), disk.size("streams/2c/b")) == (b"new", -1)


@pytest.mark.parametrize(("limit", "kept"), [(64, 96), (1024, 128), (1 << 20, 256)])
def test_how_many_files_stay_open(limit: int, kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """An eighth of what the process may have open, but 96 at least and 256 at most."""
    monkeypatch.setattr("resource.getrlimit", lambda _: (limit, limit))
    monkeypatch.setattr(handles, "allowed", handles.allowed.__wrapped__)
    assert handles_max(kept) == kept
    assert handles_max(1_000_000) == kept


def test_where_no_more_files_may_be_opened(disk: RealDisk) -> None:
    """Some of those that are open are given back: a save does not fail for that."""
    import resource

    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_files() + 40, limits[1]))
    try:
        for number in range(100):
            disk.write(f"streams/{number}/x", 0, b"%d" % number)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert [disk.read(f"streams/{n}/x", 0, 9) for n in range(100)] == [
        b"%d" % n for n in range(100)
    ]


def test_a_program_of_its_own_keeps_more_open() -> None:
    """The soft limit goes up as far as the hard one lets it, and nearly all of it is for the store."""
    code = """if True:
        import resource
        resource.setrlimit(resource.RLIMIT_NOFILE, (600, 5000))
        from msgstore.disk.handles import handles_max, own_the_process
        print(handles_max(9999), own_the_process(), handles_max(9999))
        print(*resource.getrlimit(resource.RLIMIT_NOFILE))"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "96 None 3976\n5000 5000\n"


def test_an_open_file_may_leave_the_cache_while_it_is_used(
    disk: RealDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call goes on with its file when another thread has taken it out of the cache meanwhile."""
    disk.write("index", 0, b"abc")

    def meanwhile(call: str) -> None:
        real = getattr(os, call)

        def forgetful(*args: object) -> object:
            disk.forget()
            return real(*args)

        monkeypatch.setattr(files.os, call, forgetful)

    for call in ("pread", "pwrite", "lseek", "ftruncate", "fdatasync"):
        meanwhile(call)
    assert disk.read("index", 0, 3) == b"abc"
    disk.write("index", 3, b"d")
    assert disk.size("index") == 4
    disk.truncate("index", 2)
    disk.sync("index")
    assert disk.read("index", 0, 9) == b"ab"


def test_a_forked_child_closes_what_it_inherited(disk: RealDisk) -> None:
    """A child has none of its parent's files open, and can use the disk nevertheless."""
    before = open_files()
    for number in range(20):
        disk.write(f"streams/2c/{number}", 0, b"x")
    assert open_files() - before == 20 + 1  # and the folder above those that they are in
    child = os.fork()
    if child == 0:
        try:
            closed = open_files() <= before  # fewer, where tests before this one left files open
            os._exit(0 if closed and disk.read("streams/2c/7", 0, 1) == b"x" else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert disk.read("streams/2c/7", 0, 1) == b"x"


# ---------------------------------------------------------------- moving


def test_a_file_is_moved(disk: RealDisk) -> None:
    """It stands at its new name, in folders made for it, and an open file does not outlive its name."""
    disk.write("index", 0, b"old")
    disk.move("index", "quarantine/repair-1/index")
    assert disk.size("index") == -1
    assert disk.read("quarantine/repair-1/index", 0, 9) == b"old"
    disk.write("index", 0, b"new")
    assert disk.read("quarantine/repair-1/index", 0, 9) == b"old"


def test_a_folder_is_moved(disk: RealDisk) -> None:
    """With all that is in it."""
    disk.write("lookup/run", 0, b"run")
    disk.move("lookup", "quarantine/repair-1/lookup")
    assert disk.identity("lookup") is None
    assert disk.size("lookup/run") == -1
    assert disk.read("quarantine/repair-1/lookup/run", 0, 9) == b"run"


def test_nothing_is_moved_over_another_file(disk: RealDisk) -> None:
    """A move onto a name that is taken is refused, and changes nothing."""
    disk.write("a", 0, b"a")
    disk.write("b", 0, b"b")
    with pytest.raises(FileExistsError):
        disk.move("a", "b")
    assert (disk.read("a", 0, 9), disk.read("b", 0, 9)) == (b"a", b"b")
