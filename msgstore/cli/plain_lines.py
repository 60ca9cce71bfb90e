"""The fast way of `save -`: lines that only say what to store become drafts.

It gives an answer to a whole batch or to none of it, and never an error: what it does not know for
certain to be right is read again the slow way, which has the words for what is wrong.
"""

from collections.abc import Sequence
from typing import Any

import orjson

from msgstore.cli.json_input import has_long_number
from msgstore.model.clock import to_us
from msgstore.model.draft import Draft
from msgstore.model.errors import MsgStoreError
from msgstore.model.message import parse_timestamp
from msgstore.model.values import MESSAGE_BYTES_MAX, NESTING_MAX, Json, check_text

# No JSON becomes three times as long as msgpack: the worst is a list of `1.0`, 9 bytes for 4.
_LINE_BYTES_MAX = MESSAGE_BYTES_MAX // 4
_KNOWN_MAX = 65_536


class PlainLines:
    """Reads the batches of one input; remembers which stream ids and types it has found good."""

    def __init__(self, stream_id: str | None) -> None:
        self._stream_id = stream_id
        self._good: set[Any] = set()

    def read(self, lines: Sequence[bytes]) -> list[Draft] | None:
        """A draft for each line that is not empty; None where a line is anything but plain."""
        if has_long_number(b"\n".join(lines)):
            return None
        if len(self._good) > _KNOWN_MAX:
            self._good.clear()
        try:
            return self._read(lines)
        except (orjson.JSONDecodeError, MsgStoreError):
            return None

    def _read(self, lines: Sequence[bytes]) -> list[Draft] | None:
        """Raises where a line is not JSON, or a part of it cannot be stored.

        What orjson gives back is JSON in valid Unicode without infinities, and with no number beyond
        64 bits where the input has no long one. What is left to ask is how deep it is: no deeper than
        it has brackets. In one piece, for every call in here is made for every line.
        """
        drafts: list[Draft] = []
        add, loads, good, own_stream = drafts.append, orjson.loads, self._good, self._stream_id
        last_correlation_id = None
        for line in filter(None, lines):
            if line.count(b"{") + line.count(b"[") > NESTING_MAX or len(line) > _LINE_BYTES_MAX:
                return None
            fields = loads(line)
            if fields.__class__ is not dict:
                return None
            take = fields.pop
            stream_id = take("streamId", None)
            if own_stream is not None:
                stream_id = own_stream
            type_ = take("type", None)
            data = take("data", None)
            request_id = take("requestId", None)
            correlation_id = take("correlationId", None)
            causation_id = time_us = metadata = None
            if fields:
                causation_id, time_us, metadata = _take_rest(fields)
                if fields:  # an id, an expectation, a stored message, or a mistake
                    return None
            if stream_id.__class__ is not str or stream_id not in good:
                good.add(check_text(stream_id, "streamId"))
            if type_.__class__ is not str or type_ not in good:
                good.add(check_text(type_, "type"))
            if request_id is not None:
                check_text(request_id, "request_id")
            if correlation_id is not None and correlation_id != last_correlation_id:
                last_correlation_id = check_text(correlation_id, "correlation_id")
            if data is None:
                data = {}
            add(
                (
                    stream_id,
                    type_,
                    data,
                    request_id,
                    correlation_id,
                    causation_id,
                    time_us,
                    metadata,
                )
            )
        return drafts


def _take_rest(fields: dict[str, Json]) -> tuple[str | None, int | None, Json]:
    """Causation id, time and metadata, of which most lines have none."""
    causation_id, timestamp = fields.pop("causationId", None), fields.pop("timestamp", None)
    if causation_id is not None:
        check_text(causation_id, "causation_id")
    time_us = None if timestamp is None else to_us(parse_timestamp(timestamp, "timestamp"))
    return causation_id, time_us, fields.pop("metadata", None)
