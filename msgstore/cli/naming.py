"""Sessions as people name them: `last`, `last~2`, or the beginning of an id."""

import re
from typing import TYPE_CHECKING

from msgstore.cli.errors import BadUsage
from msgstore.model.errors import SessionNotFound

if TYPE_CHECKING:
    from msgstore.backends.protocol import LocalMessageStore

_LAST = r"last(?:~(\d{1,9}))?"
_CANDIDATES_MAX = 5


def resolve_session(store: "LocalMessageStore", text: str) -> str:
    """The id of the session that `text` names.

    An id in full; `last`, `last~1` … counting back from the one started last; or what only one id
    begins with. Raises BadUsage where there is no such session or more than one.
    """
    if not text:
        raise BadUsage("the session's id is empty", "`msgstore sessions` lists them")
    try:
        return store.get_session_info(text).session_id
    except SessionNotFound:
        known = [session.session_id for session in store.get_sessions()]
    if match := re.fullmatch(_LAST, text):
        return _from_the_end(known, int(match[1] or 0))
    found = [session_id for session_id in known if session_id.startswith(text)]
    if not found:
        raise SessionNotFound(text)
    if len(found) > 1:
        raise BadUsage(f"{len(found)} sessions begin with {text!r}", _list(found))
    return found[0]


def _from_the_end(known: list[str], steps: int) -> str:
    if steps >= len(known):
        count = f"only {len(known)}" if known else "no"
        text = f"last~{steps}" if steps else "last"
        raise BadUsage(f"{text}: the store has {count} sessions", "`msgstore sessions` lists them")
    return known[-1 - steps]


def _list(found: list[str]) -> str:
    shown = ", ".join(found[:_CANDIDATES_MAX])
    return shown + (" … (`msgstore sessions` lists all)" if len(found) > _CANDIDATES_MAX else "")
