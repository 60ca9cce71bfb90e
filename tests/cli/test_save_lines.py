"""`msgstore save -`: JSON Lines from stdin."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest

from .harness import Cli, json_lines, next_line, open_terminal, read_terminal

PLACED = {"streamId": "orders-1", "type": "OrderPlaced", "data": {"total": 100}}


def line_of(number: int, **more: object) -> dict[str, object]:
    return {"streamId": f"s-{number % 3}", "type": "T", "data": {"n": number}, **more}


def test_prints_a_summary_on_stderr_only(cli: Cli) -> None:
    """In a pipe stdout stays empty, and stderr says how many, where and which positions."""
    done = cli("save", "-", stdin=json_lines(*map(line_of, range(1234))))
    assert (done.code, done.out) == (0, "")
    assert done.err == "saved 1,234 messages to 3 streams, positions 1–1234\n"


def test_quiet_leaves_out_the_summary(cli: Cli) -> None:
    """-q says nothing at all."""
    done = cli("save", "-", "-q", stdin=json_lines(PLACED))
    assert (done.code, done.out, done.err) == (0, "", "")


def test_no_input_saves_nothing(cli: Cli) -> None:
    """Empty input is no error."""
    done = cli("save", "-")
    assert (done.code, done.err) == (0, "saved 0 messages\n")


def test_all_lines_go_to_the_stream_that_is_given(cli: Cli) -> None:
    """save STREAM - takes lines without streamId, and wins over theirs."""
    cli("save", "all", "-", stdin=json_lines({"type": "A"}, PLACED))
    assert [m["streamId"] for m in cli("query").lines] == ["all", "all"]


def test_every_field_of_a_line_is_stored(cli: Cli) -> None:
    """A line carries all that a message has, its kind and the expected revision."""
    message = {
        "type": "T",
        "data": [1],
        "id": "m-1",
        "requestId": "r",
        "correlationId": "c",
        "causationId": "e",
        "timestamp": "2026-01-02T03:04:05.678Z",
        "metadata": {"k": None},
    }
    cli.save({"streamId": "s", "messageType": "command", "expectedRevision": "none", **message})
    stored = cli("query").lines[0]
    assert (stored["message"], stored["messageType"]) == (message, "command")


def test_takes_what_query_prints(cli: Cli) -> None:
    """`query | save -` into a new store makes the same messages at the same revisions."""
    cli.save(*map(line_of, range(20)), {**PLACED, "messageType": "command", "metadata": {"a": 1}})
    done = cli.shell(
        "msgstore query | msgstore --store copy save - -q && msgstore --store copy query"
    )
    originals, copies = cli("query").lines, done.lines
    for message in [*originals, *copies]:
        del message["timestamp"]
    assert copies == originals


def test_windows_habits_are_tolerated(cli: Cli) -> None:
    """A byte order mark, CRLF, blank lines, and a last line without an end are all read."""
    text = f"\ufeff{json.dumps(PLACED)}\r\n\r\n   \n{json.dumps(PLACED)}"
    assert cli("save", "-", stdin=text).err == "saved 2 messages to 1 stream, positions 1–2\n"


def test_duplicates_are_counted_apart(cli: Cli) -> None:
    """Messages that are there already count as duplicates, also within the input."""
    lines = json_lines(*(line_of(n, id=f"m-{n}") for n in range(3)))
    cli("save", "-", stdin=lines)
    done = cli("save", "-", stdin=lines + json_lines(line_of(7, id="m-7"), line_of(7, id="m-7")))
    assert done.err == "saved 1 message to 1 stream, position 4 (4 duplicates)\n"


BAD_LINES = {
    "syntax": (
        "{nope}",
        2,
        "not JSON: Expecting property name enclosed in double quotes at column 2",
    ),
    "no object": ("[1]", 2, "message: must be a JSON object"),
    "no stream": ('{"type": "T"}', 2, "streamId: is missing"),
    "no type": ('{"streamId": "s"}', 2, "type: is missing"),
    "unknown field": ('{"streamId": "s", "type": "T", "date": 1}', 2, "date: unknown field"),
    "NaN": ('{"streamId": "s", "type": "T", "data": {"x": NaN}}', 2, "data.x: NaN is not JSON"),
    "2^70": (
        '{"streamId": "s", "type": "T", "data": 1180591620717411303424}',
        2,
        "data: the integer does not fit into 64 bits",
    ),
    "surrogate": (
        '{"streamId": "s", "type": "T", "data": "\\udc00"}',
        2,
        "data: lone surrogate U+DC00 is not Unicode text",
    ),
    "bad stream": ('{"streamId": "", "type": "T"}', 2, "streamId: must not be empty"),
    "stale": (
        '{"streamId": "orders-1", "type": "T", "expectedRevision": 7}',
        4,
        "Expected revision 7 but stream is at revision 0",
    ),
    "taken id": (
        '{"streamId": "other", "type": "T", "id": "m-1"}',
        2,
        "message id 'm-1' ",
    ),
    "200 levels": (
        f'{{"streamId": "s", "type": "T", "data": {"[" * 200}{"]" * 200}}}',
        2,
        "data[0][0]",
    ),
    "100,000 levels": ("[" * 100_000, 2, "JSON: nested deeper than 100"),
    "17 MiB": (
        '{"streamId": "s", "type": "T", "data": "' + "x" * (17 << 20) + '"}',
        2,
        "the message takes ",
    ),
}


@pytest.mark.parametrize("name", BAD_LINES)
def test_a_refused_line_ends_it_after_those_before_it(cli: Cli, name: str) -> None:
    """What stands before a bad line is committed; the error has its number and says what was."""
    bad, code, reason = BAD_LINES[name]
    good = json.dumps({**PLACED, "id": "m-1"})
    done = cli("save", "-", stdin=f"{good}\n\n{bad}\n{good}\n")
    said = done.err.splitlines()
    assert done.code == code
    assert said[0].startswith(f"msgstore: line 3: {reason}")
    assert said[1] == "  saved before it: 1 message to 1 stream, position 1"
    assert said[2].startswith("  try: ")
    assert len(said) == 3
    assert cli("query", "--count").out == "1\n"


@pytest.mark.parametrize("name", BAD_LINES)
def test_atomic_saves_nothing_where_a_line_is_refused(cli: Cli, name: str) -> None:
    """With --atomic a bad line leaves nothing behind, and the error has its number."""
    cli.save({"streamId": "before", "type": "T"})
    bad, code, reason = BAD_LINES[name]
    good = json.dumps({**PLACED, "id": "m-1"})
    done = cli("save", "-", "--atomic", stdin=f"{good}\n\n{bad}\n{good}\n")
    assert done.code == code
    assert done.err.splitlines()[0].startswith(f"msgstore: line 3: {reason}")
    assert done.err.splitlines()[1] == "  nothing was saved"
    assert cli("query", "--count").out == "1\n"


def test_atomic_sees_its_own_lines(cli: Cli) -> None:
    """Within --atomic each line's expectation counts the lines before it."""
    lines = [{**PLACED, "expectedRevision": n - 1} for n in range(3)]
    done = cli("save", "-", "--atomic", stdin=json_lines(*lines))
    assert (done.code, cli("query", "--count").out) == (0, "3\n")


def test_atomic_is_one_commit(cli: Cli) -> None:
    """All messages of --atomic have one timestamp, however many they are."""
    cli("save", "-", "--atomic", "--batch-size", "10", stdin=json_lines(*map(line_of, range(100))))
    assert len({m["timestamp"] for m in cli("query").lines}) == 1


def test_a_bad_first_line_saves_nothing(cli: Cli) -> None:
    """The statement says so when nothing was committed before the bad line."""
    done = cli("save", "-", stdin="nope\n")
    assert done.err.splitlines()[1] == "  nothing was saved"


def test_the_line_number_counts_through_batches(cli: Cli) -> None:
    """A refusal in a later batch has the number of the line in the whole input."""
    lines = json_lines(*map(line_of, range(25))) + "nope\n"
    done = cli("save", "-", "--batch-size", "10", stdin=lines)
    assert done.err.splitlines()[:2] == [
        "msgstore: line 26: not JSON: Expecting value at column 1",
        "  saved before it: 25 messages to 3 streams, positions 1–25",
    ]


def test_batches_are_commits(cli: Cli) -> None:
    """--batch-size bounds what shares a commit, and so a timestamp."""
    cli("save", "-", "--batch-size", "10", stdin=json_lines(*map(line_of, range(25))))
    stamps = [m["timestamp"] for m in cli("query").lines]
    assert [stamps.count(stamp) for stamp in dict.fromkeys(stamps)] == [10, 10, 5]


def test_each_line_of_a_slow_producer_is_seen_at_once(cli: Cli) -> None:
    """A line is committed when the input pauses: a follower prints it before the next is written."""
    cli.save(PLACED)
    writer = cli.start("save", "-")
    reader = cli.start("tail", "-f", "-n", "1", "--until-count", "6")
    assert writer.stdin is not None
    assert next_line(reader.stdout)["position"] == 1
    for number in range(5):
        writer.stdin.write(json_lines(line_of(number)).encode())
        writer.stdin.flush()
        assert next_line(reader.stdout)["message"]["data"] == {"n": number}
    _, said = writer.communicate()
    assert said.decode() == "saved 5 messages to 3 streams, positions 2–6\n"
    assert reader.wait() == 0
    reader.communicate()


def test_half_a_line_waits_for_its_other_half(cli: Cli) -> None:
    """A pause within a line commits what is complete, and no more."""
    cli.save(PLACED)
    writer, reader = (
        cli.start("save", "-"),
        cli.start("tail", "-f", "--from-position", "2", "--until-count", "2"),
    )
    assert writer.stdin is not None
    text = json_lines(line_of(1), line_of(2)).encode()
    writer.stdin.write(text[:-10])
    writer.stdin.flush()
    assert next_line(reader.stdout)["message"]["data"] == {"n": 1}
    writer.stdin.write(text[-10:])
    writer.stdin.flush()
    assert next_line(reader.stdout)["message"]["data"] == {"n": 2}
    writer.communicate()
    reader.communicate()


def test_an_interrupt_keeps_what_was_committed(cli: Cli) -> None:
    """Ctrl-C ends with 130 and without a traceback; committed lines stay."""
    cli.save(PLACED)
    writer, reader = (
        cli.start("save", "-"),
        cli.start("tail", "-f", "--from-position", "2", "--until-count", "1"),
    )
    assert writer.stdin is not None
    writer.stdin.write(json_lines(line_of(1)).encode())
    writer.stdin.flush()
    next_line(reader.stdout)
    writer.send_signal(signal.SIGINT)
    assert writer.wait() == 130
    assert (
        writer.communicate()[1].decode() == "interrupted; saved 1 message to 1 stream, position 2\n"
    )
    assert cli("query", "--count").out == "2\n"
    reader.communicate()


@pytest.mark.parametrize(
    "flags",
    [["-t", "T"], ["--data", "{}"], ["--id", "x"], ["--meta", "a=1"], ["a=1"], ["--kind", "event"]],
)
def test_flags_of_one_message_are_refused(cli: Cli, flags: list[str]) -> None:
    """What describes one message says nothing about lines: a usage error."""
    done = cli("save", "-", *flags, stdin=json_lines(PLACED))
    assert done.code == 2
    assert done.err.splitlines()[0].endswith("is for one message")
    assert not cli.store.exists()


@pytest.mark.parametrize("size", ["0", "-1", "x"])
def test_a_batch_has_at_least_one_line(cli: Cli, size: str) -> None:
    """--batch-size below 1 is a usage error."""
    assert cli("save", "-", "--batch-size", size).code == 2


def test_lines_are_stamped_with_the_session(cli: Cli) -> None:
    """--session holds for every line."""
    session = cli("sessions", "start").out.strip()
    cli("save", "-", "--session", "last", stdin=json_lines(PLACED, PLACED))
    assert {m["sessionId"] for m in cli("query").lines} == {session}


def test_a_key_that_stands_twice_counts_as_it_stands_last(cli: Cli) -> None:
    """Of duplicate keys in one object the last wins."""
    cli("save", "-", stdin='{"streamId": "s", "type": "T", "data": {"a": 1, "a": 2}}')
    assert cli("query", "-o", "raw").out == '{"a":2}\n'


def test_a_long_number_in_one_line_spoils_no_other(cli: Cli) -> None:
    """Lines that share a batch with a 20-digit number are stored as exactly."""
    numbers = ["18446744073709551615", "1", "-9223372036854775808", "1.5"]
    lines = "".join(f'{{"streamId": "s", "type": "T", "data": {n}}}\n' for n in numbers)
    cli("save", "-", stdin=lines)
    assert cli("query", "-o", "raw").out.split() == numbers


def test_progress_is_shown_on_a_terminal_only_when_it_takes_long(cli: Cli) -> None:
    """A save of less than half a second draws no progress on a terminal."""
    ours, theirs = open_terminal(80)
    process = cli.start("save", "-", stderr=theirs)
    os.close(theirs)
    process.communicate(json_lines(PLACED).encode())
    assert read_terminal(ours) == "saved 1 message to 1 stream, position 1\n"


def test_a_line_longer_than_any_message_is_refused(cli: Cli) -> None:
    """Input without line ends is refused at 96 MiB, and not gathered without limit."""
    process = cli.start("save", "-", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert process.stdin is not None
    try:
        for _ in range(200):
            process.stdin.write(b"x" * (1 << 20))
    except BrokenPipeError:
        pass
    assert process.wait() == 2
    assert process.stderr is not None
    assert b"a line of the input takes" in process.stderr.read()
