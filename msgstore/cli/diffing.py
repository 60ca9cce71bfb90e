"""What `diff` does: read two sessions, compare them, print what differs."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from msgstore.analysis.changes import Ignored
from msgstore.analysis.comparison import FIELDS, Comparison, compare
from msgstore.cli.errors import BadUsage
from msgstore.cli.naming import resolve_session
from msgstore.cli.output import check_message, records_output
from msgstore.cli.settings import Settings
from msgstore.cli.shapes import DIFFERENCE
from msgstore.cli.tally import counted
from msgstore.model.errors import InvalidArgument

if TYPE_CHECKING:
    from msgstore.backends.protocol import LocalMessageStore
    from msgstore.model.filter import MessageFilter
    from msgstore.model.message import PositionalMessage

_HINT = "--ignore data.at, 'data.items.*.id', metadata, streamId"


def to_ignored(patterns: Sequence[str]) -> Ignored:
    """Raises BadUsage for what can be no path of a message: it would ignore nothing, in silence."""
    for pattern in patterns:
        first = pattern.partition(".")[0]
        if first not in FIELDS and not set("*?[") & set(first):
            known = ", ".join(FIELDS)
            raise BadUsage(f"--ignore: {pattern!r} does not begin with one of {known}", _HINT)
    try:
        return Ignored(patterns)
    except InvalidArgument as error:
        raise BadUsage(f"--ignore: {error.problem}", _HINT) from None


def compare_sessions(
    store: "LocalMessageStore", a: str, b: str, filter: "MessageFilter", ignored: Ignored
) -> Comparison:
    if filter.session_id is not None:
        raise BadUsage("--session: diff compares two of them", "give both as arguments")

    def read(session_id: str) -> "Iterator[PositionalMessage]":
        return map(check_message, store.get_session_messages(session_id, filter))

    runs = resolve_session(store, a), resolve_session(store, b)
    return compare(read(runs[0]), read(runs[1]), ignored)


def print_comparison(settings: Settings, found: Comparison) -> None:
    records_output(settings, DIFFERENCE).put_all(found.differences)
    if settings.output_format("table") in ("table", "wide"):
        signs = [difference.sign for difference in found.differences]
        counts = ", ".join(f"{signs.count(sign):,} {sign}" for sign in _SIGNS if sign in signs)
        same = f"{counted(found.same, 'message')} the same"
        settings.say(f"{counts}, {same}" if counts else same)


_SIGNS = ("missing", "extra", "changed")
