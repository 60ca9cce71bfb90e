"""What may come of damage: the right answer, or an error that says where. All else is a violation.

The exceptions are here, each with its reason; docs/guarantees.md has them too.
"""

from __future__ import annotations

from damage.changes import Change
from damage.golden import Golden
from damage.readings import Reading
from msgstore import (
    CorruptRecord,
    CorruptStore,
    FileMessageStore,
    MsgStoreError,
    StoreUnavailable,
)
from msgstore.format.names import CATALOG, INDEX, JOURNAL, SESSIONS, STORE_JSON
from msgstore.model.results import Finding


class Told(Exception):
    """A reading ended with an error that is as it should be."""


class Wrong(Exception):
    """A reading that gave a wrong answer, or an error that says too little."""


def ask(reading: Reading, store: FileMessageStore, paths: tuple[str, ...]) -> None:
    """Returns if the answer is right. Raises Told, Wrong."""
    right = iter(reading.right)
    try:
        for item in reading.ask(store):
            if reading.name == "verify" and item != "sound":
                _judge_findings(item, paths)
                raise Told
            expected = next(right, _NOTHING)
            if item != expected:
                raise Wrong(f"{reading.name}: gave {str(item)[:200]} for {str(expected)[:200]}")
    except MsgStoreError as error:
        judge_error(error, paths, reading.name)
        raise Told from error
    except (Told, Wrong):
        raise
    except Exception as error:
        raise Wrong(f"{reading.name}: {type(error).__name__}: {error}") from error
    if (missing := next(right, _NOTHING)) is not _NOTHING:
        raise Wrong(f"{reading.name}: ended before {str(missing)[:200]}")


_NOTHING = object()


# ---------------------------------------------------------------- errors

ALSO_NAMED = {
    # Rows that the journal should account for show that it lost an entry.
    JOURNAL: {INDEX},
    # Another uuid there makes all other files those of another store.
    STORE_JSON: {INDEX, CATALOG, SESSIONS, JOURNAL},
}
"""Damage of one file that shows in another, which the error then names."""


def judge_error(error: MsgStoreError, paths: tuple[str, ...], name: str) -> None:
    """Raises Wrong unless the error is of the right family and says where."""
    if isinstance(error, CorruptRecord):
        problem = _place_problem(
            error.path, error.offset, error.stream_id, error.revision, error.position, paths
        )
    elif isinstance(error, CorruptStore):
        problem = None if any(path in str(error) for path in paths) else "names no file"
    elif isinstance(error, StoreUnavailable) and STORE_JSON in paths:
        problem = None if error.exit_code == 5 else "has another exit code"
    else:
        problem = "is of the wrong family"
    if problem:
        raise Wrong(f"{name}: {type(error).__name__}: {error}: {problem}") from error


def _judge_findings(findings: tuple[Finding, ...], paths: tuple[str, ...]) -> None:
    problems = [
        _place_problem(f.path, f.offset, f.stream_id, f.revision, f.position, paths)
        for f in findings
    ]
    if all(problems):
        raise Wrong(f"verify: {findings[0]}: {problems[0]}")


def _place_problem(
    path: str,
    offset: int,
    stream_id: str | None,
    revision: int | None,
    position: int | None,
    paths: tuple[str, ...],
) -> str | None:
    named = {*paths}.union(*(ALSO_NAMED.get(one, ()) for one in paths))
    if path not in named:
        return "names another file"
    if path.startswith("streams/"):
        if stream_id is None:
            return "names no stream"
        if offset > 0 and (revision is None or position is None):
            return "names no revision or no position"
    if path == INDEX and offset > 0 and position is None:
        return "names no position"
    return None


# ---------------------------------------------------------------- exceptions


def is_made_anew(change: Change, store: Golden) -> bool:
    """A folder without a `store.json` is no store yet (docs/format.md); where it holds no message and
    no session, a save makes the store that somebody was about to make."""
    is_empty = not store.right["messages"] and not store.right["sessions"]
    return is_empty and STORE_JSON not in change.files


def is_cut_short(change: Change, store: Golden) -> bool:
    """What cannot be told (rule R11): the last entry of the journal, which nothing else knows of, is
    damaged; it looks like one that never got to the disk whole."""
    if store.before is None or change.paths != (JOURNAL,):
        return False
    return _is_changed(change, store, store.last_entry)


def _is_changed(change: Change, store: Golden, entry: range) -> bool:
    part = slice(entry.start, entry.stop)
    return change.files.get(JOURNAL, b"")[part] != store.files[JOURNAL][part]


def must_be_found(change: Change, store: Golden) -> bool:
    """An entry that a recovery would need is damaged: `verify` says so, though all can be read."""
    known = store.entries[:-1] if store.before is not None else store.entries
    return (
        store.view == "running"
        and change.paths == (JOURNAL,)
        and any(_is_changed(change, store, entry) for entry in known)
    )
