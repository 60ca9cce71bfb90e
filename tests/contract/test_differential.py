"""The file store and the memory store give the same answers to the same calls.

Hypothesis makes up the calls. The file store is closed and opened in between, and sometimes a
second object on its path takes over. What is random in an answer (made-up ids) is masked.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from msgstore import (
    ANY,
    STREAM_EXISTS,
    FileMessageStore,
    LocalMessageStore,
    MemoryMessageStore,
    Message,
    MessageFilter,
    MsgStoreError,
    SaveRequest,
)

Call: TypeAlias = Callable[[LocalMessageStore, list[str]], Any]
"""Asks something of a store, whose sessions have these ids."""

START_US = 1_795_435_200_000_000
_NEW_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_SESSION_ID = re.compile(r"session-\d+-[0-9a-z]{8}")
_OWN_FACTS = {"path", "disk_bytes", "memory_bytes", "size_bytes"}

# ---------------------------------------------------------------- what is asked

STREAMS = ("orders", "ORDERS", "carts/ä", "../up", "user-commands", "order_events")
TYPES = ("OrderPlaced", "OrderShipped", "PlaceOrder")
CORRELATIONS = (None, "c-1", "c-2", "a1b2c3d4-0000-4000-8000-0123456789ab")
GIVEN_IDS = (
    "m-0",
    "m-1",
    "M-1",
    "ä",
    "0198c0de-0000-4000-8000-000000000001",
    "0198C0DE-0000-4000-8000-000000000001",
)

streams = st.sampled_from(STREAMS)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abn."), inner, max_size=3)
    ),
    max_leaves=6,
)
moments = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-7))]))
messages = st.builds(
    Message,
    st.sampled_from(TYPES),
    st.dictionaries(st.sampled_from(["n", "a", "b"]), st.integers(0, 3) | values, max_size=3),
    request_id=st.sampled_from((None, None, "r-1", "r-2")),
    correlation_id=st.sampled_from(CORRELATIONS),
    causation_id=st.sampled_from((None, *GIVEN_IDS[:2])),
    timestamp=st.none() | moments,
    metadata=st.none() | values,
)
# Few ids and few contents, so that repetitions of both kinds come up.
repeatable = st.builds(
    lambda message_id, n: Message("OrderPlaced", {"n": n, "id": message_id}, id=message_id),
    st.sampled_from(GIVEN_IDS),
    st.sampled_from((0, 0, 0, 0.0, False)),
)
batches = st.lists(messages | repeatable, max_size=4)
expectations = st.none() | st.integers(-1, 6) | st.sampled_from((ANY, STREAM_EXISTS))
kinds = st.sampled_from((None, None, "command", "event"))
requests = st.builds(SaveRequest.of, streams, batches, expectations, kinds)
directions = st.sampled_from(("forwards", "backwards"))
counts = st.none() | st.integers(0, 5)
numbers = st.none() | st.integers(0, 12)
times = st.none() | st.integers(-3, 40).map(
    lambda seconds: datetime.fromtimestamp(START_US / 1e6, UTC) + timedelta(seconds=seconds)
)
which = st.integers(0, 7)

_PARTS: dict[str, st.SearchStrategy[Any]] = {
    "message_type": kinds,
    "message_names": st.lists(st.sampled_from(TYPES), min_size=1),
    "stream_id": streams,
    "correlation_id": st.sampled_from(CORRELATIONS),
    "request_id": st.sampled_from(("r-1", "r-3")),
    "causation_id": st.sampled_from(GIVEN_IDS),
    "message_id": st.sampled_from(GIVEN_IDS),
    "from_position": numbers,
    "to_position": numbers,
    "from_timestamp": times,
    "to_timestamp": times,
    "stream_pattern": st.sampled_from(("*", "o*", "ord[e]r?", "*ä", "../*", "[!u]*")),
    "json_filter": st.dictionaries(st.sampled_from("nab"), st.integers(0, 3) | values, min_size=1),
    "where": st.sampled_from(("n?", "n>=1", "n!=0", "a~.", "n<2", "b=true", "a.n?")),
}
filters = st.fixed_dictionaries({}, optional=_PARTS).map(lambda parts: MessageFilter(**parts))
# Most filters with many parts match nothing: one part is as good a question.
one_part = st.sampled_from(sorted(_PARTS)).flatmap(
    lambda name: _PARTS[name].map(lambda value: MessageFilter(**{name: value}))
)
some_filter = st.none() | one_part | filters

# ---------------------------------------------------------------- what is answered


def outcome(call: Call, store: LocalMessageStore, session_ids: list[str]) -> object:
    """The answer, or the error with its facts, without what may differ between two stores."""
    names = {session_id: f"<session {n}>" for n, session_id in enumerate(session_ids)}
    try:
        return _plain(call(store, session_ids), names)
    except MsgStoreError as error:
        return type(error).__name__, _plain(vars(error), names)


def _plain(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, str):
        masked = _SESSION_ID.sub(lambda match: names.get(match[0], match[0]), str(value))
        return "<new id>" if _NEW_ID.fullmatch(masked) else masked
    if is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if key not in _OWN_FACTS}
        return {_plain(key, names): _plain(item, names) for key, item in kept.items()}
    if isinstance(value, list | tuple | Iterator):
        return [_plain(item, names) for item in value]
    return repr(value)  # tells 1 from 1.0 and from True, and 0.0 from -0.0


class StoresAgree(RuleBasedStateMachine):
    """Every rule is one call to both stores; it fails where their answers differ."""

    def __init__(self) -> None:
        super().__init__()
        self.now_us = START_US
        self.folder = Path(tempfile.mkdtemp())
        self.memory = MemoryMessageStore(clock=lambda: self.now_us)
        self.files = [self.open_file(), self.open_file()]
        self.memory_ids: list[str] = []
        self.file_ids: list[str] = []

    def open_file(self) -> FileMessageStore:
        return FileMessageStore(self.folder / "store", durability="os", clock=lambda: self.now_us)

    @property
    def file(self) -> FileMessageStore:
        return self.files[0]

    def both(self, call: Call) -> None:
        expected = outcome(call, self.memory, self.memory_ids)
        assert outcome(call, self.file, self.file_ids) == expected

    def of_session(self, which: int, call: Callable[[LocalMessageStore, str], Any]) -> None:
        """Asks about one of the sessions, or about one that nobody knows."""
        self.both(lambda s, ids: call(s, [*ids, "session-1-none0000"][which % (len(ids) + 1)]))

    def take_up_session(self) -> None:
        """The current session belongs to an object: a new one is told of it."""
        current = self.memory.current_session
        at = None if current is None else self.memory_ids.index(current)
        self.file.use_session(None if at is None else self.file_ids[at])

    def teardown(self) -> None:
        self.both(lambda s, ids: s.get_all_messages())
        self.both(lambda s, ids: s.get_sessions())
        self.both(lambda s, ids: s.get_streams())
        for store in self.files:
            store.close()
        shutil.rmtree(self.folder)

    # ------------------------------------------------------------ time, and who is asked

    @rule(seconds=st.sampled_from((0.000001, 1, 1, 7)))
    def time_passes(self, seconds: float) -> None:
        self.now_us += int(seconds * 1_000_000)

    @rule()
    def the_clock_is_set_back(self) -> None:
        self.now_us -= 3_000_000

    @rule()
    def the_file_store_is_reopened(self) -> None:
        self.file.close()
        self.files[0] = self.open_file()
        self.take_up_session()

    @rule()
    def another_object_takes_over(self) -> None:
        self.files.reverse()
        self.take_up_session()

    # ------------------------------------------------------------ saving

    @rule(stream=streams, batch=batches, expected=expectations, kind=kinds)
    def save(self, stream: str, batch: list[Message], expected: Any, kind: str | None) -> None:
        self.both(lambda s, ids: s.save_messages(stream, batch, expected, kind))

    @rule(stream=streams, message=repeatable)
    def repeat(self, stream: str, message: Message) -> None:
        self.both(lambda s, ids: s.save_message(stream, message))

    @rule(saves=st.lists(requests, max_size=4))
    def save_each(self, saves: list[SaveRequest]) -> None:
        self.both(lambda s, ids: s.save_each(saves))

    @rule(saves=st.lists(st.tuples(streams, batches, expectations, kinds), max_size=3))
    def save_in_transaction(self, saves: list[tuple[str, list[Message], Any, str | None]]) -> None:
        def save_all(store: LocalMessageStore, ids: list[str]) -> object:
            with store.transaction() as transaction:
                for save in saves:
                    transaction.save_messages(*save)
            return transaction.results

        self.both(save_all)

    @rule()
    def flush(self) -> None:
        self.both(lambda s, ids: s.flush())

    @precondition(lambda self: self.memory.get_stats().total_messages > 8)
    @rule()
    def reset(self) -> None:
        self.both(lambda s, ids: s.reset())
        self.memory_ids.clear()
        self.file_ids.clear()

    # ------------------------------------------------------------ sessions

    @rule(
        name=st.none() | st.sampled_from(("nightly", "", "a\nb")),
        labels=st.none() | st.dictionaries(st.sampled_from(("host", "ä")), st.just("x")),
    )
    def create_session(self, name: str | None, labels: dict[str, str] | None) -> None:
        def create(store: LocalMessageStore, ids: list[str]) -> None:
            ids.append(store.create_session(name, labels))

        self.both(create)

    @rule(which=which)
    def use_session(self, which: int) -> None:
        self.of_session(which, lambda s, session_id: s.use_session(session_id))

    @rule()
    def use_no_session(self) -> None:
        self.both(lambda s, ids: s.use_session(None))

    @rule(which=which, status=st.sampled_from((None, "ok", "ä", "")))
    def end_session(self, which: int, status: str | None) -> None:
        self.of_session(which, lambda s, session_id: s.end_session(session_id, status))

    @rule(which=which)
    def activate_session(self, which: int) -> None:
        self.of_session(which, lambda s, session_id: s.activate_session(session_id))

    @rule(which=which, wanted=some_filter, count=counts, direction=directions)
    def look_at_session(
        self, which: int, wanted: MessageFilter | None, count: int | None, direction: Any
    ) -> None:
        self.of_session(which, lambda s, session_id: s.get_session_info(session_id))
        self.of_session(
            which,
            lambda s, session_id: s.get_session_messages(
                session_id, wanted, count, direction=direction
            ),
        )

    # ------------------------------------------------------------ reading

    @rule(stream=streams, first=numbers, count=counts, last=numbers, direction=directions)
    def read_stream(
        self, stream: str, first: int | None, count: int | None, last: int | None, direction: Any
    ) -> None:
        self.both(
            lambda s, ids: s.get_messages(
                stream, first, count, to_revision=last, direction=direction
            )
        )
        self.both(lambda s, ids: s.get_stream_info(stream))

    @rule(wanted=some_filter, count=counts, direction=directions)
    def read_all(self, wanted: MessageFilter | None, count: int | None, direction: Any) -> None:
        self.both(lambda s, ids: s.get_all_messages(wanted, count, direction=direction))
        self.both(lambda s, ids: s.get_all_commands(wanted, count, direction=direction))
        self.both(lambda s, ids: s.get_all_events(wanted, count, direction=direction))
        self.both(lambda s, ids: s.count_messages(wanted))

    @rule(
        group=st.sampled_from(("type", "stream", "session", "kind", "hour", "day", "week")),
        wanted=some_filter,
    )
    def count_by(self, group: Any, wanted: MessageFilter | None) -> None:
        self.both(lambda s, ids: s.count_by(group, wanted))

    @rule(position=st.integers(-1, 15))
    def read_one(self, position: int) -> None:
        self.both(lambda s, ids: s.get_message(position))

    @rule(wanted=some_filter, first=numbers)
    def follow(self, wanted: MessageFilter | None, first: int | None) -> None:
        self.both(lambda s, ids: s.follow(wanted, first, timeout=0))

    @invariant()
    def totals_agree(self) -> None:
        self.both(lambda s, ids: s.get_stats())
        self.both(lambda s, ids: (s.current_session, s.active_session()))


# When they disagree, Hypothesis looks for the shortest way to show it for up to five minutes.
TestStoresAgree = pytest.mark.timeout(900)(StoresAgree.TestCase)
TestStoresAgree.settings = settings(
    max_examples=80, stateful_step_count=40, deadline=None, print_blob=True
)
