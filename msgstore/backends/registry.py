"""Which backend a store's URL means.

Those that come with msgstore are named here; others are found by the entry points of the group
`msgstore.backends`, whose names are schemes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from msgstore.model.errors import InvalidArgument

if TYPE_CHECKING:
    from msgstore.backends.protocol import LocalMessageStore

PACK_SUFFIX = ".msgpack"
DEFAULT_STORE = "./.msgstore"
ENTRY_POINTS = "msgstore.backends"
"""The group of a distribution's entry points that names its backends, one a scheme."""
_SCHEME = r"([A-Za-z][A-Za-z0-9+.-]+):"
_NATS_SCHEMES = ("nats", "tls")


def open_store(url: str | None = None, **options: Any) -> LocalMessageStore:
    """The store that `url` names; None: the environment's.

    A path or `file:PATH`, `memory:`, `nats://…/NAME` or `tls://…/NAME`, or the URL of a backend that
    another distribution brings. `options` go to the backend: `durability`, `lock_timeout_s` and
    `create` for files. What the
    environment says of saves (session, correlation id, trace) they are stamped with, where they do
    not say it themselves. Raises InvalidArgument for a scheme that nobody serves, InvalidText for a
    correlation id that is none, and what the backend raises.

    A path that ends with `.msgpack` and names a file is a pack, which can only be read.
    """
    from msgstore.backends.base import LocalSessions

    environment = os.environ
    store = open_url(environment_url(environment) if url is None else url, **options)
    if not isinstance(store, LocalSessions):
        return store  # a pack, to which nothing is saved
    try:
        if environment.get("MSGSTORE_CORRELATION_ID") or environment.get("TRACEPARENT"):
            from msgstore.model.context import SaveContext

            saver: Any = store
            saver.use_context(SaveContext.of(environment))
        if session_id := environment.get("MSGSTORE_SESSION"):
            _take_session(store, session_id, url is None or is_same_store(url, environment))
    except BaseException:  # whatever it is, nobody else could close the store
        store.close()
        raise
    return store


def open_url(url: str, **options: Any) -> LocalMessageStore:
    """As `open_store`, whatever the environment says of saves."""
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
    if scheme in _NATS_SCHEMES:
        return _open_nats(url, options)
    return _backend_of(scheme)(url, **options)


def _open_nats(url: str, options: dict[str, Any]) -> LocalMessageStore:
    try:
        from msgstore.backends.nats.store import NatsMessageStore
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("nats", "nkeys"):
            raise
        from msgstore.model.errors import BackendMissing

        raise BackendMissing(url.partition(":")[0], "its client is not installed") from None
    return NatsMessageStore(url, **options)


def _backend_of(scheme: str) -> Callable[..., LocalMessageStore]:
    """What opens URLs of a scheme: called with the URL and the options. Raises InvalidArgument."""
    from importlib.metadata import entry_points

    found = list(entry_points(group=ENTRY_POINTS, name=scheme))
    if not found:
        raise InvalidArgument(
            "store", f"no backend serves {scheme}: URLs; use a path, file:, memory: or nats:"
        )
    if len({point.value for point in found}) > 1:
        values = ", ".join(sorted({point.value for point in found}))
        raise InvalidArgument("store", f"more than one backend serves {scheme}: URLs: {values}")
    opener: Callable[..., LocalMessageStore] = found[0].load()
    return opener


def environment_url(environment: Mapping[str, str]) -> str:
    return environment.get("MSGSTORE_STORE") or DEFAULT_STORE


def is_same_store(url: str, environment: Mapping[str, str]) -> bool:
    """Whether MSGSTORE_SESSION is of the store that `url` names: not where MSGSTORE_STORE names another."""
    named = environment.get("MSGSTORE_STORE")
    if not named:
        return True
    here, there = path_of(url), path_of(named)
    if here is None or there is None:
        return url == named and is_elsewhere(url)
    return os.path.abspath(here) == os.path.abspath(there)


def _take_session(store: Any, session_id: str, is_its_own: bool) -> None:
    """Makes it the current session; one that another store keeps is passed over."""
    from msgstore.model.errors import SessionEnded, SessionNotFound
    from msgstore.model.message import NO_SESSION

    if session_id == NO_SESSION:
        return
    if is_its_own and hasattr(store, "expect_session"):
        store.expect_session(session_id)
        return
    with suppress(SessionNotFound, SessionEnded):
        store.use_session(session_id)


def store_path(url: str) -> str:
    """The folder that `url` names, a path or `file:PATH`. Raises InvalidArgument for any other."""
    path = path_of(url)
    if path is None:
        raise InvalidArgument("store", f"{url!r} is no folder; use a path, or file:")
    return path


def path_of(url: str) -> str | None:
    """The folder of the store that `url` names, None if it is no store on disk."""
    return _path_in(url) if _scheme_of(url) == "file" else None


def is_elsewhere(url: str) -> bool:
    """Whether the store is neither on this machine's disk nor in this process: its URL will do."""
    return _scheme_of(url) not in ("file", "memory")


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
