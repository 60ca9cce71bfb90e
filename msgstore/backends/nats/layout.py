"""The stream and the bucket of a store: found, made, deleted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from msgstore.backends.nats.names import (
    bucket_name,
    bucket_subjects,
    key_prefix,
    new_epoch,
    stream_name,
    subject_prefix,
)
from msgstore.backends.nats.questions import Deadline
from msgstore.backends.nats.wire import Wire
from msgstore.model.clock import format_uuid, uuid7
from msgstore.model.errors import StoreUnavailable, UnsupportedFormat

FORMAT = "1"
_STREAM_NOT_FOUND, _NAME_IN_USE = 10059, 10058
_DUPLICATE_WINDOW_NS = 120 * 10**9
WINDOW_S = 120
"""How long the server itself knows an id."""
_FORMAT_KEY, _ID_KEY, _EPOCH_KEY = "msgstore.format", "msgstore.id", "msgstore.epoch"
_LOSES: dict[str, Any] = {
    "max_age": 0,
    "max_msgs_per_subject": -1,
    "retention": "limits",
    "storage": "file",
    "allow_direct": True,
    "allow_atomic": True,
}
"""What a stream's settings have to be, or messages would be thrown away or could not be saved."""


@dataclass(frozen=True, slots=True)
class Place:
    """One store as it is there now; another epoch is another store."""

    store_id: str
    stream: str
    bucket: str
    subjects: str
    """The beginning of each message's subject."""
    keys: str
    replicas: int

    @property
    def everything(self) -> str:
        return f"{self.subjects}*"


@dataclass(frozen=True, slots=True)
class Size:
    """What the server counts: messages and bytes of the store, and its streams."""

    size_bytes: int
    streams: int


class Layout:
    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._name = wire.address.name
        self._shown = wire.address.shown

    async def find(self, deadline: Deadline) -> Place | None:
        """The store, None where there is none. Raises UnsupportedFormat, StoreUnavailable."""
        info = await self._call(f"STREAM.INFO.{stream_name(self._name)}", None, deadline)
        return None if info is None else self._place_of(info["config"])

    async def size(self, place: Place, deadline: Deadline) -> Size | None:
        info = await self._call(f"STREAM.INFO.{place.stream}", None, deadline)
        bucket = await self._call(f"STREAM.INFO.{place.bucket}", None, deadline)
        if info is None or bucket is None:
            return None
        state = info["state"]
        size_bytes = state["bytes"] + bucket["state"]["bytes"]
        return Size(size_bytes, state.get("num_subjects", 0))

    async def subjects(self, stream: str, pattern: str, deadline: Deadline) -> list[str]:
        """Every subject of a stream or bucket that matches, in no order."""
        subjects: dict[str, None] = {}
        offset = 0
        while True:
            request = {"subjects_filter": pattern, "offset": offset}
            info = await self._call(f"STREAM.INFO.{stream}", request, deadline) or {}
            found = info.get("state", {}).get("subjects") or {}
            subjects |= dict.fromkeys(found)
            offset += len(found)
            if not found or offset >= info.get("total", 0):
                return list(subjects)

    async def make(self, deadline: Deadline) -> Place:
        """Makes the store, or finds the one that another made at the same time."""
        epoch = new_epoch()
        await self._create(self._bucket_config(), deadline)
        await self._create(self._stream_config(epoch), deadline)
        place = await self.find(deadline)
        if place is None:
            raise StoreUnavailable(self._shown, "the store was deleted while it was made")
        return place

    async def delete(self, place: Place, deadline: Deadline) -> None:
        await self._call(f"STREAM.DELETE.{place.stream}", None, deadline)
        await self._call(f"STREAM.DELETE.{place.bucket}", None, deadline)

    # ------------------------------------------------------------ settings

    def _common(self) -> dict[str, Any]:
        return {
            "retention": "limits",
            "storage": "file",
            "discard": "new",
            "num_replicas": self._wire.address.replicas,
            "allow_direct": True,
            "allow_atomic": True,
            "deny_delete": True,
        }

    def _stream_config(self, epoch: str) -> dict[str, Any]:
        return self._common() | {
            "name": stream_name(self._name),
            "description": "a msgstore: see the project's docs/backends.md",
            "subjects": [f"{subject_prefix(self._name, epoch)}*"],
            "duplicate_window": _DUPLICATE_WINDOW_NS,
            "deny_purge": True,
            "metadata": {
                _FORMAT_KEY: FORMAT,
                _ID_KEY: format_uuid(uuid7()),
                _EPOCH_KEY: epoch,
            },
        }

    def _bucket_config(self) -> dict[str, Any]:
        return self._common() | {
            "name": bucket_name(self._name),
            "subjects": [bucket_subjects(self._name)],
            "max_msgs_per_subject": 1,
            "allow_rollup_hdrs": True,
            "metadata": {_FORMAT_KEY: FORMAT},
        }

    def _place_of(self, config: dict[str, Any]) -> Place:
        facts = config.get("metadata") or {}
        if _FORMAT_KEY not in facts:
            reason = f"the stream {config['name']} was not made by msgstore"
            raise UnsupportedFormat(self._shown, reason)
        if facts[_FORMAT_KEY] != FORMAT:
            reason = f"format {facts[_FORMAT_KEY]}; this msgstore reads format {FORMAT}"
            raise UnsupportedFormat(self._shown, reason)
        for setting, needed in _LOSES.items():
            # What is off is left out of the answer.
            if (found := config.get(setting, False if needed is True else needed)) != needed:
                reason = f"{config['name']} has {setting} {found!r} where it must be {needed!r}"
                raise UnsupportedFormat(self._shown, reason)
        epoch = facts[_EPOCH_KEY]
        return Place(
            facts[_ID_KEY],
            config["name"],
            bucket_name(self._name),
            subject_prefix(self._name, epoch),
            key_prefix(self._name, epoch),
            config["num_replicas"],
        )

    # ------------------------------------------------------------ the server's interface

    async def _create(self, config: dict[str, Any], deadline: Deadline) -> None:
        answer = await self._wire.ask(f"$JS.API.STREAM.CREATE.{config['name']}", config, deadline)
        error = answer.get("error")
        if error and error["err_code"] != _NAME_IN_USE:
            raise _unavailable(self._shown, error)

    async def _call(
        self, subject: str, request: dict[str, Any] | None, deadline: Deadline
    ) -> dict[str, Any] | None:
        """The answer, None where there is no such stream."""
        answer = await self._wire.ask(f"$JS.API.{subject}", request, deadline)
        if error := answer.get("error"):
            if error["err_code"] == _STREAM_NOT_FOUND:
                return None
            raise _unavailable(self._shown, error)
        return answer


def _unavailable(shown: str, error: dict[str, Any]) -> StoreUnavailable:
    return StoreUnavailable(shown, f"{error['description']} (JetStream error {error['err_code']})")
