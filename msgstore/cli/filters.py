"""From flags to a MessageFilter."""

import warnings
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgstore.cli.errors import BadUsage
from msgstore.cli.naming import resolve_session
from msgstore.model.errors import InvalidFilter
from msgstore.model.filter import MessageFilter
from msgstore.model.message import NO_SESSION
from msgstore.model.values import Json

if TYPE_CHECKING:
    from msgstore.backends.protocol import LocalMessageStore

_FLAGS = {
    "message_id": "--id",
    "message_names": "--type",
    "message_type": "--kind",
    "stream_id": "--stream",
    "stream_pattern": "--stream",
    "session_id": "--session",
    "json_filter": "--json",
}
_JSON_HINT = """--json '{"orderId": "ord-1"}'"""
_HINTS = {
    "--json": _JSON_HINT,
    "--where": "--where 'total>=100', 'name~^Al', 'note?'",
    "--stream": "--stream 'orders-*', or the id of one stream",
}


def build_filter(
    store: "LocalMessageStore",
    *,
    session_id: str | None,
    from_timestamp: str | None,
    to_timestamp: str | None,
    json_filter: str | None,
    **parts: Any,
) -> MessageFilter:
    """The other parts go to MessageFilter as they are. Raises BadUsage, which names the flag."""
    parts |= {
        "session_id": _session(store, session_id),
        "from_timestamp": _time(from_timestamp, "--since"),
        "to_timestamp": _time(to_timestamp, "--until"),
        "json_filter": _json(json_filter),
    }
    try:
        with warnings.catch_warnings():
            # `re` warns programmers of patterns that may mean another thing one day.
            warnings.simplefilter("ignore")
            return MessageFilter(**parts)
    except InvalidFilter as error:
        flag = _FLAGS.get(error.field, f"--{error.field.replace('_', '-')}")
        reason = error.reason.removeprefix(f"{error.field}: ")
        raise BadUsage(f"{flag}: {reason}", _HINTS.get(flag, error.advice)) from None


def _session(store: "LocalMessageStore", text: str | None) -> str | None:
    return text if text in (None, NO_SESSION) else resolve_session(store, str(text))


def _time(text: str | None, flag: str) -> datetime | None:
    from msgstore.cli.times import parse_time

    return None if text is None else parse_time(text, flag)


def _json(text: str | None) -> Json:
    from msgstore.cli.json_input import NotJson, read_json

    if text is None:
        return None
    try:
        value = read_json(text.encode("utf-8", "surrogateescape"))
    except NotJson as error:
        raise BadUsage(f"--json: {error.reason}", _JSON_HINT) from None
    if not isinstance(value, dict):
        raise BadUsage("--json: not an object", _JSON_HINT)
    return value
