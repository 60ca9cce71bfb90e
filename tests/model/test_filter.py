"""Filters: each part, conditions and their text, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from msgstore.model.arguments import (
    check_count,
    check_direction,
    check_filter,
    check_revision,
    check_timeout,
)
from msgstore.model.errors import InvalidArgument, InvalidFilter
from msgstore.model.filter import EVERYTHING, Condition, MessageFilter
from msgstore.model.message import Message, MessageType, PositionalMessage

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
STORED = PositionalMessage(
    stream_id="orders/7",
    message=Message(
        "OrderPlaced",
        {"total": 100, "customer": {"name": "Ada"}, "items": [{"sku": "a"}], "note": None},
        id="m-1",
        request_id="r-1",
        correlation_id="c-1",
        causation_id="k-1",
    ),
    message_type=MessageType.EVENT,
    revision=3,
    position=10,
    timestamp=NOON,
    session_id="s-1",
)

# What holds for the message above, and what does not.
PARTS: dict[str, tuple[Any, Any]] = {
    "message_type": ("event", MessageType.COMMAND),
    "message_names": ("OrderPlaced", ["OrderShipped", "Order*"]),
    "stream_id": ("orders/7", "orders/8"),
    "session_id": ("s-1", "s-2"),
    "correlation_id": ("c-1", "c"),
    "request_id": ("r-1", "R-1"),
    "causation_id": ("k-1", "m-1"),
    "message_id": ("m-1", "k-1"),
    "from_position": (10, 11),
    "to_position": (10, 9),
    "from_timestamp": (NOON, NOON + SECOND),
    "to_timestamp": ("2026-11-23T13:00:00+01:00", NOON - SECOND),
    "stream_pattern": ("orders/*", "order"),
    "json_filter": ({"total": 100.0}, {"total": "100"}),
    "where": ("total>=100", ["total>=100", "total<100"]),
}


@pytest.mark.parametrize("name", PARTS)
def test_a_part(name: str) -> None:
    """A part holds, or it does not, and then the other parts do not help."""
    holds, fails = PARTS[name]
    others: dict[str, Any] = {"stream_id": "orders/7", "where": "total?"}
    assert MessageFilter(**{name: holds}).matches(STORED)
    assert not MessageFilter(**{name: fails}).matches(STORED)
    assert not MessageFilter(**{**others, name: fails}).matches(STORED)


def test_all_parts_together() -> None:
    """A message for which every part holds matches them all."""
    assert MessageFilter(**{name: holds for name, (holds, _) in PARTS.items()}).matches(STORED)
    assert EVERYTHING.matches(STORED)


def test_parts_of_an_absent_id() -> None:
    """A message without an id matches no filter on that id."""
    bare = replace(STORED, message=Message("X"))
    for name in ("correlation_id", "request_id", "causation_id", "message_id"):
        assert not MessageFilter(**{name: "None"}).matches(bare)  # type: ignore[arg-type]


def test_parts_are_normalised() -> None:
    """Parts are kept in one form, which makes filters comparable and copyable."""
    wanted = MessageFilter(
        "command", message_names="A", from_timestamp="2026-11-23T12:00:00Z", where="n?"
    )
    assert wanted.kind is MessageType.COMMAND
    assert wanted.names == frozenset({"A"})
    assert (wanted.since, wanted.until) == (NOON, None)
    assert wanted.conditions == (Condition("n", "?"),)
    assert replace(wanted) == wanted


def test_a_filter_keeps_its_own_parts() -> None:
    """Changing what a filter was made of does not change the filter."""
    names, wanted_data = ["A"], {"n": 1}
    wanted = MessageFilter(message_names=names, json_filter=wanted_data)
    names.append("B")
    wanted_data["m"] = 2
    assert (wanted.names, wanted.json_filter) == (frozenset({"A"}), {"n": 1})


def test_data_is_needed_by_few() -> None:
    """Only `json_filter` and `where` look into the payload."""
    assert [
        name for name, (holds, _) in PARTS.items() if MessageFilter(**{name: holds}).needs_data
    ] == [
        "json_filter",
        "where",
    ]


REFUSED: dict[str, tuple[str, Any]] = {
    **{
        f"empty {name}": (name, "")
        for name in PARTS
        if name not in ("from_position", "to_position", "json_filter")
    },
    "a list for a kind": ("message_type", ["event"]),
    "no names": ("message_names", []),
    "a name that is none": ("message_names", ["A", None]),
    "a number for names": ("message_names", 5),
    "a list within names": ("message_names", [[]]),
    "a control character": ("stream_id", "a\n"),
    "a number for an id": ("message_id", 5),
    "a negative position": ("from_position", -1),
    "true for a position": ("to_position", True),
    "a fraction of a position": ("to_position", 1.5),
    "text for a position": ("from_position", "1"),
    "a naive time": ("from_timestamp", datetime(2026, 1, 1)),
    "a date": ("to_timestamp", "2026-01-01"),
    "a number for a time": ("to_timestamp", 5),
    "a json_filter of nothing": ("json_filter", {}),
    "a text for json_filter": ("json_filter", "a=1"),
    "an empty path": ("json_filter", {"": 1}),
    "a number for a path": ("json_filter", {1: 1}),
    "a value that is no JSON": ("json_filter", {"a": b""}),
    "no conditions": ("where", []),
    "an empty condition": ("where", ["a=1", ""]),
    "a number for a condition": ("where", 5),
    "a number among conditions": ("where", ["a=1", 5]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_part(case: str) -> None:
    """What is empty or malformed is refused by the name of its part."""
    name, value = REFUSED[case]
    with pytest.raises(InvalidFilter) as caught:
        MessageFilter(**{name: value})
    assert caught.value.field == name


GLOBS: dict[tuple[str, str], bool] = {
    ("*", "anything/at all"): True,
    ("orders", "orders"): True,
    ("orders", "orders-1"): False,
    ("orders-*", "orders-"): True,
    ("*-1", "orders-1"): True,
    ("o?ders", "orders"): True,
    ("o?ders", "oders"): False,
    ("[a-c]x", "bx"): True,
    ("[!a-c]x", "bx"): False,
    ("[]", "[]"): True,
    ("[z-a]", "b"): False,
    ("a.c", "abc"): False,
    ("a+", "aa"): False,
    ("(", "("): True,
    ("\\d", "5"): False,
    ("Orders", "orders"): False,
    ("ä*", "äb"): True,
    ("*🛒", "a🛒"): True,
}


@pytest.mark.parametrize(("pattern", "stream_id"), GLOBS)
def test_a_glob(pattern: str, stream_id: str) -> None:
    """A pattern is matched as in a shell, against the whole id, with case."""
    wanted = MessageFilter(stream_pattern=pattern)
    assert wanted.matches_stream(stream_id) is GLOBS[pattern, stream_id]


PARSED: dict[str, Condition] = {
    "total>=100": Condition("total", ">=", 100),
    "total >= 100 ": Condition("total", ">=", 100),
    "total<=1.5": Condition("total", "<=", 1.5),
    "a<b": Condition("a", "<", "b"),
    "a>-1": Condition("a", ">", -1),
    "a=1": Condition("a", "=", 1),
    'a="1"': Condition("a", "=", "1"),
    "a=true": Condition("a", "=", True),
    "a=null": Condition("a", "=", None),
    "a=None": Condition("a", "=", "None"),
    "a=": Condition("a", "=", ""),
    "a=b=c": Condition("a", "=", "b=c"),
    "a!=b": Condition("a", "!=", "b"),
    "a==5": Condition("a", "=", 5),
    "a={}": Condition("a", "=", {}),
    "a=[1, 2]": Condition("a", "=", [1, 2]),
    "a=NaN": Condition("a", "=", "NaN"),
    "a=Infinity": Condition("a", "=", "Infinity"),
    "a=007": Condition("a", "=", "007"),
    "items.0.sku=x": Condition("items.0.sku", "=", "x"),
    "a b=c d": Condition("a b", "=", "c d"),
    "name~^A.*$": Condition("name", "~", "^A.*$"),
    "name!~\\d": Condition("name", "!~", "\\d"),
    "name~5": Condition("name", "~", "5"),
    "note?": Condition("note", "?"),
    " a.b ?": Condition("a.b", "?"),
    "what?=1": Condition("what?", "=", 1),
}


@pytest.mark.parametrize("text", PARSED)
def test_parsing(text: str) -> None:
    """A condition's value is JSON where it can be, and text where it cannot."""
    found = Condition.parse(text)
    assert (found, repr(found)) == (PARSED[text], repr(PARSED[text]))


@pytest.mark.parametrize(
    "text",
    ["", "?", "  ?", "total", "=5", "  =5", "a~(", "a!~[", "a=1e999", "a=18446744073709551616"],
)
def test_no_condition(text: str) -> None:
    """What is no condition is refused, as are expressions that do not compile."""
    with pytest.raises(InvalidFilter) as caught:
        Condition.parse(text)
    assert caught.value.field == "where"


@pytest.mark.parametrize(
    ("path", "op", "value"),
    [("", "=", 1), (5, "=", 1), ("a", "==", 1), ("a", [], 1), ("a", "~", 5), ("a", "=", b"")],
)
def test_no_condition_of_parts(path: Any, op: Any, value: Any) -> None:
    """A condition that is built of its parts is checked as well."""
    with pytest.raises(InvalidFilter):
        Condition(path, op, value)


DATA = {
    "n": 5,
    "f": 2.5,
    "t": "abc",
    "b": True,
    "z": None,
    "l": [1, {"x": "y"}],
    "o": {"k": 1},
    "a.b": 1,
}
HOLDS = (
    *("n=5", "n=5.0", "n!=6", "n!=text", "n<6", "n<=5", "n>4.9", "n>=5", "f<3", "f>2"),
    *('t="abc"', "t=abc", "t<abd", "t>=abc", "t~b", "t~^abc$", "t!~^b", "b=true", "b!=1"),
    *("z=null", "z!=0", "z?", 'l=[1,{"x":"y"}]', "l.0=1", "l.1.x~y", "l?", 'o={"k":1}'),
    *("o.k=1", "o.k?", "a.b=1"),
)
FAILS = (
    *("n=6", 'n="5"', "n=true", "n!=5", "n<5", "n>5", "n<text", "n>=text", "n~5", "n!~5"),
    *("t=ab", "t<5", "t>5", "t~^b", "t!~b", "b=1", "b>0", "b<=true", "z=0", "z<1", "z~n"),
    *("l=[1]", "l.2?", "l.x?", "l<1", "o={}", "o.k=2", "o~k", "n.x?", "t.0?"),
)
# The documented decision: a condition on a path that is missing does not hold.
MISSING = (
    "m=1",
    "m!=1",
    "m=null",
    "m!=null",
    "m<1",
    "m>=1",
    "m~.",
    "m!~.",
    "m?",
    "o.m!=1",
    "l.9!=1",
)


@pytest.mark.parametrize("text", HOLDS)
def test_a_condition_that_holds(text: str) -> None:
    """Numbers compare with numbers and texts with texts; `~` searches a text."""
    assert Condition.parse(text).holds(DATA)


@pytest.mark.parametrize("text", FAILS)
def test_a_condition_that_fails(text: str) -> None:
    """Values of different kinds have no order, and only texts are searched."""
    assert not Condition.parse(text).holds(DATA)


@pytest.mark.parametrize("text", MISSING)
def test_a_missing_path(text: str) -> None:
    """A condition on a path that is missing does not hold, whatever its operator."""
    assert not Condition.parse(text).holds(DATA)


def test_the_text_of_a_condition() -> None:
    """A condition says what it is."""
    assert [str(Condition.parse(text)) for text in ("n >= 5", "t~a", "z ?")] == [
        "n>=5",
        "t~a",
        "z?",
    ]


def test_checks_of_arguments() -> None:
    """What callers give besides filters is checked by name, with bounds; None is left to them."""
    assert (check_count(None), check_count(0), check_revision(7, "r")) == (None, 0, 7)
    assert (check_timeout(None), check_timeout(0), check_timeout(1.5)) == (None, 0, 1.5)
    assert check_direction("backwards") == "backwards"
    assert check_filter(None) is EVERYTHING
    bad: list[Any] = [-1, True, "1", [], float("nan")]
    for value in bad:
        for check in (
            check_count,
            check_timeout,
            check_direction,
            lambda v: check_revision(v, "r"),
        ):
            with pytest.raises(InvalidArgument):
                check(value)
        with pytest.raises(InvalidFilter):
            check_filter(value)
