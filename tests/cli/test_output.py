"""What data looks like: in every form, in pipes and on terminals."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata

import pytest

from .harness import Cli, plain

EVIL = "\x1b[31mred\x1b[0m\x07\u202eabc\u200b\x9b2J\u2028[bold]x[/bold]\ufeff"


@pytest.fixture(scope="module")
def store(shared_cli: Cli) -> Cli:
    shared_cli.save(
        {
            "streamId": "orders-1",
            "type": "PlaceOrder",
            "messageType": "command",
            "data": {"total": 100, "note": 'say "hi", ä'},
            "correlationId": "c-1",
            "metadata": {"k": [1]},
        },
        {"streamId": "orders-1", "type": "OrderPlaced", "data": "text"},
    )
    return shared_cli


class TestForms:
    """-o."""

    def test_a_pipe_gets_json_lines(self, store: Cli) -> None:
        """Without -o a pipe gets one compact object a line, in UTC, non-ASCII text as it is."""
        out = store("query").out
        assert out == store("query", "-o", "jsonl").out
        assert len(out.splitlines()) == 2
        assert '"note":"say \\"hi\\", ä"' in out
        assert re.search(r'"timestamp":"[^"]+Z"', out)

    def test_json_is_one_array(self, store: Cli) -> None:
        """-o json is one array of the same objects; an empty result is an empty array."""
        assert json.loads(store("query", "-o", "json").out) == store("query").lines
        assert store("query", "-o", "json", "--id", "nix").out == "[]\n"

    def test_raw_is_only_data(self, store: Cli) -> None:
        """-o raw prints the data alone, one JSON value a line, texts in quotes."""
        assert store("query", "-o", "raw").out == '{"total":100,"note":"say \\"hi\\", ä"}\n"text"\n'

    def test_pretty_is_indented(self, store: Cli) -> None:
        """-o pretty prints the same objects, indented."""
        out = store("query", "-o", "pretty").out
        assert out.startswith('{\n  "streamId": "orders-1",\n  "message": {\n')
        assert json.loads("[" + out.replace("}\n{", "},{") + "]") == store("query").lines

    def test_csv_is_rfc_4180(self, store: Cli) -> None:
        """-o csv has a header, CRLF, doubled quotes, empty cells for what is absent, JSON for data."""
        out = store("query", "-o", "csv").out.encode()
        assert out.count(b"\r\n") == 3
        rows = list(csv.DictReader(io.StringIO(out.decode(), newline="")))
        assert list(rows[0])[:7] == [
            "position",
            "timestamp",
            "streamId",
            "revision",
            "messageType",
            "message.type",
            "message.data",
        ]
        assert json.loads(rows[0]["message.data"]) == {"total": 100, "note": 'say "hi", ä'}
        assert (rows[0]["message.metadata"], rows[1]["message.metadata"]) == ('{"k":[1]}', "")
        assert (rows[1]["message.data"], rows[1]["position"]) == ('"text"', "2")

    def test_csv_of_nothing_is_the_header(self, store: Cli) -> None:
        """An empty result has its header all the same."""
        assert (
            store("query", "-o", "csv", "--id", "nix", "--fields", "position").out == "position\r\n"
        )

    def test_a_table_in_a_pipe_is_as_wide_as_it_needs(self, cli: Cli) -> None:
        """-o table in a pipe is not cut to 80 columns, and has no colours."""
        text = "x" * 300
        cli.save({"streamId": "s", "type": "T", "data": {"text": text}})
        out = cli("query", "-o", "table").out
        assert text in out
        assert "\x1b" not in out

    def test_wide_has_all_columns(self, store: Cli) -> None:
        """-o wide shows every column, also on a narrow terminal, also without values."""
        head = plain(store.terminal("query", "-o", "wide", columns=60).out).splitlines()[0].split()
        assert head == [
            *("#", "date", "time", "stream", "rev", "kind", "type", "correlation", "request"),
            *("causation", "session", "id", "produced", "data", "metadata"),
        ]

    def test_the_variable_chooses(self, store: Cli) -> None:
        """MSGSTORE_OUTPUT chooses where -o does not; -o is taken before and after the command."""
        by_variable = store.with_environment(MSGSTORE_OUTPUT="raw")
        assert by_variable("query").out == store("query", "-o", "raw").out
        assert by_variable("-o", "jsonl", "query").out == store("query").out
        assert by_variable("query", "-o", "jsonl").out == store("query").out

    @pytest.mark.parametrize("form", ["xml", "", "JSON"])
    def test_an_unknown_form(self, store: Cli, form: str) -> None:
        """A form that is none is exit 2, from the flag and from the variable."""
        assert store("query", "-o", form).code == 2
        if form:
            assert store.with_environment(MSGSTORE_OUTPUT=form)("query").code == 2

    def test_raw_is_for_messages(self, store: Cli) -> None:
        """-o raw of what has no data is exit 2."""
        assert store("streams", "-o", "raw").code == 2

    @pytest.mark.parametrize("form", ["table", "wide", "json", "jsonl", "csv", "pretty"])
    @pytest.mark.parametrize(
        "command",
        [
            *("query", "streams", "sessions", "stats", "stats --by type", "verify", "show 1"),
            *("repair", "rebuild-index"),
        ],
    )
    def test_every_command_in_every_form(self, store: Cli, command: str, form: str) -> None:
        """Every form works for every command that prints records."""
        done = store(*command.split(), "-o", form)
        assert (done.code, done.err) == (0, "")
        if form == "json":
            json.loads(done.out)


class TestFields:
    """--fields."""

    def test_selects(self, store: Cli) -> None:
        """The objects have exactly the fields that were asked for, in that order; absent ones not."""
        out = store("query", "--fields", "position,message.data.total,sessionId").out
        assert out == (
            '{"position":1,"message.data.total":100,"sessionId":"no-session"}\n'
            '{"position":2,"sessionId":"no-session"}\n'
        )

    def test_short_names(self, store: Cli) -> None:
        """Fields of the message go without `message.`; those of the envelope win."""
        assert store("query", "-n", "1", "--fields", "type,data.note,timestamp").lines[
            0
        ].keys() == {
            "type",
            "data.note",
            "timestamp",
        }

    def test_paths_into_lists_and_literal_keys(self, cli: Cli) -> None:
        """A path goes through list indexes, and a key that has dots itself is found."""
        cli.save({"streamId": "s", "type": "T", "data": {"items": [{"sku": "a"}], "a.b": 1}})
        assert cli("query", "--fields", "data.items.0.sku,data.a.b").lines == [
            {"data.items.0.sku": "a", "data.a.b": 1}
        ]

    def test_as_csv_and_table(self, store: Cli) -> None:
        """They are the columns of CSV and tables."""
        flags = ("--fields", "position,data.total")
        assert store("query", *flags, "-o", "csv").out == "position,data.total\r\n1,100\r\n2,\r\n"
        assert [row.split() for row in store("query", *flags, "-o", "table").out.splitlines()] == [
            ["position", "data.total"],
            ["1", "100"],
            ["2"],
        ]

    @pytest.mark.parametrize("fields", ["nix", "", "position,", "messagetype", "streamid"])
    def test_unknown_fields(self, store: Cli, fields: str) -> None:
        """A field that no message has is exit 2."""
        assert store("query", "--fields", fields).code == 2

    def test_other_records(self, store: Cli) -> None:
        """They select in streams, sessions and totals too."""
        assert store("streams", "--fields", "streamId,messageCount").lines == [
            {"streamId": "orders-1", "messageCount": 2}
        ]
        assert store("stats", "--fields", "totalMessages").lines == [{"totalMessages": 2}]


class TestTerminal:
    """On a terminal."""

    def test_a_table_in_local_time(self, store: Cli) -> None:
        """Without -o a terminal gets a table with local times and kinds by sign and word."""
        far = store.with_environment(TZ="Asia/Kolkata")
        utc = store("query").lines[0]["timestamp"]
        rows = plain(far.terminal("query", columns=120).out).splitlines()
        minutes = (int(utc[11:13]) * 60 + int(utc[14:16]) + 330) % 1440
        assert f" {minutes // 60:02}:{minutes % 60:02}:" in rows[1]
        assert "▶ command" in rows[1]
        assert "● event" in rows[2]

    @pytest.mark.parametrize("columns", [20, 40, 60, 80, 140])
    def test_no_line_is_wider_than_the_terminal(self, cli: Cli, columns: int) -> None:
        """Whatever the width, no line of a table runs over."""
        cli.save(
            {"streamId": "orders-" + "1" * 20, "type": "OrderPlaced", "data": {"text": "ä" * 200}},
            {
                "streamId": "日本",
                "type": "T",
                "data": {"日本": "語" * 100},
                "correlationId": "c" * 40,
            },
        )
        for command in (["query"], ["streams"], ["stats", "--by", "stream"], ["sessions"]):
            for line in plain(cli.terminal(*command, columns=columns).out).splitlines():
                wide = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)
                assert wide <= columns, (command, line)

    def test_data_gives_way_before_ids(self, cli: Cli) -> None:
        """On 80 columns ids and type stand in full, and data ends with an ellipsis."""
        stream, kind = "customer-orders-0123456789", "OrderPlacedByCustomer"
        cli.save({"streamId": stream, "type": kind, "data": {"text": "x" * 200}})
        row = plain(cli.terminal("query", columns=80).out).splitlines()[1]
        assert stream in row
        assert kind in row
        assert row.endswith("…")

    def test_extras_go_first(self, store: Cli) -> None:
        """Correlation and metadata are shown where there is room, and dropped where there is none."""
        head = [plain(store.terminal("query", columns=c).out).splitlines()[0] for c in (50, 140)]
        assert ["correlation" in line for line in head] == [False, True]
        assert ["metadata" in line for line in head] == [False, True]
        assert all("stream" in line and "type" in line for line in head)

    def test_a_stream_has_one_hue(self, cli: Cli) -> None:
        """The same stream has the same colour in every call."""
        cli.save({"streamId": "orders-1", "type": "A"}, {"streamId": "orders-1", "type": "B"})
        one, two = (
            re.findall(r"\x1b\[[\d;]*m(?=orders-1)", cli.terminal("query").out) for _ in range(2)
        )
        assert one == two
        assert len(set(one)) == 1

    def test_colours_can_be_left_out(self, store: Cli) -> None:
        """NO_COLOR, --color never and a dumb terminal have no colours; --color always wins."""
        assert "\x1b" in store.terminal("query").out
        assert "\x1b" not in store.with_environment(NO_COLOR="1").terminal("query").out
        assert "\x1b" not in store.with_environment(TERM="dumb").terminal("query").out
        assert "\x1b" not in store.terminal("query", "--color", "never").out
        assert (
            "\x1b"
            in store.with_environment(NO_COLOR="1")("query", "-o", "table", "--color", "always").out
        )

    def test_an_empty_result_is_said_on_stderr(self, store: Cli) -> None:
        """stdout stays empty, stderr says that there is nothing, -q does not."""
        done = store.terminal("query", "--id", "nix")
        assert (done.code, done.out, done.err) == (0, "", "no messages\n")
        assert store.terminal("query", "--id", "nix", "-q").err == ""

    @pytest.mark.parametrize(
        "changes", [{"LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "POSIX"}]
    )
    def test_without_unicode(self, store: Cli, changes: dict[str, str]) -> None:
        """Where there is no Unicode the signs are plain, and nothing fails."""
        done = store.with_environment(**changes).terminal("query", columns=120)
        assert done.code == 0
        assert "> command" in plain(done.out)
        assert "* event" in plain(done.out)
        assert "▶" not in done.out

    def test_json_needs_no_locale(self, store: Cli) -> None:
        """JSON is UTF-8 whatever the locale and encoding of stdout."""
        expected = store("query").out
        for changes in (
            {"LC_ALL": "C"},
            {"PYTHONIOENCODING": "latin-1"},
            {"PYTHONUTF8": "0", "LC_ALL": "C"},
        ):
            assert store.with_environment(**changes)("query").out == expected


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory, shared_cli: Cli) -> Cli:
    cli = Cli(tmp_path_factory.mktemp("evil"), shared_cli.environment)
    cli.save({"streamId": "s\u202e", "type": "T\u200b", "data": {EVIL: EVIL}, "metadata": EVIL})
    session = cli("sessions", "start", "--name", "n\u202e", "--label", "k\u200b=v\u202e")
    assert session.code == 0
    cli.save({"streamId": "s\u202e", "type": "T\u200b", "data": EVIL, "correlationId": "c\u202e"})
    return cli


class TestEscaping:
    """What a stored message contains can never act on the terminal."""

    ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\ufeff]")

    @pytest.mark.parametrize("form", ["table", "wide", "json", "jsonl", "csv", "raw", "pretty"])
    def test_no_form_lets_it_through(self, evil: Cli, form: str) -> None:
        """On a terminal every form shows control and format characters escaped."""
        shown = plain(evil.terminal("query", "-o", form, columns=400).out)
        assert not self.ACTING.search(shown.replace("\n", "").replace("\r", ""))
        assert "red" in shown

    @pytest.mark.parametrize(
        "command",
        ["streams", "sessions", "sessions show last", "stats --by type", "stats --by stream"],
    )
    def test_no_table_lets_it_through(self, evil: Cli, command: str) -> None:
        """Names of streams, types and sessions are escaped in all tables."""
        shown = plain(evil.terminal(*command.split(), columns=300).out)
        assert not self.ACTING.search(shown.replace("\n", ""))

    def test_tables_and_pretty_are_safe_in_pipes_too(self, evil: Cli) -> None:
        """What is drawn for people is escaped even in a pipe, where it may end in a pager."""
        for form in ("table", "wide", "pretty"):
            assert not self.ACTING.search(evil("query", "-o", form).out.replace("\n", ""))

    def test_json_in_a_pipe_is_untouched(self, evil: Cli) -> None:
        """Programs get the text as it was stored; on a terminal its JSON has the same value."""
        stored = evil("query", "-n", "1").lines[0]
        assert stored["message"]["data"] == {EVIL: EVIL}
        shown = evil.terminal("query", "-n", "1", "-o", "jsonl", columns=400).out
        assert json.loads(shown) == stored

    def test_markup_does_not_act(self, evil: Cli) -> None:
        """Markup of rich is text."""
        assert "[bold]x[/bold]" in plain(evil.terminal("query", columns=400).out)

    def test_errors_are_escaped(self, evil: Cli) -> None:
        """What an error repeats from the arguments or the store is escaped."""
        said = evil("query", "--since", "\x1b[31m").err + evil("show", "\x9b2J").err
        assert not self.ACTING.search(said.replace("\n", ""))


class TestPipes:
    """Where stdout goes."""

    def test_a_pipe_that_closes(self, cli: Cli) -> None:
        """`| head -1` is exit 0 on both sides, one line, and no noise."""
        cli("save", "s", "-", stdin='{"type":"T","data":"' + "x" * 50 + '"}\n' * 1)
        cli(
            "save",
            "s",
            "-",
            stdin='{"type":"T","data":{"text":"xxxxxxxxxxxxxxxxxxxxx"}}\n' * 20_000,
        )
        for form in ("jsonl", "json", "csv", "raw", "pretty", "table"):
            done = cli.shell(f"msgstore query -o {form} | head -1")
            assert (done.code, done.err, len(done.out.splitlines())) == (0, "", 1), form

    def test_help_into_a_pipe_that_closes(self, cli: Cli) -> None:
        """Help is text like any other."""
        done = cli.shell("msgstore query -h | head -1")
        assert (done.code, done.err) == (0, "")

    def test_a_full_disk(self, store: Cli) -> None:
        """Output that cannot be written is exit 5 with a reason."""
        done = store.shell("msgstore query > /dev/full")
        assert (done.code, done.err.splitlines()[0]) == (
            5,
            "msgstore: cannot write the output: No space left on device",
        )

    def test_no_stdout_at_all(self, store: Cli) -> None:
        """A closed stdout is no reason to fail."""
        done = store.shell("msgstore query >&-")
        assert (done.code, done.err) == (0, "")

    def test_no_stderr_at_all(self, store: Cli) -> None:
        """An error with nobody to tell still has its exit code."""
        assert store.shell("msgstore query --since nix 2>&-").code == 2

    def test_stdout_holds_data_only(self, cli: Cli) -> None:
        """Errors and notices never go to stdout."""
        for arguments in (
            ["query"],
            ["query", "--since", "x"],
            ["save", "s"],
            ["nix"],
            ["sessions", "end"],
        ):
            assert cli(*arguments).out == ""
