"""The kinds of record that commands print, and the fields that `--fields` can name in them."""

from typing import NamedTuple, Protocol

from msgstore.cli.errors import BadUsage
from msgstore.model.values import MISSING, Json, look_up


class Record(Protocol):
    """What commands print: messages, results of saves, streams, sessions, totals, reports."""

    def to_json(self) -> dict[str, Json]: ...


class Shape(NamedTuple):
    """`paths` are all places in the JSON of such a record, in the order of CSV columns."""

    name: str
    paths: tuple[str, ...]


MESSAGE = Shape(
    "message",
    (
        "position",
        "timestamp",
        "streamId",
        "revision",
        "messageType",
        "message.type",
        "message.data",
        "message.id",
        "message.requestId",
        "message.correlationId",
        "message.causationId",
        "message.timestamp",
        "message.metadata",
        "sessionId",
    ),
)
STUCK = Shape("stuck command", ("ageMs", *MESSAGE.paths))
SAVED = Shape(
    "saved",
    (
        "streamId",
        "firstRevision",
        "lastRevision",
        "firstPosition",
        "lastPosition",
        "count",
        "duplicate",
    ),
)
STREAM = Shape(
    "stream",
    (
        "streamId",
        "revision",
        "messageCount",
        "firstPosition",
        "lastPosition",
        "createdAt",
        "lastUpdated",
    ),
)
SESSION = Shape(
    "session",
    (
        "sessionId",
        "name",
        "labels",
        "startedAt",
        "endedAt",
        "status",
        "messageCount",
        "commandCount",
        "eventCount",
        "lastActivity",
        "active",
    ),
)
STATS = Shape(
    "stats",
    (
        "totalMessages",
        "totalCommands",
        "totalEvents",
        "totalStreams",
        "totalSessions",
        "oldestMessage",
        "newestMessage",
        "diskBytes",
        "memoryBytes",
    ),
)
COPIED = Shape("copy", ("path", "position", "messages", "bytes", "verified"))
EXPORTED = Shape("export", ("path", "format", "messages", "bytes"))
REPORTED = Shape("report", ("path", "messages", "leftOut", "dataLeftOut", "bytes"))
IMPORTED = Shape(
    "import",
    (
        "format",
        "messages",
        "duplicates",
        "placesKept",
        "firstPosition",
        "lastPosition",
        "dryRun",
    ),
)
STORE_COPY = Shape(
    "copy",
    (
        "source",
        "target",
        "messages",
        "duplicates",
        "missing",
        "different",
        "outOfOrder",
        "revisionsKept",
        "positionsKept",
        "sessions",
        "firstPosition",
        "lastPosition",
        "checksum",
        "dryRun",
    ),
)
DUMP = Shape("dump", ("what", "path", "offset", "length", "problems", "fields"))
REPORT = Shape("report", ("messages", "streams", "sessions", "bytesChecked", "findings", "notes"))
REPAIR = Shape(
    "repair",
    (
        "messages",
        "damage",
        "lost",
        "lostCount",
        "rebuilt",
        "quarantine",
        "applied",
        "notes",
    ),
)
TRACED = Shape(
    "traced message",
    (
        *MESSAGE.paths,
        "trace.depth",
        "trace.parent",
        "trace.link",
        "trace.offsetMs",
        "trace.gapMs",
        "trace.slowest",
        "trace.orphan",
        "trace.cycle",
        "trace.start",
    ),
)
LANE = Shape("lane", ("streamId", "count", "messages"))
DIFFERENCE = Shape("difference", ("change", "type", "streamId", "under", "a", "b", "fields"))
LATENCY = Shape(
    "latency",
    (
        "from",
        "to",
        "count",
        "minMs",
        "p50Ms",
        "p90Ms",
        "p95Ms",
        "p99Ms",
        "maxMs",
        "meanMs",
        "slowest",
        "unmatchedFrom",
        "unmatchedTo",
        "uncorrelated",
        "untimed",
        "histogram",
    ),
)


def count_shape(group: str) -> Shape:
    """Counts by `group`: `{"type": "OrderPlaced", "count": 3}`."""
    return Shape("count", (group, "count"))


class Picker:
    """Cuts the JSON of records down to the fields that were asked for; absent ones are left out."""

    def __init__(self, fields: str, shape: Shape) -> None:
        self.paths = tuple(field.strip() for field in fields.split(","))
        self._places = {path: _place(path, shape) for path in self.paths}

    def __call__(self, json: dict[str, Json]) -> dict[str, Json]:
        found = {path: look_at(json, place) for path, place in self._places.items()}
        return {path: value for path, value in found.items() if value is not MISSING}


def look_at(json: dict[str, Json], place: str) -> Json:
    """The value at a path of a record, or MISSING. Below data a literal key with dots goes first."""
    for payload in ("data", "metadata"):
        prefix = f"message.{payload}."
        if place.startswith(prefix):
            return look_up(json["message"].get(payload), place[len(prefix) :])
    return look_up(json, place)


def _place(path: str, shape: Shape) -> str:
    """The full path: `type` and `data.total` are short for `message.type`, `message.data.total`."""
    roots = {known.partition(".")[0] for known in shape.paths}
    first = path.partition(".")[0]
    if first in roots:
        return path
    if f"message.{first}" in shape.paths:
        return f"message.{path}"
    raise BadUsage(
        f"--fields: {path!r} is no field of a {shape.name}", f"any of {', '.join(shape.paths)}"
    )
