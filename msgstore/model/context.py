"""What the surroundings of a program say of all that it saves: a correlation id, a trace."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from msgstore.model.draft import Draft
from msgstore.model.message import Message, restore_message
from msgstore.model.run_messages import TRACEPARENT
from msgstore.model.saving import SaveRequest
from msgstore.model.values import Json, check_text

# version "-" trace-id "-" parent-id "-" flags; a later version may go on behind another dash.
_TRACEPARENT = r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-[!-~]*)?"
_TRACEPARENT_CHARACTERS_MAX = 512


@dataclass(frozen=True, slots=True)
class SaveContext:
    """Fills in what a message does not say itself; what it says is never changed.

    `traceparent` goes into the metadata where that is an object or absent.
    """

    correlation_id: str | None = None
    traceparent: str | None = None

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> SaveContext | None:
        """What MSGSTORE_CORRELATION_ID and TRACEPARENT say; None where they say nothing.

        Raises InvalidText for a correlation id that is none. A TRACEPARENT that is not well-formed
        counts as none, as the W3C's recommendation has it.
        """
        correlation_id = environment.get("MSGSTORE_CORRELATION_ID") or None
        if correlation_id is not None:
            check_text(correlation_id, "MSGSTORE_CORRELATION_ID")
        traceparent = environment.get("TRACEPARENT") or None
        if traceparent is not None and not is_traceparent(traceparent):
            traceparent = None
        return cls(correlation_id, traceparent) if correlation_id or traceparent else None

    def fill(self, message: Message) -> Message:
        m = message
        return restore_message(
            m.type,
            m.data,
            m.id,
            m.request_id,
            m.correlation_id if m.correlation_id is not None else self.correlation_id,
            m.causation_id,
            m.timestamp,
            self._metadata(m.metadata),
        )

    def fill_requests(self, requests: Sequence[SaveRequest]) -> list[SaveRequest]:
        return [
            replace(request, messages=tuple(self.fill(m) for m in request.messages))
            for request in requests
        ]

    def fill_line(self, value: Json, stream_id: str | None = None) -> SaveRequest:
        """As `SaveRequest.from_json`; a stored message, as `query` prints it, is left as it was."""
        request = SaveRequest.from_json(value, stream_id)
        is_stored = isinstance(value.get("message"), dict)
        return request if is_stored else self.fill_requests([request])[0]

    def fill_draft(self, draft: Draft) -> Draft:
        stream_id, type_, data, request_id, correlation_id, causation_id, time_us, metadata = draft
        if correlation_id is None:
            correlation_id = self.correlation_id
        metadata = self._metadata(metadata)
        return stream_id, type_, data, request_id, correlation_id, causation_id, time_us, metadata

    def _metadata(self, metadata: Json) -> Json:
        if self.traceparent is None:
            return metadata
        if metadata is None:
            return {TRACEPARENT: self.traceparent}
        if isinstance(metadata, dict) and TRACEPARENT not in metadata:
            return metadata | {TRACEPARENT: self.traceparent}
        return metadata


def is_traceparent(text: str) -> bool:
    """Whether it is well-formed by the W3C's Trace Context, section 3.2; also of a later version."""
    if len(text) > _TRACEPARENT_CHARACTERS_MAX:
        return False
    match = re.fullmatch(_TRACEPARENT, text)
    if match is None:
        return False
    version, trace_id, parent_id, more = match.groups()
    if version == "ff" or not trace_id.strip("0") or not parent_id.strip("0"):
        return False
    return more is None or version != "00"
