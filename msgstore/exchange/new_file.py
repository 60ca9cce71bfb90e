"""A file that is there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from msgstore.model.errors import StoreUnavailable


class FileExists(StoreUnavailable):
    """There is a file where one is to be written; it is left as it is."""

    advice = "name another file, or replace this one with --force"


class NotWritten(StoreUnavailable):
    """The file could not be written; what was there before still is."""

    advice = "check the path, its permissions and the free space"


@contextmanager
def new_file(path: str, replace: bool) -> Iterator[str]:
    """A temporary file to fill, next to `path`; when the block ends without an error it gets that name.

    Until then nothing stands there, or what did before. It is on the disk before it gets its name.
    Raises FileExists unless it may `replace`, and NotWritten.
    """
    target = os.path.realpath(path)  # a link is the user's way to say where
    _check(path, target, replace)
    # A name that nobody can guess, and O_EXCL: the folder may be one that others write to.
    temporary = f"{target}.{os.urandom(8).hex()}.tmp"
    try:
        try:
            with open(temporary, "xb"):
                pass
            yield temporary
            _sync(temporary, os.O_RDWR)
            _put_in_place(path, temporary, target, replace)
        except OSError as error:
            raise NotWritten(path, error.strerror or "cannot be written") from None
    finally:
        with suppress(OSError):
            os.unlink(temporary)


def _check(path: str, target: str, replace: bool) -> None:
    if os.path.lexists(target):
        if not os.path.isfile(target):
            raise NotWritten(path, "is no plain file")
        if not replace:
            raise FileExists(path, "is there already")


def _put_in_place(path: str, temporary: str, target: str, replace: bool) -> None:
    if replace:
        os.replace(temporary, target)
    else:
        try:
            os.link(temporary, target)  # unlike a rename it replaces nothing
        except FileExistsError:
            raise FileExists(path, "was put there meanwhile") from None
        except OSError:  # a file system without links
            _check(path, target, replace)
            os.rename(temporary, target)
    _sync(os.path.dirname(target), os.O_RDONLY)


def _sync(path: str, flags: int) -> None:
    fd = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
