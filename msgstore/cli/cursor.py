"""A cursor file: how far a reader has come in a store, and proof that it is still the same history."""

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import orjson

from msgstore.cli.errors import BadUsage
from msgstore.model.errors import StoreUnavailable

if TYPE_CHECKING:
    from msgstore.backends.protocol import LocalMessageStore


@runtime_checkable
class Identified(Protocol):
    """A store that can say which one it is, and which message stands where."""

    @property
    def store_id(self) -> str: ...

    def fingerprint(self, position: int) -> str | None: ...


class Cursor:
    """The last position that was dealt with, kept in a file: 0 is before the first message.

    `{"store": uuid, "position": n, "fingerprint": hex}`
    """

    def __init__(self, path: str, store: "LocalMessageStore") -> None:
        if not path:
            raise BadUsage("--cursor-file: the name is empty", "--cursor-file seen.json")
        if not isinstance(store, Identified):
            raise BadUsage("--cursor-file: this store keeps no identity", "use a store on disk")
        self._path = path
        self._store: Identified = store

    def load(self) -> int | None:
        """The position that was kept, or None where there is no file yet.

        Raises BadUsage where the file is no cursor, or the store's history is not what it was.
        """
        try:
            with open(self._path, "rb") as file:
                kept = orjson.loads(file.read(4096))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreUnavailable(self._path, error.strerror or "cannot be read") from None
        except orjson.JSONDecodeError:
            kept = None
        return self._check(kept)

    def keep(self, position: int) -> None:
        """On return the file holds `position`; it held the one before until then."""
        kept = {
            "store": self._store.store_id,
            "position": position,
            "fingerprint": self._fingerprint(position),
        }
        # A name that nobody can guess, and O_EXCL: the folder may be one that others write to.
        temporary = f"{self._path}.{os.urandom(8).hex()}.tmp"
        try:
            with open(temporary, "xb") as file:
                file.write(orjson.dumps(kept, option=orjson.OPT_APPEND_NEWLINE))
            os.replace(temporary, self._path)
        except OSError as error:
            with suppress(OSError):
                os.unlink(temporary)
            raise StoreUnavailable(self._path, error.strerror or "cannot be written") from None

    def _fingerprint(self, position: int) -> str | None:
        return self._store.fingerprint(position) if position else None

    def _check(self, kept: Any) -> int:
        over = f"delete {self._path} to start over"
        position = kept.get("position") if isinstance(kept, dict) else None
        if type(position) is not int or position < 0:
            raise BadUsage(f"--cursor-file: {self._path} is not a cursor file", over)
        if kept.get("store") != self._store.store_id:
            raise BadUsage(f"--cursor-file: {self._path} belongs to another store", over)
        proof = kept.get("fingerprint")
        if proof != self._fingerprint(position) or (position and proof is None):
            reason = f"the history was replaced: position {position} is not what it was"
            raise BadUsage(f"--cursor-file: {reason}", over)
        return position
