"""What a store answers: facts about streams, sessions and the whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from msgstore.model.clock import format_time
from msgstore.model.values import Json


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """One stream: `revision` is its last one (0-based); times are those of the store, UTC."""

    stream_id: str
    revision: int
    message_count: int
    first_position: int
    last_position: int
    created_at: datetime
    last_updated: datetime

    def to_json(self) -> dict[str, Json]:
        return {
            "streamId": self.stream_id,
            "revision": self.revision,
            "messageCount": self.message_count,
            "firstPosition": self.first_position,
            "lastPosition": self.last_position,
            "createdAt": format_time(self.created_at),
            "lastUpdated": format_time(self.last_updated),
        }


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """One recorded run. `ended_at` and `status` are None while it is open.

    `last_activity` is the time of its last message, or of its start while it has none.
    """

    session_id: str
    name: str | None
    labels: Mapping[str, str] = field(hash=False)
    started_at: datetime
    ended_at: datetime | None
    status: str | None
    message_count: int
    command_count: int
    event_count: int
    last_activity: datetime

    def to_json(self) -> dict[str, Json]:
        out: dict[str, Json] = {"sessionId": self.session_id}
        if self.name is not None:
            out["name"] = self.name
        if self.labels:
            out["labels"] = dict(self.labels)
        out["startedAt"] = format_time(self.started_at)
        if self.ended_at is not None:
            out["endedAt"] = format_time(self.ended_at)
        if self.status is not None:
            out["status"] = self.status
        out["messageCount"] = self.message_count
        out["commandCount"] = self.command_count
        out["eventCount"] = self.event_count
        out["lastActivity"] = format_time(self.last_activity)
        return out


@dataclass(frozen=True, slots=True)
class StoreStats:
    """Totals over the whole store. Times are None while it is empty.

    `disk_bytes` is given by stores on disk (apparent sizes), `memory_bytes` by stores in memory.
    """

    total_messages: int
    total_commands: int
    total_events: int
    total_streams: int
    total_sessions: int
    oldest_message: datetime | None
    newest_message: datetime | None
    disk_bytes: int | None = None
    memory_bytes: int | None = None

    def to_json(self) -> dict[str, Json]:
        out: dict[str, Json] = {
            "totalMessages": self.total_messages,
            "totalCommands": self.total_commands,
            "totalEvents": self.total_events,
            "totalStreams": self.total_streams,
            "totalSessions": self.total_sessions,
        }
        if self.oldest_message is not None and self.newest_message is not None:
            out["oldestMessage"] = format_time(self.oldest_message)
            out["newestMessage"] = format_time(self.newest_message)
        if self.disk_bytes is not None:
            out["diskBytes"] = self.disk_bytes
        if self.memory_bytes is not None:
            out["memoryBytes"] = self.memory_bytes
        return out


@dataclass(frozen=True, slots=True)
class BackupResult:
    """What `backup_store` or `restore_store` came to: the store at `path` now ends at `position`.

    `messages` and `bytes` are what this run copied. `verified` is `copied`, or `all`: how much of
    the store at `path` was read back and checked.
    """

    path: str
    position: int
    messages: int
    bytes: int
    verified: str

    def to_json(self) -> dict[str, Json]:
        return {
            "path": self.path,
            "position": self.position,
            "messages": self.messages,
            "bytes": self.bytes,
            "verified": self.verified,
        }


@dataclass(frozen=True, slots=True)
class Finding:
    """One damaged place that `verify` found; None where the fact is not known."""

    path: str
    offset: int
    reason: str
    stream_id: str | None = None
    revision: int | None = None
    position: int | None = None

    def to_json(self) -> dict[str, Json]:
        facts = {
            "path": self.path,
            "offset": self.offset,
            "reason": self.reason,
            "streamId": self.stream_id,
            "revision": self.revision,
            "position": self.position,
        }
        return {name: fact for name, fact in facts.items() if fact is not None}


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What `verify` looked at, and what it found. `notes` are facts that are not damage."""

    messages: int
    streams: int
    sessions: int
    bytes_checked: int
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Json]:
        return {
            "messages": self.messages,
            "streams": self.streams,
            "sessions": self.sessions,
            "bytesChecked": self.bytes_checked,
            "findings": [finding.to_json() for finding in self.findings],
            "notes": list(self.notes),
        }
