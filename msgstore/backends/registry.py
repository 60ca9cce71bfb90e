"""Which backend a store's URL means."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from msgstore.model.errors import InvalidArgument

if TYPE_CHECKING:
    from msgstore.backends.protocol import LocalMessageStore

PACK_SUFFIX = ".msgpack"
_SCHEME = r"([A-Za-z][A-Za-z0-9+.-]+):"


def open_store(url: str, **options: Any) -> LocalMessageStore:
    """The store that `url` names: a path or `file:PATH`, or `memory:`.

    A path that ends with `.msgpack` and names a file is a pack, which can only be read. `options` go
    to the backend: `durability`, `lock_timeout_s` and `create` for files. Raises InvalidArgument for
    a scheme that nobody serves, and what the backend raises.
    """
    scheme = _scheme_of(url)
    if scheme == "memory":
        from msgstore.backends.memory import MemoryMessageStore

        return MemoryMessageStore()
    if scheme == "file":
        path = _path_in(url)
        if is_pack(path):
            from msgstore.backends.pack import PackMessageStore

            return PackMessageStore(path)
        from msgstore.backends.file import FileMessageStore

        return FileMessageStore(path, **options)
    raise InvalidArgument(
        "store", f"no backend serves {scheme}: URLs; use a path, file: or memory:"
    )


def store_path(url: str) -> str:
    """The folder that `url` names, a path or `file:PATH`. Raises InvalidArgument for any other."""
    path = path_of(url)
    if path is None:
        raise InvalidArgument("store", f"{url!r} is no folder; use a path, or file:")
    return path


def path_of(url: str) -> str | None:
    """The folder of the store that `url` names, None if it is no store on disk."""
    return _path_in(url) if _scheme_of(url) == "file" else None


def is_pack(path: str) -> bool:
    """Whether a pack is meant: a store is a folder, whatever its name."""
    if not str(path).endswith(PACK_SUFFIX):
        return False
    from msgstore.disk.one_file import is_file

    return is_file(path)


def _scheme_of(url: str) -> str:
    match = re.match(_SCHEME, str(url)) if ":" in str(url) else None
    return match[1].lower() if match else "file"


def _path_in(url: str) -> str:
    """The path in a `file:` URL; what has no scheme is a path itself."""
    match = re.match(_SCHEME, str(url)) if ":" in str(url) else None
    path = url if match is None else _unquoted(url, str(url)[match.end() :])
    if "\0" in str(path):
        raise InvalidArgument("store", f"{url!r} names a path with a NUL in it")
    return path


def _unquoted(url: str, rest: str) -> str:
    """What stands behind `file:`, of which every byte is kept: no folder but the one that is named."""
    host = ""
    if rest.startswith("//"):
        host, slash, below = rest[2:].partition("/")
        rest = slash + below
    if host not in ("", "localhost"):
        raise InvalidArgument("store", f"{url!r} names another host; write file:///absolute/path")
    if not rest:
        raise InvalidArgument("store", f"{url!r} names no path")
    return unquote(rest, errors="surrogateescape")
