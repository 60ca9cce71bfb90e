"""Two runs, message by message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msgstore.analysis.changes import Ignored
from msgstore.analysis.comparison import Comparison, compare
from msgstore.model.message import PositionalMessage

from .messages import runs, stored

Told = tuple[str, int | None, int | None, tuple[str, ...]]
RULES = st.sampled_from([(), ("data.at",), ("streamId", "data.at"), ("metadata", "messageType")])


def told(found: Comparison) -> list[Told]:
    return [
        (
            d.sign,
            d.a and d.a.position,
            d.b and d.b.position,
            tuple(change.path for change in d.fields),
        )
        for d in found.differences
    ]


def diff(
    a: Sequence[PositionalMessage], b: Sequence[PositionalMessage], *ignore: str
) -> list[Told]:
    return told(compare(a, b, Ignored(ignore)))


def chain(*types: str, first: int = 1, **fields: Any) -> list[PositionalMessage]:
    """Messages each caused by the one before."""
    return [
        stored(
            first + index,
            type,
            id=f"m{first + index}",
            causation_id=f"m{first + index - 1}" if index else None,
            **fields,
        )
        for index, type in enumerate(types)
    ]


def test_a_message_that_changed() -> None:
    """It is told with its fields; what did not change is counted."""
    a = [stored(1, "A", data={"n": 1, "at": 1}), stored(2, "B")]
    b = [stored(5, "A", data={"n": 2, "at": 2}), stored(6, "B")]
    found = compare(a, b, Ignored(["data.at"]))
    assert told(found) == [("changed", 1, 5, ("data.n",))]
    assert found.same == 1
    assert found.differences[0].to_json() == {
        "change": "changed",
        "type": "A",
        "streamId": "s",
        "under": [],
        "a": a[0].to_json(),
        "b": b[0].to_json(),
        "fields": [{"path": "data.n", "a": 1, "b": 2}],
    }


def test_what_is_missing_takes_along_what_it_led_to() -> None:
    """Each message of a part that is missing or extra is told, with the types above it."""
    a, b = chain("A", "B", "C", "D"), chain("A", "X", first=11)
    found = compare(a, b, Ignored())
    assert told(found) == [
        ("missing", 2, None, ()),
        ("extra", None, 12, ()),
        ("missing", 3, None, ()),
        ("missing", 4, None, ()),
    ]
    assert [d.under for d in found.differences] == [("A",), ("A",), ("A", "B"), ("A", "B", "C")]


def test_streams_may_alternate_otherwise() -> None:
    """Only the order within a stream counts."""
    a = [stored(1, "A", stream="s"), stored(2, "B", stream="t"), stored(3, "C", stream="s")]
    b = [stored(1, "B", stream="t"), stored(2, "A", stream="s"), stored(3, "C", stream="s")]
    assert diff(a, b) == []
    assert diff(a[:2], [stored(1, "B", stream="s"), stored(2, "A", stream="s")]) != []


def test_a_message_in_another_place() -> None:
    """The same message below another cause is missing there and extra here."""
    a = [stored(1, "A", id="1"), stored(2, "B", id="2"), stored(3, "C", causation_id="1")]
    b = [stored(1, "A", id="1"), stored(2, "B", id="2"), stored(3, "C", causation_id="2")]
    assert diff(a, b) == [("extra", None, 3, ()), ("missing", 3, None, ())]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"kind": "command"}, "messageType"),
        ({"metadata": 1}, "metadata"),
        ({"causation_id": "x"}, "causation"),
    ],
)
def test_what_counts_besides_data(fields: dict[str, Any], path: str) -> None:
    """The kind, metadata, and whether a cause lies outside; each can be ignored."""
    a, b = [stored(1, "A")], [stored(1, "A", **fields)]
    assert diff(a, b) == [("changed", 1, 1, (path,))]
    assert diff(a, b, path) == []


def test_what_is_of_one_run_alone() -> None:
    """What `msgstore run` notes of a run's own time and trace is no difference; the rest is."""

    def run(ms: int, code: int, trace: str) -> list[PositionalMessage]:
        return chain(
            "msgstore.RunEnded",
            data={"exitCode": code, "durationMs": ms},
            metadata={"traceparent": trace},
        )

    assert diff(run(1, 0, "a"), run(2, 0, "b")) == []
    assert len(diff(run(1, 0, "a"), run(2, 3, "b"))) == 1


def test_the_best_partner() -> None:
    """What is the same is paired before what only has the same type."""
    a = [stored(1, "A", data=1), stored(2, "A", data=2), stored(3, "A", data=3)]
    b = [stored(1, "A", data=2), stored(2, "A", data=3)]
    assert diff(a, b) == [("missing", 1, None, ())]
    led_to = [stored(1, "A", id="1"), stored(2, "A", id="2"), stored(3, "B", causation_id="2")]
    alone = [stored(1, "A", id="1"), stored(2, "B", causation_id="1")]
    assert diff(led_to, alone) == [("missing", 1, None, ())]


def test_partners_by_what_they_led_to() -> None:
    """Of two that are the same the one is paired that led to the same, in whatever turn of streams."""
    effects = [
        stored(3, "B", stream="t", causation_id="2"),
        stored(4, "C", stream="u", causation_id="2"),
    ]
    turned = [
        stored(2, "C", stream="u", causation_id="1"),
        stored(3, "B", stream="t", causation_id="1"),
    ]
    a = [stored(1, "A", id="1"), stored(2, "A", id="2"), *effects]
    assert diff(a, [stored(1, "A", id="1"), *turned]) == [("missing", 1, None, ())]
    renamed = [replace(m, stream_id=f"other-{m.stream_id}") for m in turned]
    other = [stored(1, "A", id="1"), *renamed]
    assert diff(a, other, "streamId") == [("missing", 1, None, ())]


def test_partners_by_what_they_hold() -> None:
    """Where nothing led to the same, what holds the same goes before what only has the same type."""
    a = [
        stored(1, "A", id="1", data=1),
        stored(2, "A", id="2", data=2),
        stored(3, "B", causation_id="2"),
    ]
    b = [stored(1, "A", id="1", data=2), stored(2, "C", causation_id="1")]
    assert diff(a, b) == [
        *(("missing", 1, None, ()), ("missing", 3, None, ()), ("extra", None, 2, ())),
    ]


def test_streams_with_other_names() -> None:
    """Names count, unless streamId is ignored: then streams pair by what they hold."""
    a = [stored(1, "A", stream="x1"), stored(2, "B", stream="x2", data=1)]
    b = [stored(1, "B", stream="y1", data=2), stored(2, "A", stream="y2")]
    assert [sign for sign, *_ in diff(a, b)].count("missing") == 2
    assert diff(a, b, "streamId") == [("changed", 2, 1, ("data",))]


def test_long_chains_need_no_recursion() -> None:
    """Thousands of levels are compared as well."""
    types = [f"T{n % 7}" for n in range(4000)]
    assert diff(chain(*types), chain(*types, first=50_000)) == []
    assert len(diff(chain(*types), chain(*types[:-1], "X"))) == 2


def renamed(run: Sequence[PositionalMessage], streams: bool) -> list[PositionalMessage]:
    """The same run with other ids, times, positions, revisions, session; and other streams, perhaps."""

    def other(text: str | None) -> str | None:
        if text is None:
            return None
        parent, _, rest = text.partition("-")
        return f"r{ord(parent) * 7}" + (f"-{rest.replace('17639', '18888')}" if rest else "")

    return [
        replace(
            m,
            stream_id=f"z{ord(m.stream_id) * 31 % 17}" if streams else m.stream_id,
            position=m.position * 3 + 100,
            revision=m.revision + 4,
            timestamp=m.timestamp + timedelta(hours=m.position),
            session_id="other",
            message=replace(
                m.message,
                id=other(m.message.id),
                request_id=other(m.message.request_id),
                correlation_id=other(m.message.correlation_id),
                causation_id=other(m.message.causation_id),
            ),
        )
        for m in run
    ]


@settings(max_examples=80)
@given(runs(), RULES)
def test_a_run_is_like_itself(run: list[PositionalMessage], rules: tuple[str, ...]) -> None:
    """Between a run and itself nothing differs, nor after all ids, times and positions are replaced."""
    whole = compare(run, run, Ignored(rules))
    assert (whole.differences, whole.same) == ((), len(run))
    other = compare(run, renamed(run, "streamId" in rules), Ignored(rules))
    assert (other.differences, other.same) == ((), len(run))


@settings(max_examples=80)
@given(runs(), runs(), RULES)
def test_renaming_changes_nothing(
    a: list[PositionalMessage], b: list[PositionalMessage], rules: tuple[str, ...]
) -> None:
    """The differences between two runs are the same after one of them got other ids, times, places."""
    plain = diff(a, b, *rules)
    moved = diff(a, renamed(b, "streamId" in rules), *rules)
    places = {m.position * 3 + 100: m.position for m in b}
    assert [(s, x, y if y is None else places[y], f) for s, x, y, f in moved] == plain


@settings(max_examples=100)
@given(runs(), runs(), RULES)
def test_symmetric(
    a: list[PositionalMessage], b: list[PositionalMessage], rules: tuple[str, ...]
) -> None:
    """The other way round missing is extra, sides change places, and all else is the same."""
    swapped = {"missing": "extra", "extra": "missing", "changed": "changed"}
    there, back = compare(a, b, Ignored(rules)), compare(b, a, Ignored(rules))
    assert {*told(there)} == {(swapped[s], y, x, f) for s, x, y, f in told(back)}
    assert there.same == back.same


@given(runs(), runs(), RULES)
def test_every_message_is_accounted_for(
    a: list[PositionalMessage], b: list[PositionalMessage], rules: tuple[str, ...]
) -> None:
    """Each message of both runs is the same, changed, missing or extra, once."""
    found = compare(a, b, Ignored(rules))
    signs = [d.sign for d in found.differences]
    pairs = found.same + signs.count("changed")
    assert pairs + signs.count("missing") == len(a)
    assert pairs + signs.count("extra") == len(b)
    for side in ([d.a for d in found.differences], [d.b for d in found.differences]):
        positions = [m.position for m in side if m]
        assert len(positions) == len({*positions})
