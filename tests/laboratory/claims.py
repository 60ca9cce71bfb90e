"""What must hold of every store after a crash; each claim has a sentence to fail with."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from laboratory.bench import CHANCE, LaboratoryStore
from laboratory.expected import (
    EMPTY,
    OWN_ID,
    Expected,
    Run,
    Saved,
    State,
    content_of,
    saved_of,
)
from msgstore import NO_SESSION, Message, MsgStoreError, PositionalMessage
from msgstore.format.names import CATALOG, INDEX, SESSIONS, STREAMS
from msgstore.testing.crashing_disk import (
    CrashingDisk,
    Fault,
    Keep,
    Operation,
    keep_all,
    keep_nothing,
)

T = TypeVar("T", State, "Examined")
_MEMORY_MAX = 20_000
AFTER_STREAM = "after"


class Violation(Exception):
    """A claim that does not hold. `claim` is its name, the words say what was found."""

    def __init__(self, claim: str, words: str) -> None:
        super().__init__(f"{claim}: {words}")
        self.claim = claim


def insist(holds: bool, claim: str, words: str) -> None:
    if not holds:
        raise Violation(claim, words)


# ---------------------------------------------------------------- one reading of a store


def look(store: LaboratoryStore) -> State:
    """Reads everything in every way, which must agree; returns what is there."""
    try:
        return _look(store)
    except MsgStoreError as error:
        raise Violation("readable", f"{type(error).__name__}: {error}") from error
    except (AssertionError, LookupError, TypeError, ValueError) as error:
        raise Violation("readable", f"a read broke: {error!r}") from error


def _look(store: LaboratoryStore) -> State:
    names = {session.session_id: session.name for session in store.get_sessions()}
    found = list(store.get_all_messages())
    _check_positions(found)
    _check_streams(store, found)
    for stored in found:
        insist(
            stored.session_id == NO_SESSION or stored.session_id in names,
            "sessions",
            f"position {stored.position} is of a session that does not exist",
        )
    state = State(
        tuple(saved_of(stored, names.get(stored.session_id)) for stored in found),
        _sessions(store),
    )
    _check_totals(store, state)
    report = store.verify()
    insist(not report.findings, "verify", f"{report.findings[:3]}")
    insist(
        (report.messages, report.sessions) == (len(found), len(names)),
        "verify",
        f"it saw {report.messages} messages and {report.sessions} sessions",
    )
    return state


def _check_positions(found: list[PositionalMessage]) -> None:
    positions = [stored.position for stored in found]
    insist(positions == list(range(1, len(found) + 1)), "positions", f"{positions}")
    times = [stored.timestamp for stored in found]
    insist(times == sorted(times), "times", "the time goes back")


def _check_streams(store: LaboratoryStore, found: list[PositionalMessage]) -> None:
    by_stream: dict[str, list[PositionalMessage]] = {}
    for stored in found:
        by_stream.setdefault(stored.stream_id, []).append(stored)
    listed = [
        (info.stream_id, info.revision, info.message_count, info.first_position, info.last_position)
        for info in store.get_streams()
    ]
    expected = [
        (stream_id, len(own) - 1, len(own), own[0].position, own[-1].position)
        for stream_id, own in by_stream.items()
    ]
    insist(listed == expected, "streams", f"listed {listed}, stored {expected}")
    for stream_id, own in by_stream.items():
        revisions = [stored.revision for stored in own]
        insist(revisions == list(range(len(own))), "revisions", f"{stream_id}: {revisions}")
        insist(
            list(store.get_messages(stream_id)) == own,
            "by stream",
            f"{stream_id} reads otherwise by itself",
        )


def _sessions(store: LaboratoryStore) -> tuple[Run, ...]:
    return tuple(
        Run(s.name, s.status, s.message_count, s.command_count) for s in store.get_sessions()
    )


def _check_totals(store: LaboratoryStore, state: State) -> None:
    stats = store.get_stats()
    kinds = Counter(saved.kind for saved in state.messages)
    counted = Counter((saved.session, saved.kind) for saved in state.messages)
    expected = (
        len(state.messages),
        kinds["command"],
        kinds["event"],
        len({saved.stream_id for saved in state.messages}),
        len(state.sessions),
    )
    said = (
        stats.total_messages,
        stats.total_commands,
        stats.total_events,
        stats.total_streams,
        stats.total_sessions,
    )
    insist(said == expected, "stats", f"said {said}, stored {expected}")
    for name, _, messages, commands in state.sessions:
        of_session = (
            counted[name, "command"] + counted[name, "event"],
            counted[name, "command"],
        )
        insist(
            (messages, commands) == of_session, "session counts", f"{name}: {messages, commands}"
        )


# ---------------------------------------------------------------- after a crash


class Examined(NamedTuple):
    """What a settled disk holds, and what it holds after another power loss."""

    state: State
    later: tuple[State, ...]


class Claims:
    """Checks the outcomes of crashes. Disks that are equal in all are looked at once only."""

    def __init__(self, durability: str) -> None:
        self._durability = durability
        self._remembered: dict[tuple[str, int], State | Examined | Violation] = {}

    def check(
        self, disk: CrashingDisk, expected: Expected, *, power: bool, stage: int = 1
    ) -> State:
        """Recovers `disk`, looks at all of it, and compares; raises Violation.

        Returns what is there. `power`: it lost power, else only the process was killed.
        """
        CHANCE.restart(stage)
        store = self._open(disk)
        allowed = expected.allowed(power)
        seen = EMPTY
        if not power:
            seen = self._once("look", disk, lambda: look(store))
            _compare(seen, allowed, "what a reader sees before the next writer")
            self._enter(store)
        how = "power" if power else "killed"
        found, later = self._once(how, disk, lambda: self._examine(store, disk, power, stage))
        _compare(found, allowed, "after a power loss" if power else "after a kill")
        insist(_continues(found, seen), "taken back", "what a reader saw is gone")
        for state in later:
            # A save whose strike-out was cut off by a kill may stand after all, if nothing followed.
            insist(_continues(state, found), "durable", "a power loss takes what was shown")
            _compare(state, [found] if power else allowed, "after another power loss")
        return found

    def check_overlay(self, disk: CrashingDisk, expected: Expected, stage: int = 1) -> None:
        """A reader that may not write sees what recovery would leave (rule R13)."""
        recovered, watched = disk.killed(), disk.killed()
        watched.fault = _refuse_writes
        before = watched.content()
        CHANCE.restart(stage)
        seen = look(self._open(watched))
        _compare(seen, expected.allowed(True), "a reader that may not write")
        insist(watched.content() == before, "read only", "it wrote all the same")
        CHANCE.restart(stage)
        insist(look(self._open(recovered)) == seen, "overlay", "recovery leaves something else")

    # ------------------------------------------------------------ steps

    def _open(self, disk: CrashingDisk) -> LaboratoryStore:
        try:
            return LaboratoryStore(disk, self._durability)
        except (MsgStoreError, AssertionError, LookupError, ValueError) as error:
            words = f"{type(error).__name__}: {error}"
            raise Violation("can be opened", words) from error

    def _enter(self, store: LaboratoryStore) -> None:
        try:
            store.enter()
        except (MsgStoreError, AssertionError, LookupError, ValueError) as error:
            raise Violation("can be entered", f"{type(error).__name__}: {error}") from error

    def _once(self, kind: str, disk: CrashingDisk, work: Callable[[], T]) -> T:
        """What `work` finds on this very disk, or found on one that was equal to it.

        On a disk that is watched it is done in any case: it is filmed to be cut off, too.
        """
        if disk.watch is not None:
            return work()
        key = (kind, hash(disk.state()))
        known = self._remembered.get(key)
        if known is None:
            if len(self._remembered) >= _MEMORY_MAX:
                self._remembered.clear()
            try:
                known = work()
            except Violation as violation:
                known = violation
            self._remembered[key] = known
        if isinstance(known, Violation):
            raise known
        return known

    def _examine(
        self, store: LaboratoryStore, disk: CrashingDisk, power: bool, stage: int
    ) -> Examined:
        """All that does not depend on what was to be expected."""
        state = look(store)
        if store.store_id is None:
            return Examined(state, ())
        self._check_second_open(disk, state, stage)
        later = [self._after_boot(disk, keep_all, power, stage)]
        if self._durability == "always":
            later.append(self._after_boot(disk, keep_nothing, False, stage))
        self._check_new_saves(disk, state, stage)
        return Examined(state, tuple(later))

    def _check_second_open(self, disk: CrashingDisk, state: State, stage: int) -> None:
        again = disk.killed()
        CHANCE.restart(stage + 16)
        store = self._open(again)
        self._enter(store)
        insist(store.get_stats().total_messages == len(state.messages), "opened twice", "differs")
        insist(again.content() == disk.content(), "opened twice", "the second time changed files")

    def _after_boot(self, disk: CrashingDisk, keep: Keep, recovered: bool, stage: int) -> State:
        """What is there after another power loss; a store recovered twice has the same files."""
        again = disk.power_loss(keep)
        CHANCE.restart(stage + 16)
        found = look(self._open(again))
        if recovered:
            same = _data(again) == _data(disk)
            insist(same, "recovered twice", "the second time changed files")
        return found

    def _check_new_saves(self, disk: CrashingDisk, state: State, stage: int) -> None:
        """The store goes on: saves to old and new streams succeed and stay."""
        again = disk.killed()
        CHANCE.restart(stage + 32)
        store = self._open(again)
        streams = [*dict.fromkeys(saved.stream_id for saved in state.messages), AFTER_STREAM]
        after = state
        try:
            self._save_known_again(store, state)
            old = [streams[-2] if len(streams) > 1 else "b", streams[0]]
            # A new stream comes first: it gets the positions of what may stand in the old ones.
            for stream_id in (AFTER_STREAM, AFTER_STREAM, *old):
                stored = self._save_after(store, stream_id)
                after = after.with_messages((stored,))
            store.flush()
        except MsgStoreError as error:
            words = f"{type(error).__name__}: {error}"
            raise Violation("takes new saves", words) from error
        insist(look(self._open(again.killed())) == after, "takes new saves", "they are not there")
        again = again.power_loss(keep_nothing)
        CHANCE.restart(stage + 48)
        insist(look(self._open(again)) == after, "takes new saves", "a power loss takes them")

    def _save_known_again(self, store: LaboratoryStore, state: State) -> None:
        """An id is stored once: whoever does not know whether a save stood saves it again."""
        own = [s for s in store.get_all_messages() if (s.message.id or "").startswith(OWN_ID)]
        for stored in own[-2:]:
            result = store.save_message(
                stored.stream_id, stored.message, message_type=stored.message_type.value
            )
            insist(result.first_position == stored.position, "an id is stored once", f"{result}")
        total = store.get_stats().total_messages
        insist(total == len(state.messages), "an id is stored once", f"{total} messages")

    def _save_after(self, store: LaboratoryStore, stream_id: str) -> Saved:
        message = Message("After", {"in": stream_id})
        store.save_message(stream_id, message, message_type="event")
        return Saved(stream_id, "event", None, content_of(message))


def _continues(later: State, state: State) -> bool:
    """Whether `later` is `state`, or more than that."""
    same_begin = later.messages[: len(state.messages)] == state.messages
    return same_begin and len(later.sessions) >= len(state.sessions)


def _compare(found: State, allowed: list[State], when: str) -> None:
    if any(found == state for state in allowed):
        return
    lost = max(allowed, key=lambda state: len(state.messages) + len(state.sessions))
    ghosts = [saved for saved in found.messages if saved not in lost.messages]
    claim = "no ghosts" if ghosts else "nothing lost"
    raise Violation(
        claim,
        f"{when} {len(found.messages)} messages and {len(found.sessions)} sessions;"
        f" allowed {[(len(s.messages), len(s.sessions)) for s in allowed]}",
    )


def _data(disk: CrashingDisk) -> dict[str, bytes]:
    names = (INDEX, CATALOG, SESSIONS)
    return {
        path: content
        for path, content in disk.content().items()
        if path in names or path.startswith(f"{STREAMS}/")
    }


def _refuse_writes(operation: Operation) -> Fault | None:
    if operation.kind in ("read", "size", "list", "identity"):
        return None
    return Fault(errno.EROFS)
