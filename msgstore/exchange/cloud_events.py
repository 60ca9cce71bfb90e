"""A stored message as a CloudEvents 1.0 event in JSON, and back.

What has no attribute of its own in the specification is in extensions: `correlationid` and
`causationid` as its documented extension has them, all else under names that begin with `msgstore`.
Extensions take texts, and integers of 32 bits only; therefore positions are texts.
"""

from __future__ import annotations

import json

from msgstore.model.clock import format_time
from msgstore.model.errors import InvalidMessage
from msgstore.model.message import Message, PositionalMessage, parse_timestamp, to_message_type
from msgstore.model.saving import SaveRequest
from msgstore.model.values import Json, check_text

SPEC_VERSION = "1.0"
ANONYMOUS_SOURCE = "urn:msgstore"
"""The source of events of a store that has no identity."""

_POSITION, _REVISION = "msgstoreposition", "msgstorerevision"
_KIND, _SESSION, _REQUEST_ID = "msgstorekind", "msgstoresession", "msgstorerequestid"
_RECORDED, _METADATA = "msgstorerecorded", "msgstoremetadata"
_KNOWN = {
    *("specversion", "id", "source", "type", "subject", "time", "data", "datacontenttype"),
    *("correlationid", "causationid", _REQUEST_ID, _KIND, _METADATA),
    *(_POSITION, _REVISION, _SESSION, _RECORDED),
}


def event_of(stored: PositionalMessage, source: str) -> dict[str, Json]:
    """`time` is the producer's own, or else when the store recorded it; with the former, the latter
    stands in `msgstorerecorded`."""
    message = stored.message
    recorded = format_time(stored.timestamp)
    event: dict[str, Json] = {
        "specversion": SPEC_VERSION,
        "id": message.id,
        "source": source,
        "type": message.type,
        "subject": stored.stream_id,
        "time": recorded if message.timestamp is None else format_time(message.timestamp),
        "datacontenttype": "application/json",
        _KIND: stored.message_type.value,
        _POSITION: str(stored.position),
        _REVISION: str(stored.revision),
        _SESSION: stored.session_id,
    }
    optional = {
        "correlationid": message.correlation_id,
        "causationid": message.causation_id,
        _REQUEST_ID: message.request_id,
        _RECORDED: None if message.timestamp is None else recorded,
        # ASCII: an attribute may hold no control characters, which JSON escapes only in part.
        _METADATA: None if message.metadata is None else json.dumps(message.metadata),
    }
    event |= {name: value for name, value in optional.items() if value is not None}
    return event | {"data": message.data}


def request_of_event(event: dict[str, Json]) -> SaveRequest:
    """The save of an event, of msgstore's or of anybody's. Raises InvalidMessage.

    An event from elsewhere goes to the stream that its subject names, or else its source; its time is
    the producer's, and what msgstore has no field for is kept in the metadata.
    """
    if event.get("specversion") != SPEC_VERSION:
        raise InvalidMessage("specversion", "is not '1.0'")
    for name in ("id", "source", "type"):
        check_text(event.get(name), name)
    if "data_base64" in event:
        raise InvalidMessage("data_base64", "bytes are no JSON value")
    is_own = _POSITION in event
    time = event.get("time")
    if is_own and _RECORDED not in event:
        time = None
    message = Message(
        event["type"],
        event.get("data"),
        id=event["id"],
        request_id=event.get(_REQUEST_ID),
        correlation_id=event.get("correlationid"),
        causation_id=event.get("causationid"),
        timestamp=None if time is None else parse_timestamp(time, "time"),
        metadata=_metadata_of(event, is_own),
    )
    subject = event.get("subject")
    stream_id = event["source"] if subject is None else subject
    kind = to_message_type(event.get(_KIND), _KIND)
    return SaveRequest(check_text(stream_id, "subject"), (message,), message_type=kind)


def place_in_event(event: dict[str, Json]) -> tuple[Json, Json]:
    """Position and revision as they stand in it."""
    return event.get(_POSITION), event.get(_REVISION)


def _metadata_of(event: dict[str, Json], is_own: bool) -> Json:
    text = event.get(_METADATA)
    if is_own or text is not None:
        return None if text is None else _read_metadata(text)
    rest = {name: value for name, value in event.items() if name not in _KNOWN}
    content_type = event.get("datacontenttype")
    if content_type not in (None, "application/json"):
        rest["datacontenttype"] = content_type
    return {"cloudevent": {"source": event["source"], **rest}}


def _read_metadata(text: Json) -> Json:
    if not isinstance(text, str):
        raise InvalidMessage(_METADATA, "is no JSON text")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidMessage(_METADATA, "is no JSON text") from None
