"""The messages by which `msgstore run` puts a run on record, and what in them is of that run alone."""

from __future__ import annotations

from msgstore.model.message import Message
from msgstore.model.values import Json

RUN, RUN_ENDED = "msgstore.Run", "msgstore.RunEnded"
_OF_ONE_RUN = {RUN: "parentSession", RUN_ENDED: "durationMs"}
TRACEPARENT = "traceparent"
"""The key of a trace's context in the metadata. CloudEvents calls it so too."""


def lasting_data(message: Message) -> Json:
    """Its data without what differs from one run to the next, as far as msgstore wrote it itself."""
    key, data = _OF_ONE_RUN.get(message.type), message.data
    if key is None or not isinstance(data, dict):
        return data
    return {name: value for name, value in data.items() if name != key}


def lasting_metadata(message: Message) -> Json:
    """Its metadata, without the context of a trace; None where nothing else is in it."""
    metadata = message.metadata
    if not isinstance(metadata, dict) or TRACEPARENT not in metadata:
        return metadata
    return {name: value for name, value in metadata.items() if name != TRACEPARENT} or None
