"""`msgstore save STREAM`: one message."""

from __future__ import annotations

import fcntl
import json

import pytest

from .harness import Cli


def saved(cli: Cli) -> list[dict[str, object]]:
    return cli("query").lines


def test_prints_its_result_as_json_in_a_pipe(cli: Cli) -> None:
    """In a pipe the result of a save is one JSON object with the places of the message."""
    done = cli("save", "orders-1", "-t", "OrderPlaced", "orderId=ord-1")
    assert (done.code, done.err) == (0, "")
    assert done.lines == [
        {
            "streamId": "orders-1",
            "firstRevision": 0,
            "lastRevision": 0,
            "firstPosition": 1,
            "lastPosition": 1,
            "count": 1,
            "duplicate": False,
        }
    ]


def test_prints_a_sentence_on_a_terminal(cli: Cli) -> None:
    """On a terminal the result is one sentence."""
    done = cli.terminal("save", "orders-1", "-t", "OrderPlaced")
    assert done.out == "saved OrderPlaced to orders-1: revision 0, position 1\n"


def test_quiet_leaves_out_the_sentence_but_not_the_json(cli: Cli) -> None:
    """-q silences the sentence, which is not data, and keeps the JSON, which is."""
    assert cli.terminal("save", "s", "-t", "T", "-q").out == ""
    assert cli("save", "s", "-t", "T", "-q").lines[0]["firstRevision"] == 1


def test_pairs_are_texts_and_json(cli: Cli) -> None:
    """key=text is text whatever it looks like; key:=json is a JSON value."""
    cli("save", "s", "-t", "T", "a=1", "b:=1", "c:=[true,null]", "d=x=y", "e=", "f=a:=b")
    assert saved(cli)[0]["message"]["data"] == {
        "a": "1",
        "b": 1,
        "c": [True, None],
        "d": "x=y",
        "e": "",
        "f": "a:=b",
    }


def test_pairs_go_over_data(cli: Cli) -> None:
    """Pairs win over --data where that is an object, and the last of two with one key wins."""
    cli("save", "s", "-t", "T", "--data", '{"a": 1, "b": 2}', "b:=3", "b:=4")
    assert saved(cli)[0]["message"]["data"] == {"a": 1, "b": 4}


def test_pairs_need_an_object_under_them(cli: Cli) -> None:
    """Pairs over --data that is no object are a usage error."""
    done = cli("save", "s", "-t", "T", "--data", "[1]", "a=1")
    assert (done.code, done.err.splitlines()[0]) == (
        2,
        "msgstore: --data is no object, so pairs cannot be added",
    )


@pytest.mark.parametrize("pair", ["novalue", "=x", ":=1"])
def test_a_pair_needs_key_and_value(cli: Cli, pair: str) -> None:
    """What is neither key=text nor key:=json is a usage error, and nothing is saved."""
    done = cli("save", "s", "-t", "T", pair)
    assert done.code == 2
    assert "is not a pair" in done.err
    assert not cli.store.exists()


def test_data_comes_from_a_file_or_stdin(cli: Cli) -> None:
    """--data @FILE and --data - read JSON of any kind; a byte order mark is passed over."""
    (cli.folder / "order.json").write_bytes(b'\xef\xbb\xbf{"total": 100}\r\n')
    cli("save", "s", "-t", "T", "--data", "@order.json")
    cli("save", "s", "-t", "T", "--data", "-", stdin="[1, 2]\n")
    assert [m["message"]["data"] for m in saved(cli)] == [{"total": 100}, [1, 2]]


def test_data_from_a_missing_file_is_a_usage_error(cli: Cli) -> None:
    """--data @FILE says which file cannot be read."""
    done = cli("save", "s", "-t", "T", "--data", "@nix.json")
    assert (done.code, done.err.splitlines()[0]) == (
        2,
        "msgstore: --data: nix.json: No such file or directory",
    )


def test_without_data_an_empty_object_is_saved(cli: Cli) -> None:
    """A message without data has {}."""
    cli("save", "s", "-t", "T")
    assert saved(cli)[0]["message"]["data"] == {}


def test_every_field_is_stored(cli: Cli) -> None:
    """Ids, producer's time and metadata come back as they were given."""
    cli(
        *("save", "s", "-t", "T", "--id", "m-1", "--request-id", "r-1"),
        *(
            "--correlation-id",
            "c-1",
            "--causation-id",
            "e-1",
            "--timestamp",
            "2026-01-02T03:04:05Z",
        ),
        *("--meta", "source=web", "--meta", "try:=2", "--kind", "command"),
    )
    message = saved(cli)[0]
    assert message["messageType"] == "command"
    assert message["message"] == {
        "type": "T",
        "data": {},
        "id": "m-1",
        "requestId": "r-1",
        "correlationId": "c-1",
        "causationId": "e-1",
        "timestamp": "2026-01-02T03:04:05.000Z",
        "metadata": {"source": "web", "try": 2},
    }


def test_a_time_without_zone_is_local(cli: Cli) -> None:
    """--timestamp without a zone is local time."""
    cli("save", "s", "-t", "T", "--timestamp", "2026-07-01T12:00")
    assert saved(cli)[0]["message"]["timestamp"] == "2026-07-01T10:00:00.000Z"


@pytest.mark.parametrize(
    ("stream", "flags", "kind"),
    [
        ("user-commands", [], "command"),
        ("OrderEvents", ["--request-id", "r"], "event"),
        ("orders", ["--request-id", "r"], "command"),
        ("orders", [], "event"),
        ("user-commands", ["--kind", "event"], "event"),
    ],
)
def test_kind_is_said_or_read_off(cli: Cli, stream: str, flags: list[str], kind: str) -> None:
    """--kind wins, then a word of the stream id, then a request id; else it is an event."""
    cli("save", stream, "-t", "T", *flags)
    assert saved(cli)[0]["messageType"] == kind


def test_the_same_id_twice_is_stored_once(cli: Cli) -> None:
    """Saving an id again with the same content prints the first places and duplicate true."""
    first = cli("save", "s", "-t", "T", "--id", "m-1", "a=1").lines[0]
    again = cli("save", "s", "-t", "T", "--id", "m-1", "a=1").lines[0]
    assert again == {**first, "duplicate": True}
    assert len(saved(cli)) == 1


def test_a_duplicate_is_told_on_a_terminal(cli: Cli) -> None:
    """On a terminal the sentence says that the message was there."""
    cli("save", "s", "-t", "T", "--id", "m-1")
    done = cli.terminal("save", "s", "-t", "T", "--id", "m-1")
    assert done.out == "T was saved before, to s: revision 0, position 1\n"


def test_an_id_with_other_content_is_refused(cli: Cli) -> None:
    """An id that is taken by other content is exit 2, and nothing is written."""
    cli("save", "s", "-t", "T", "--id", "m-1", "a=1")
    done = cli("save", "s", "-t", "T", "--id", "m-1", "a=2")
    assert (done.code, done.out, len(saved(cli))) == (2, "", 1)
    assert done.err.splitlines()[0].startswith("msgstore: message id 'm-1'")


@pytest.mark.parametrize(
    ("expected", "code"), [("none", 4), ("-1", 4), ("exists", 0), ("any", 0), ("0", 0), ("1", 4)]
)
def test_expected_revision_on_a_stream_at_0(cli: Cli, expected: str, code: int) -> None:
    """--expected-revision lets a save through only where the stream is; else exit 4, nothing written."""
    cli("save", "s", "-t", "T")
    done = cli("save", "s", "-t", "T", "--expected-revision", expected)
    assert done.code == code
    assert len(saved(cli)) == (1 if code else 2)


def test_a_stale_expectation_says_both_revisions(cli: Cli) -> None:
    """A mismatch names what was expected and where the stream is."""
    cli("save", "s", "-t", "T")
    done = cli("save", "s", "-t", "T", "--expected-revision", "none")
    assert done.err.splitlines() == [
        "msgstore: Expected revision -1 but stream is at revision 0",
        "  try: re-read the stream, decide again, and retry with its present revision",
    ]


@pytest.mark.parametrize("expected", ["x", "1.5", "-2", ""])
def test_a_bad_expectation_is_a_usage_error(cli: Cli, expected: str) -> None:
    """What is neither a revision nor one of the words is exit 2."""
    assert cli("save", "s", "-t", "T", "--expected-revision", expected).code == 2


def test_the_type_is_needed(cli: Cli) -> None:
    """Without -t it is a usage error that names both ways of saving; no store is made."""
    done = cli("save", "s", "a=1")
    assert done.code == 2
    assert done.err == (
        "msgstore: the type is missing\n"
        "  try: -t TYPE for one message, or - for JSON Lines from stdin\n"
    )
    assert not cli.store.exists()


REFUSED = {
    "NaN": ("NaN", "data.x: NaN is not JSON"),
    "Infinity": ("-Infinity", "data.x: -Infinity is not JSON"),
    "too-large-a-float": ("1e999", "data.x: Infinity is not JSON"),
    "2^70": ("1180591620717411303424", "data.x: the integer does not fit into 64 bits"),
    "-2^63-1": ("-9223372036854775809", "data.x: the integer does not fit into 64 bits"),
    "5000-digits": ("9" * 5000, "data.x: the integer does not fit into 64 bits"),
    "lone-surrogate": ('"\\ud800"', "data.x: lone surrogate U+D800 is not Unicode text"),
    "inside": ('{"y": [0, NaN]}', "data.x.y[1]: NaN is not JSON"),
    "100,000-levels": ("[" * 100_000 + "]" * 100_000, "JSON: nested deeper than 100"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_stored_is_refused_with_its_path(cli: Cli, name: str) -> None:
    """Values outside JSON or the limits are exit 2 with the path of the offender; no store is made."""
    text, reason = REFUSED[name]
    (cli.folder / "data.json").write_text(f'{{"x": {text}}}')
    done = cli("save", "s", "-t", "T", "--data", "@data.json")
    assert (done.code, done.err.splitlines()[0]) == (2, f"msgstore: {reason}")
    assert not cli.store.exists()


def test_nesting_deeper_than_100_is_refused(cli: Cli) -> None:
    """200 levels of lists are exit 2."""
    done = cli("save", "s", "-t", "T", "--data", "[" * 200 + "]" * 200)
    assert done.code == 2
    assert "nested deeper than 100" in done.err


def test_17_mib_are_refused(cli: Cli) -> None:
    """A message over 16 MiB is exit 2, and nothing is saved."""
    (cli.folder / "data.json").write_text('"' + "x" * (17 << 20) + '"')
    done = cli("save", "s", "-t", "T", "--data", "@data.json")
    assert done.code == 2
    assert "the limit is 16,777,216" in done.err
    assert cli("query", "--count").out in ("0\n", "")


@pytest.mark.parametrize(
    "number",
    [
        "18446744073709551615",
        "-9223372036854775808",
        "9007199254740993",
        "0.1234567890123456789",
        "1e30",
        "1.0",
        "-0.0",
    ],
)
def test_numbers_come_back_as_they_went_in(cli: Cli, number: str) -> None:
    """64-bit integers stay exact integers, and floats stay floats."""
    cli("save", "s", "-t", "T", f"x:={number}")
    stored = cli("query", "-o", "raw").out
    found = json.loads(stored)["x"]
    assert (repr(found), type(found)) == (repr(json.loads(number)), type(json.loads(number)))


@pytest.mark.parametrize(
    "data", ["{", "{'a': 1}", '{"a": 1,}', "hello", "", '{"a": 1} x', "\x00", "[1]\n[2]"]
)
def test_a_syntax_error_says_where(cli: Cli, data: str) -> None:
    """What is no JSON is exit 2 with the place where it stops to be."""
    done = cli("save", "s", "-t", "T", "--data", "-", stdin=data)
    assert done.code == 2
    assert done.err.startswith("msgstore: --data: not JSON: ")
    assert " column " in done.err.splitlines()[0]


def test_bytes_that_are_not_utf8_are_refused(cli: Cli) -> None:
    """Data in another encoding is exit 2."""
    done = cli("save", "s", "-t", "T", "--data", "-", stdin='"ä"'.encode("latin-1"))
    assert (done.code, done.err.splitlines()[0]) == (
        2,
        "msgstore: --data: not UTF-8: byte 0xe4 at offset 1",
    )


@pytest.mark.parametrize(
    "stream", ["orders/2026/ä", "../x", "/etc/passwd", "$all", "a b", "🛒", ".", "-", "x" * 1024]
)
def test_odd_stream_ids_are_only_names(cli: Cli, stream: str) -> None:
    """Any text is a stream id, and reaches nothing outside the store."""
    before = sorted(cli.folder.iterdir())
    if stream == "-":
        cli("save", "-", stdin='{"streamId": "-", "type": "T"}')
    else:
        cli("save", stream, "-t", "T")
    assert cli("read", stream).lines[0]["streamId"] == stream
    assert sorted(set(cli.folder.iterdir()) - set(before)) == [cli.store]


def test_a_stream_id_may_begin_with_a_dash(cli: Cli) -> None:
    """After -- every word is an argument."""
    cli("save", "-t", "T", "--", "--odd", "a=1")
    assert cli("read", "--", "--odd").lines[0]["message"]["data"] == {"a": "1"}


@pytest.mark.parametrize("stream", ["", "a\nb", "\x1b[31m", "x" * 1025])
def test_bad_stream_ids_are_refused(cli: Cli, stream: str) -> None:
    """Empty, too long, or with control characters: exit 2, and the message shows them escaped."""
    done = cli("save", stream, "-t", "T")
    assert done.code == 2
    assert "\x1b" not in done.err


def test_the_store_is_made_where_it_is_said(cli: Cli) -> None:
    """--store before or after the command wins over MSGSTORE_STORE, which wins over ./.msgstore."""
    cli("save", "s", "-t", "T")
    by_variable = cli.with_environment(MSGSTORE_STORE="variable")
    by_variable("save", "s", "-t", "T")
    by_variable("--store", "before", "save", "s", "-t", "T")
    by_variable("save", "s", "-t", "T", "--store", "after")
    made = {path.name for path in cli.folder.iterdir() if (path / "store.json").exists()}
    assert made == {".msgstore", "variable", "before", "after"}


def test_a_store_that_cannot_be_made_is_exit_5(cli: Cli) -> None:
    """A file in place of the store's folder is exit 5 with a reason and an advice."""
    (cli.folder / "occupied").write_text("not a store")
    done = cli("--store", "occupied", "save", "s", "-t", "T")
    assert (done.code, done.out, len(done.err.splitlines())) == (5, "", 2)


@pytest.mark.parametrize("durability", ["always", "batch", "os"])
def test_durability_can_be_chosen(cli: Cli, durability: str) -> None:
    """All three durabilities save."""
    assert cli("save", "s", "-t", "T", "--durability", durability).code == 0
    assert cli("query", "--count").out == "1\n"


def test_a_lock_that_is_not_obtained_is_exit_75(cli: Cli) -> None:
    """When another writer keeps the lock for longer than --lock-timeout, it is exit 75."""
    cli("save", "s", "-t", "T")
    with open(cli.store / "write.lock", "rb+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = cli("save", "s", "-t", "T", "--lock-timeout", "0.05")
    assert (done.code, done.out) == (75, "")
    assert done.err.splitlines()[1] == "  try: try again, or wait longer with --lock-timeout"


class TestSession:
    """Which session a save is stamped with."""

    def stamp(self, cli: Cli) -> object:
        return cli("query", "--last", "1").lines[0]["sessionId"]

    def test_none(self, cli: Cli) -> None:
        """Without any session the stamp is no-session."""
        cli("save", "s", "-t", "T")
        assert self.stamp(cli) == "no-session"

    def test_flag_over_variable_over_active(self, cli: Cli) -> None:
        """--session wins over MSGSTORE_SESSION, which wins over the store's active session."""
        one, two, three = (cli("sessions", "start").out.strip() for _ in range(3))
        cli("save", "s", "-t", "T")
        assert self.stamp(cli) == three
        variable = cli.with_environment(MSGSTORE_SESSION=two)
        variable("save", "s", "-t", "T")
        assert self.stamp(cli) == two
        variable("save", "s", "-t", "T", "--session", one)
        assert self.stamp(cli) == one

    def test_none_on_purpose(self, cli: Cli) -> None:
        """--session no-session passes over the active one."""
        cli("sessions", "start")
        cli("save", "s", "-t", "T", "--session", "no-session")
        assert self.stamp(cli) == "no-session"

    def test_ended(self, cli: Cli) -> None:
        """A session that has ended takes no messages: exit 2."""
        cli("sessions", "start")
        cli("sessions", "end")
        done = cli("save", "s", "-t", "T", "--session", "last")
        assert (done.code, cli("query", "--count").out) == (2, "0\n")
        assert "has ended" in done.err

    def test_unknown(self, cli: Cli) -> None:
        """An unknown session is exit 2, and nothing is saved."""
        cli("save", "s", "-t", "T")
        assert cli("save", "s", "-t", "T", "--session", "nix").code == 2
        assert cli("query", "--count").out == "1\n"

    def test_empty(self, cli: Cli) -> None:
        """An empty --session is exit 2; an empty variable is none."""
        cli("save", "s", "-t", "T")
        assert cli("save", "s", "-t", "T", "--session", "").code == 2
        assert cli.with_environment(MSGSTORE_SESSION="")("save", "s", "-t", "T").code == 0

    def test_makes_no_store(self, cli: Cli) -> None:
        """A save into a named session does not make a store: there is no such session in it."""
        assert cli("save", "s", "-t", "T", "--session", "nix").code == 5
        assert not cli.store.exists()


def test_flags_of_lines_are_refused_for_one_message(cli: Cli) -> None:
    """--atomic with one message is a usage error, not passed over."""
    assert cli("save", "s", "-t", "T", "--atomic").code == 2


def test_a_wrong_output_fails_before_the_save(cli: Cli) -> None:
    """An output that cannot show a result is refused before anything is written."""
    assert cli("save", "s", "-t", "T", "-o", "raw").code == 2
    assert not cli.store.exists()


def test_the_result_as_csv(cli: Cli) -> None:
    """-o csv prints the result as a header and a row."""
    out = cli("save", "s", "-t", "T", "-o", "csv", "--fields", "streamId,firstPosition").out
    assert out == "streamId,firstPosition\r\ns,1\r\n"
