"""Opening what belongs to a store: plain files only, and never by way of a symbolic link.

A store may hold what somebody else has put there. What is opened is looked at once, when it is
opened, before anything is read from it or written to it.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress

from msgstore.model.errors import InvalidArgument

FOLDER_MODE = 0o700
FILE_MODE = 0o600
# O_NONBLOCK: opening a named pipe would wait for its other end. It means nothing to a plain file.
_GUARDED = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_FOLDER = _GUARDED | os.O_RDONLY | os.O_DIRECTORY
_NEVER_PLAIN = (errno.EISDIR, errno.ENXIO)  # a folder opened to write, a socket

Owner = tuple[int, int]
"""User and group."""


class Misplaced(OSError):
    """Something that is no file of a store stands where one belongs; `strerror` says what."""


def absolute_path(path: str | os.PathLike[str]) -> str:
    """The path, absolute. Raises InvalidArgument for what no file can be called."""
    text = os.fspath(path)
    if not isinstance(text, str):
        raise InvalidArgument("path", f"must be text, not {type(text).__name__}")
    try:
        has_nul = b"\0" in os.fsencode(text)
    except UnicodeEncodeError:
        raise InvalidArgument("path", "holds a lone surrogate") from None
    if has_nul:
        raise InvalidArgument("path", f"{text[:40]!r} holds a NUL")
    return os.path.abspath(text)


def open_plain(
    path: str, flags: int, dir_fd: int | None = None, *, owner: Owner | None = None
) -> int:
    """An open file; with O_CREAT made with mode 0600 where there is none.

    What is made is given to `owner`. Raises OSError with ELOOP for a symbolic link, and Misplaced
    for anything else that is no plain file, and before writing to a file that has a second name.
    """
    if owner is not None and flags & os.O_CREAT:
        return _open_for_owner(path, flags, dir_fd, owner)
    try:
        fd = os.open(path, flags | _GUARDED, FILE_MODE, dir_fd=dir_fd)
    except OSError as error:
        if error.errno in _NEVER_PLAIN:
            raise Misplaced(error.errno, "no plain file stands in place of a file", path) from None
        raise
    try:
        _check_plain(fd, path, to_write=bool(flags & os.O_RDWR))
    except BaseException:
        os.close(fd)
        raise
    return fd


def open_plain_in(folder: str, name: str, flags: int, dir_fd: int) -> int:
    """As `open_folder` and then `open_plain`, for what is opened by the thousand. Makes nothing."""
    above = os.open(folder, _FOLDER, dir_fd=dir_fd)
    try:
        return open_plain(name, flags, above)
    finally:
        os.close(above)


def _open_for_owner(path: str, flags: int, dir_fd: int | None, owner: Owner) -> int:
    """O_EXCL tells a file that was made here from one that was there, which is given to nobody."""
    while True:
        with suppress(FileNotFoundError):
            return open_plain(path, flags & ~os.O_CREAT, dir_fd)
        with suppress(FileExistsError):
            fd = open_plain(path, flags | os.O_EXCL, dir_fd)
            _give(fd, owner)
            return fd


def _check_plain(fd: int, path: str, to_write: bool) -> None:
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        raise Misplaced(errno.EINVAL, "no plain file stands in place of a file", path)
    if to_write and status.st_nlink > 1:
        reason = "a file with a second name (a hard link) is not written to; copy it to undo that"
        raise Misplaced(errno.EMLINK, reason, path)


def open_folder(path: str, dir_fd: int | None = None) -> int:
    """An open folder. Raises OSError with ELOOP for a symbolic link, Misplaced for any other thing."""
    try:
        return os.open(path, _FOLDER, dir_fd=dir_fd)
    except NotADirectoryError:
        if stat.S_ISLNK(os.stat(path, dir_fd=dir_fd, follow_symlinks=False).st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path) from None
        raise Misplaced(errno.ENOTDIR, "no folder stands in place of a folder", path) from None


def make_folder(path: str, dir_fd: int | None = None, *, owner: Owner | None = None) -> None:
    """Makes one folder with mode 0700 where there is none. Raises FileExistsError for another thing."""
    try:
        os.mkdir(path, FOLDER_MODE, dir_fd=dir_fd)
    except FileExistsError:
        if not stat.S_ISDIR(os.stat(path, dir_fd=dir_fd, follow_symlinks=False).st_mode):
            raise
        return
    if owner is not None:
        fd = open_folder(path, dir_fd)
        try:
            if not os.listdir(fd):  # else it is not the one that was made here
                _give(fd, owner)
        finally:
            os.close(fd)


def owner_to_keep(root: str) -> Owner | None:
    """Whom new files must be given to: root works in other people's stores, and they go on there."""
    if os.geteuid() != 0:
        return None
    status = os.stat(root)
    return (status.st_uid, status.st_gid) if status.st_uid else None


def _give(fd: int, owner: Owner) -> None:
    with suppress(PermissionError):  # root of a container may not be allowed to
        os.fchown(fd, *owner)


def remove_at(path: str, dir_fd: int | None = None, *, depth: int = 8) -> None:
    """Removes a file or a link, or a folder with what is in it; no link is followed on the way.

    A store is no deeper than three folders: what goes deeper than `depth` is not taken down.
    """
    try:
        os.unlink(path, dir_fd=dir_fd)
    except FileNotFoundError:
        return
    except (IsADirectoryError, PermissionError) as error:  # macOS: EPERM for a folder
        if not depth:
            raise OSError(
                errno.ENOTEMPTY, "folders are nested deeper than a store's", path
            ) from None
        _remove_folder(path, dir_fd, depth, error)


def _remove_folder(path: str, dir_fd: int | None, depth: int, refusal: OSError) -> None:
    try:
        folder = open_folder(path, dir_fd)
    except Misplaced:
        raise refusal from None
    try:
        for name in os.listdir(folder):
            remove_at(name, folder, depth=depth - 1)
    finally:
        os.close(folder)
    os.rmdir(path, dir_fd=dir_fd)
