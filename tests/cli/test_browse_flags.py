"""The line of flags that browse takes, and the command lines that it copies."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgstore.cli.browser.flags import (
    flag_line,
    parse_flags,
    query_command,
    session_command,
    show_command,
    stream_command,
    stream_flag,
)
from msgstore.cli.errors import BadUsage
from msgstore.model.filter import MessageFilter


def test_a_line_is_read_as_a_shell_would() -> None:
    """Quotes, short flags, flags that repeat, and numbers."""
    line = "-t 'Order Placed' -t B --where 'total>=100' --from-position 7"
    assert parse_flags(line) == {
        "type": ["Order Placed", "B"],
        "where": ["total>=100"],
        "from_position": 7,
    }
    assert parse_flags("  ") == {}


@pytest.mark.parametrize(
    "line", ["--nonsense", "word", "-t", "'open", "--kind x", "--from-position -1", "--store x"]
)
def test_a_wrong_line_is_said_to_be_wrong(line: str) -> None:
    """Nothing that query does not take as a filter is passed over."""
    with pytest.raises(BadUsage):
        parse_flags(line)


texts = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=12)
flags = st.fixed_dictionaries(
    {},
    optional={
        "type": st.lists(texts, min_size=1, max_size=3),
        "where": st.lists(texts, min_size=1, max_size=2),
        "stream": texts,
        "session": texts,
        "kind": st.sampled_from(["command", "event"]),
        "from_position": st.integers(0, 10**17),
        "json": texts,
    },
)


@given(flags)
def test_flags_come_back_from_their_line(given: dict[str, Any]) -> None:
    """What is written as a line of flags is read as the same flags."""
    assert parse_flags(flag_line(given)) == given


@given(texts.filter(str.isprintable))
def test_a_stream_is_narrowed_to_itself(stream_id: str) -> None:
    """The pattern for a stream matches it, whatever characters it has."""
    assert MessageFilter(stream_pattern=stream_flag(stream_id)).matches_stream(stream_id)
    assert not MessageFilter(stream_pattern=stream_flag(stream_id)).matches_stream(stream_id + "x")


def test_commands_are_quoted() -> None:
    """Each is one line that a shell takes apart as it was put together."""
    assert query_command(None, {"type": ["A B"]}) == "msgstore query --type 'A B'"
    assert show_command("my store", 7) == "msgstore --store 'my store' show 7"
    assert session_command(None, "session-1") == "msgstore sessions show session-1"
    assert stream_command(None, "-x; rm *") == "msgstore read -- '-x; rm *'"
    assert shlex.split(query_command(None, {"where": ["-a>1"]}))[2:] == ["--where=-a>1"]


def test_what_cannot_be_seen_is_spelt_out() -> None:
    """A stream's id with characters that reorder what a terminal shows is copied as escapes."""
    assert stream_command(None, "a\u202eb'c") == r"msgstore read $'a\u202eb\'c'"
    assert stream_flag("a\u202eb") == "a?b"
