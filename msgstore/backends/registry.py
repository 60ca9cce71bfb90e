"""Which backend a store's URL means."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from msgstore.model.errors import InvalidArgument

if TYPE_CHECKING:
    from msgstore.backends.protocol import LocalMessageStore

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")


def open_store(url: str, **options: Any) -> LocalMessageStore:
    """The store that `url` names: a path or `file:PATH`, or `memory:`.

    `options` go to the backend: `durability`, `lock_timeout_s` and `create` for files. Raises
    InvalidArgument for a scheme that nobody serves, and what the backend raises.
    """
    match = _SCHEME.match(str(url))
    scheme = match[1].lower() if match else "file"
    if scheme == "memory":
        from msgstore.backends.memory import MemoryMessageStore

        return MemoryMessageStore()
    if scheme == "file":
        from msgstore.backends.file import FileMessageStore

        return FileMessageStore(_path_of(str(url)) if match else url, **options)
    raise InvalidArgument(
        "store", f"no backend serves {scheme}: URLs; use a path, file: or memory:"
    )


def store_path(url: str) -> str:
    """The folder that `url` names, a path or `file:PATH`. Raises InvalidArgument for any other."""
    match = _SCHEME.match(url)
    if match and match[1].lower() != "file":
        raise InvalidArgument("store", f"{url!r} is no folder; use a path, or file:")
    return _path_of(url) if match else url


def _path_of(url: str) -> str:
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise InvalidArgument("store", f"{url!r} names another host; write file:///absolute/path")
    if not parts.path:
        raise InvalidArgument("store", f"{url!r} names no path")
    path = unquote(parts.path)
    if "\0" in path:
        raise InvalidArgument("store", f"{url!r} names a path with a NUL in it")
    return path
