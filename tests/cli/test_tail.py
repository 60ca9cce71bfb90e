"""`msgstore tail`: the latest messages, those to come, and where it was left."""

from __future__ import annotations

import json
import signal
import subprocess

import pytest

from .harness import Cli, next_line, plain


@pytest.fixture
def store(cli: Cli) -> Cli:
    """Twenty messages: `n` from 1 to 20 at that position, in streams `odd` and `even`."""
    cli.save(*(message(n) for n in range(1, 21)))
    return cli


def message(n: int) -> dict[str, object]:
    return {"streamId": "odd" if n % 2 else "even", "type": "T", "data": {"n": n}}


def positions(cli: Cli, *flags: str) -> list[int]:
    done = cli("tail", *flags)
    assert (done.code, done.err) == (0, "")
    return [m["position"] for m in done.lines]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("", [11, 12, 13, 14, 15, 16, 17, 18, 19, 20]),
        ("-n 3", [18, 19, 20]),
        ("-n 0", []),
        ("odd -n 2", [17, 19]),
        ("--stream even -n 2", [18, 20]),
        ("--where n<=4 -n 2", [3, 4]),
        ("--to-position 5 -n 2", [4, 5]),
        ("--from-position 8", list(range(8, 21))),
        ("--from-position 8 -n 2", [19, 20]),
        ("nix", []),
        ("--until-count 2", [11, 12]),
    ],
)
def test_the_last_messages(store: Cli, flags: str, expected: list[int]) -> None:
    """The last 10, or -n, of what matches, in order; from a position on all."""
    assert positions(store, *flags.split()) == expected


@pytest.mark.parametrize(
    "flags",
    [
        "odd --stream even",
        "--timeout 1",
        "-f --until-count 0",
        "-f --timeout x",
        "-n x",
        "-f --timeout -1",
    ],
)
def test_usage(store: Cli, flags: str) -> None:
    """Flags that contradict each other or the language are exit 2."""
    assert store("tail", *flags.split()).code == 2


def test_follows_what_arrives(store: Cli) -> None:
    """With -f each message that arrives is printed at once, after those that were there."""
    reader = store.start("tail", "-f", "-n", "1")
    assert next_line(reader.stdout)["position"] == 20
    for n in range(21, 24):
        store.save(message(n))
        assert next_line(reader.stdout)["position"] == n
    reader.send_signal(signal.SIGINT)
    out, err = reader.communicate()
    assert (reader.returncode, out, err) == (130, b"", b"")


def test_follows_with_a_filter(store: Cli) -> None:
    """Filters hold for what arrives too."""
    reader = store.start(
        "tail", "-f", "odd", "--from-position", "21", "--where", "n>21", "--until-count", "1"
    )
    store.save(*(message(n) for n in range(21, 26)))
    assert next_line(reader.stdout)["position"] == 23
    assert reader.wait() == 0
    reader.communicate()


def test_a_timeout_ends_with_124(store: Cli) -> None:
    """With -f --timeout it is exit 124 when nothing comes for so long; what was there is printed."""
    done = store("tail", "-f", "-n", "1", "--timeout", "0.05")
    assert (done.code, [m["position"] for m in done.lines], done.err) == (124, [20], "")


def test_a_count_that_is_reached_is_exit_0(store: Cli) -> None:
    """--until-count ends with 0 before any timeout."""
    done = store("tail", "-f", "--until-count", "2", "--timeout", "60")
    assert (done.code, [m["position"] for m in done.lines]) == (0, [11, 12])


def test_an_interrupted_array_is_closed(store: Cli) -> None:
    """-o json prints one array, complete even after Ctrl-C."""
    reader = store.start("tail", "-f", "-n", "1", "-o", "json")
    assert reader.stdout is not None
    begin = reader.stdout.readline() + reader.stdout.read(1)
    reader.send_signal(signal.SIGINT)
    rest, _ = reader.communicate()
    assert [m["position"] for m in json.loads(begin + rest)] == [20]


def test_a_reader_that_leaves_ends_it(store: Cli) -> None:
    """When the pipe is closed, the next message ends -f with exit 0 and no noise."""
    reader = store.start("tail", "-f", "-n", "1")
    next_line(reader.stdout)
    assert reader.stdout is not None
    reader.stdout.close()
    store.save(message(21))
    assert reader.wait() == 0
    assert reader.stderr is not None
    assert reader.stderr.read() == b""


def test_follows_in_a_table(store: Cli) -> None:
    """On a terminal the head is drawn once, and the timeout is no error message."""
    done = store.terminal("tail", "-f", "-n", "2", "--timeout", "0.05")
    rows = plain(done.out).splitlines()
    assert (done.code, len(rows)) == (124, 3)
    assert rows[0].split()[:2] == ["#", "time"]


class TestCursor:
    """--cursor-file."""

    def test_resumes_after_what_was_printed(self, store: Cli) -> None:
        """The first call prints as without; each later one all that came since, whatever -n says."""
        flags = ("--cursor-file", "seen", "-n", "2")
        assert positions(store, *flags) == [19, 20]
        assert positions(store, *flags) == []
        store.save(*(message(n) for n in range(21, 34)))
        assert positions(store, *flags) == list(range(21, 34))
        assert positions(store, *flags) == []

    def test_says_where_and_in_which_store(self, store: Cli) -> None:
        """The file holds the store, the position, and a fingerprint of the message there."""
        positions(store, "--cursor-file", "seen")
        kept = json.loads((store.folder / "seen").read_text())
        identity = json.loads((store.store / "store.json").read_text())
        assert set(kept) == {"store", "position", "fingerprint"}
        assert kept["position"] == 20
        assert kept["store"] in identity.values()
        assert int(kept["fingerprint"], 16) >= 0

    def test_nothing_but_the_file_is_left(self, store: Cli) -> None:
        """The file is replaced as a whole, and no temporary one stays behind."""
        positions(store, "--cursor-file", "seen")
        assert {path.name for path in store.folder.iterdir()} == {"seen", ".msgstore"}

    def test_marks_the_present(self, store: Cli) -> None:
        """With -n 0 the first call prints nothing and marks where the store ends."""
        assert positions(store, "--cursor-file", "seen", "-n", "0") == []
        store.save(message(21))
        assert positions(store, "--cursor-file", "seen", "-n", "0") == [21]

    def test_an_empty_store_has_a_cursor(self, cli: Cli) -> None:
        """A cursor on a store without messages is position 0, and misses nothing."""
        cli("sessions", "start")
        assert positions(cli, "--cursor-file", "seen") == []
        cli.save(*(message(n) for n in range(1, 13)))
        assert positions(cli, "--cursor-file", "seen") == list(range(1, 13))

    def test_with_filters(self, store: Cli) -> None:
        """What does not match is passed over for good; what matches comes once."""
        flags = ("odd", "--cursor-file", "seen")
        assert positions(store, *flags)[-1] == 19
        store.save(*(message(n) for n in range(21, 25)))
        assert positions(store, *flags) == [21, 23]

    def test_until_count_stops_in_the_middle(self, store: Cli) -> None:
        """After --until-count the cursor stands at the last message that was printed."""
        flags = ("--from-position", "1", "--cursor-file", "seen", "--until-count", "7")
        assert [positions(store, *flags) for _ in range(3)] == [
            list(range(1, 8)),
            list(range(8, 15)),
            list(range(15, 21)),
        ]

    def test_after_an_interrupt(self, store: Cli) -> None:
        """Ctrl-C while following leaves the cursor at the last message that was printed."""
        reader = store.start("tail", "-f", "-n", "1", "--cursor-file", "seen")
        next_line(reader.stdout)
        for n in (21, 22):
            store.save(message(n))
            assert next_line(reader.stdout)["position"] == n
        reader.send_signal(signal.SIGINT)
        reader.communicate()
        assert reader.returncode == 130
        store.save(message(23))
        assert positions(store, "--cursor-file", "seen") == [23]

    @pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
    def test_a_consumer_that_dies_misses_nothing(self, store: Cli, end: signal.Signals) -> None:
        """However it ends while following, the next run goes on: nothing missed, at most one again."""
        reader = store.start("tail", "-f", "-n", "1", "--cursor-file", "seen")
        next_line(reader.stdout)
        store.save(*(message(n) for n in range(21, 300)))
        printed = [next_line(reader.stdout)["position"] for _ in range(50)]
        reader.send_signal(end)
        out, _ = reader.communicate()
        printed += [json.loads(line)["position"] for line in out.splitlines()]
        resumed = positions(store, "--cursor-file", "seen")
        assert printed[-1] + 1 - resumed[0] in ((0,) if end is signal.SIGINT else (0, 1))
        assert sorted({*printed, *resumed}) == list(range(21, 300))

    def test_after_a_timeout(self, store: Cli) -> None:
        """A timeout leaves the cursor right, and the exit code is 124."""
        assert store("tail", "-f", "--cursor-file", "seen", "--timeout", "0.05").code == 124
        store.save(message(21))
        assert positions(store, "--cursor-file", "seen") == [21]

    def test_a_pipe_that_closes_does_not_move_it(self, store: Cli) -> None:
        """Messages that nobody took are printed again."""
        reader = store.start("tail", "--cursor-file", "seen", stdout=subprocess.PIPE)
        assert reader.stdout is not None
        reader.stdout.close()
        reader.communicate()
        assert reader.returncode == 0
        assert len(positions(store, "--cursor-file", "seen")) == 10

    def test_another_store_is_refused(self, store: Cli) -> None:
        """A cursor of another store is exit 2, with how to start over; nothing is printed."""
        positions(store, "--cursor-file", "seen")
        store("--store", "other", "save", "s", "-t", "T")
        done = store("--store", "other", "tail", "--cursor-file", "seen")
        assert (done.code, done.out) == (2, "")
        assert done.err.splitlines() == [
            "msgstore: --cursor-file: seen belongs to another store",
            "  try: delete seen to start over",
        ]

    def test_a_replaced_history_is_refused(self, store: Cli) -> None:
        """A cursor whose message is no longer what it was is exit 2, with how to start over."""
        positions(store, "--cursor-file", "seen")
        kept = json.loads((store.folder / "seen").read_text())
        for change in ({"fingerprint": "00"}, {"position": 99}):
            (store.folder / "seen").write_text(json.dumps(kept | change))
            done = store("tail", "--cursor-file", "seen")
            assert (done.code, done.out) == (2, "")
            assert "the history was replaced" in done.err

    @pytest.mark.parametrize(
        "content", ["", "nope", "[]", "{}", '{"position": "1"}', "\x00" * 9000]
    )
    def test_a_file_that_is_no_cursor_is_refused(self, store: Cli, content: str) -> None:
        """Another file in its place is exit 2, and is left as it was."""
        (store.folder / "seen").write_text(content)
        assert store("tail", "--cursor-file", "seen").code == 2
        assert (store.folder / "seen").read_text() == content

    def test_a_cursor_that_cannot_be_kept_is_exit_5(self, store: Cli) -> None:
        """A cursor file in a folder that does not exist is exit 5."""
        assert store("tail", "--cursor-file", "nix/seen").code == 5

    def test_an_empty_name_is_refused(self, store: Cli) -> None:
        """--cursor-file needs a name."""
        assert store("tail", "--cursor-file", "").code == 2
