"""`msgstore run`: a command as a session, its signals, its end, its output."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from .harness import MSGSTORE, Cli, next_line

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

SIGNALS = ("INT", "TERM", "HUP", "QUIT", "USR1", "USR2", "WINCH", "TSTP", "CONT")

# Says which signals reach it, one a line of JSON, until its stdin ends.
LISTENER = f"""
import os, signal, sys
def tell(what):  # in one call, for a signal may come while the last one is told
    os.write(1, what + b"\\n")
for name in {SIGNALS}:
    signal.signal(getattr(signal, "SIG" + name), lambda n, f: tell(b"%d" % n))
tell(b'"ready"')
sys.stdin.read()
"""


@pytest.fixture
def runner(cli: Cli) -> Cli:
    """With `msgstore` and this Python on the path."""
    return cli.with_environment(PATH=f"{Path(MSGSTORE).parent}:{cli.environment['PATH']}")


def record_of(cli: Cli) -> tuple[dict[str, Any], dict[str, Any]]:
    """The data of the command and of the event of the last run."""
    begun, ended = cli("query", "--stream", "msgstore-runs", "--session", "last").lines
    return begun["message"]["data"], ended["message"]["data"]


class TestRecord:
    """What is on record of a run."""

    def test_a_session_with_a_command_and_an_event(self, runner: Cli) -> None:
        """The session has name, labels, status and end; the stream of runs what began and ended it."""
        done = runner("run", "--name", "n", "--label", "a=b", "--", "sh", "-c", "exit 3")
        assert (done.code, done.out, done.err) == (3, "", "")
        [session] = runner("sessions").lines
        assert (session["name"], session["labels"]) == ("n", {"a": "b"})
        assert (session["status"], session["messageCount"]) == ("exit 3", 2)
        assert "endedAt" in session
        begun, ended = runner("read", "msgstore-runs").lines
        assert (begun["messageType"], begun["message"]["type"]) == ("command", "msgstore.Run")
        assert begun["message"]["data"] == {
            "command": ["sh", "-c", "exit 3"],
            "host": os.uname().nodename,
            "folder": str(runner.folder),
        }
        assert (ended["messageType"], ended["message"]["type"]) == ("event", "msgstore.RunEnded")
        assert ended["message"]["data"].pop("durationMs") >= 0
        assert ended["message"]["data"] == {"exitCode": 3}
        assert ended["message"]["causationId"] == begun["message"]["id"]
        assert {m["message"]["requestId"] for m in (begun, ended)} == {session["sessionId"]}
        assert {m["sessionId"] for m in (begun, ended)} == {session["sessionId"]}

    def test_ok(self, runner: Cli) -> None:
        """Exit code 0 is the status ok; without a name the session is called like the command."""
        assert runner("run", "/bin/sh", "-c", "true").code == 0
        [session] = runner("sessions").lines
        assert (session["name"], session["status"]) == ("sh", "ok")

    def test_killed(self, runner: Cli) -> None:
        """A command that a signal kills is 128 and its number, and the signal's name."""
        assert runner("run", "--", "sh", "-c", "kill -KILL $$").code == 137
        _, ended = record_of(runner)
        assert (ended["exitCode"], ended["signal"]) == (137, "SIGKILL")
        assert runner("sessions").lines[0]["status"] == "signal SIGKILL"

    @pytest.mark.parametrize(
        ("command", "code"),
        [("no-such-command", 127), ("./no/such", 127), ("", 127), (".", 126), ("./plain", 126)],
    )
    def test_not_begun(self, runner: Cli, command: str, code: int) -> None:
        """What is not found is 127, what cannot be run 126, as in a shell; it is on record."""
        (runner.folder / "plain").write_text("no program")
        done = runner("run", "--", command)
        assert done.code == code
        assert done.err.startswith(f"msgstore: {command}: ")
        _, ended = record_of(runner)
        assert ended["exitCode"] == code
        assert ended["error"]
        assert runner("sessions").lines[0]["status"] == f"exit {code}"

    def test_nothing_is_active_afterwards(self, runner: Cli) -> None:
        """A run does not become the store's active session: others who save are not in it."""
        runner("run", "--", "true")
        assert runner("save", "s", "-t", "T").code == 0
        assert runner("query", "-t", "T").lines[0]["sessionId"] == "no-session"

    def test_arguments_are_handed_on_as_they_are(self, runner: Cli) -> None:
        """Flags after the command are its own, with and without `--`, and so are odd bytes."""
        odd = os.fsdecode(b"\xff")
        script = "import os, sys; print([os.fsencode(a) for a in sys.argv[1:]])"
        for dash in (["--"], []):
            done = runner("run", *dash, "python", "-c", script, "--name", "-o", "--", "", odd)
            assert (done.code, done.out) == (0, "[b'--name', b'-o', b'--', b'', b'\\xff']\n")
        begun, _ = record_of(runner)
        assert begun["command"][3:] == ["--name", "-o", "--", "", "\\udcff"]

    def test_streams_are_the_commands(self, runner: Cli) -> None:
        """stdin, stdout and stderr go through unchanged."""
        done = runner("run", "--", "sh", "-c", "cat; echo oops >&2", stdin=b"a\x00\nb")
        assert (done.out, done.err) == ("a\x00\nb", "oops\n")

    @pytest.mark.parametrize(
        "flags",
        [
            ["run"],
            ["run", "--"],
            ["run", "--capture-stream", "s", "--", "true"],
            ["run", "--label", "x", "--", "true"],
            ["run", "--correlation-id", "", "--", "true"],
            ["--store", "memory:", "run", "--", "true"],
        ],
    )
    def test_usage(self, runner: Cli, flags: list[str]) -> None:
        """What is wrong is exit 2, nothing is run and no store is made."""
        assert runner(*flags).code == 2
        assert not runner.store.exists()

    def test_a_store_that_cannot_be_used(self, runner: Cli) -> None:
        """Without a record nothing is run: exit 5."""
        (runner.folder / "file").write_text("")
        done = runner("--store", "file", "run", "--", "touch", "ran")
        assert done.code == 5
        assert not (runner.folder / "ran").exists()


class TestStamps:
    """What is saved inside a run."""

    def test_from_a_shell(self, runner: Cli) -> None:
        """Saves have session and correlation id, wherever the command has gone."""
        script = """cd / && msgstore save s -t A >/dev/null &&
                    echo '{"streamId":"s","type":"B"}' | msgstore save - -q"""
        assert runner("run", "--", "sh", "-c", script).code == 0
        begun, a, b, ended = runner("query").lines
        assert len({m["sessionId"] for m in (begun, a, b, ended)}) == 1
        assert len({m["message"]["correlationId"] for m in (begun, a, b, ended)}) == 1
        assert begun["message"]["correlationId"].startswith("run-")

    def test_from_python(self, runner: Cli) -> None:
        """open_store() without a path is the run's store, and its saves are stamped."""
        script = (
            "from msgstore import Message, open_store\n"
            "with open_store() as store:\n"
            "    store.save_message('s', Message('A'))\n"
            "    with store.transaction() as t:\n"
            "        t.save_message('s', Message('B', correlation_id='own'))\n"
            "        t.save_message('s', Message('C'))\n"
        )
        assert runner("run", "--correlation-id", "corr-1", "--", "python", "-c", script).code == 0
        begun, *saved, _ = runner("query").lines
        assert {m["sessionId"] for m in saved} == {begun["sessionId"]} != {"no-session"}
        assert begun["message"]["correlationId"] == "corr-1"
        assert [m["message"]["correlationId"] for m in saved] == ["corr-1", "own", "corr-1"]

    def test_flags_win(self, runner: Cli) -> None:
        """What a save says itself is what is stored."""
        save = "msgstore save s -t A --correlation-id own --session no-session --meta a=1"
        assert runner("run", "--", "sh", "-c", save).code == 0
        [a] = runner("query", "-t", "A").lines
        assert (a["message"]["correlationId"], a["sessionId"]) == ("own", "no-session")

    def test_another_store(self, runner: Cli) -> None:
        """A store of its own that the command uses has its own sessions, and is made where it is not."""
        script = """msgstore --store other save s -t A >/dev/null &&
            python -c 'import msgstore
with msgstore.open_store("third") as store: store.save_message("s", msgstore.Message("B"))'"""
        assert runner("run", "--", "sh", "-c", script).code == 0
        for store in ("other", "third"):
            [saved] = runner("--store", store, "query").lines
            assert saved["sessionId"] == "no-session"
            assert saved["message"]["correlationId"].startswith("run-")

    def test_what_was_copied_is_as_it_was(self, runner: Cli) -> None:
        """Lines of `query` keep what they have, and get nothing."""
        runner("--store", "old", "save", "s", "-t", "A")
        script = "msgstore --store old query | msgstore save - -q"
        assert runner("run", "--", "sh", "-c", script).code == 0
        assert "correlationId" not in runner("query", "-t", "A").lines[0]["message"]

    def test_a_trace(self, runner: Cli) -> None:
        """TRACEPARENT goes into the metadata of all, also outside of a run; a malformed one into none."""
        traced = runner.with_environment(TRACEPARENT=TRACE)
        traced("run", "--", "msgstore", "save", "s", "-t", "A", "--meta", "a=1")
        traced("save", "s", "-t", "A", "--meta", "traceparent=own")
        begun, a, ended, own = runner("query").lines
        assert (
            begun["message"]["metadata"] == ended["message"]["metadata"] == {"traceparent": TRACE}
        )
        assert a["message"]["metadata"] == {"a": "1", "traceparent": TRACE}
        assert own["message"]["metadata"] == {"traceparent": "own"}
        runner.with_environment(TRACEPARENT="00-x")("save", "s", "-t", "B")
        assert "metadata" not in runner("query", "-t", "B").lines[0]["message"]

    def test_a_correlation_id_that_is_none(self, runner: Cli) -> None:
        """A variable that holds none is exit 2, told by its name."""
        done = runner.with_environment(MSGSTORE_CORRELATION_ID="x" * 2000)("save", "s", "-t", "T")
        assert done.code == 2
        assert "MSGSTORE_CORRELATION_ID" in done.err

    def test_a_run_in_a_run(self, runner: Cli) -> None:
        """It has its own session, knows the other, and its correlation id begins with the other's."""
        assert runner("run", "--", "msgstore", "run", "--", "sh", "-c", "exit 4").code == 4
        outer, inner, inner_end, outer_end = runner("query").lines
        assert inner["message"]["data"]["parentSession"] == outer["sessionId"]
        prefix = outer["message"]["correlationId"] + "-"
        assert inner["message"]["correlationId"].startswith(prefix)
        assert inner_end["sessionId"] == inner["sessionId"] != outer_end["sessionId"]
        assert outer_end["message"]["data"]["exitCode"] == 4

    def test_a_session_that_the_command_ends(self, runner: Cli) -> None:
        """The exit code is the command's, its end is on record outside of the session, and it is said."""
        script = 'msgstore sessions end "$MSGSTORE_SESSION" --status mine -q; exit 6'
        done = runner("run", "--", "sh", "-c", script)
        assert done.code == 6
        assert done.err.endswith(" was ended before the command\n")
        ended = runner("query", "-t", "msgstore.RunEnded").lines[0]
        assert (ended["sessionId"], ended["message"]["data"]["exitCode"]) == ("no-session", 6)
        assert runner("sessions").lines[0]["status"] == "mine"

    def test_a_store_that_the_command_breaks(self, runner: Cli) -> None:
        """The exit code is the command's, and what is not on record is said."""
        done = runner("run", "--", "sh", "-c", "rm -r .msgstore && touch .msgstore; exit 6")
        assert done.code == 6
        assert "that the command has ended (exit 6) is not on record" in done.err

    def test_reading_needs_no_open_session(self, runner: Cli) -> None:
        """With an ended session in the environment open_store() reads, and a save is refused."""
        runner("run", "--", "true")
        [session] = runner("sessions").lines
        script = (
            "from msgstore import Message, SessionEnded, open_store\n"
            "with open_store() as store:\n"
            "    print(len(list(store.get_all_messages())))\n"
            "    try: store.save_message('s', Message('A'))\n"
            "    except SessionEnded: print('ended')\n"
        )
        after = runner.with_environment(MSGSTORE_SESSION=session["sessionId"])
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=runner.folder,
            env=dict(after.environment),
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == "2\nended\n"


class TestSignals:
    """Signals that are sent to `msgstore run` alone."""

    @pytest.mark.parametrize("name", SIGNALS)
    def test_are_passed_on_once(self, runner: Cli, name: str) -> None:
        """Each reaches the command once, and neither ends."""
        number = getattr(signal, f"SIG{name}")
        run = runner.start("run", "--", "python", "-c", LISTENER)
        assert next_line(run.stdout) == "ready"
        run.send_signal(number)
        assert next_line(run.stdout) == number
        out, err = run.communicate()
        assert (run.returncode, out, err) == (0, b"", b"")

    def test_a_command_that_dies_of_one(self, runner: Cli) -> None:
        """SIGTERM ends a command that does not handle it; the exit code and the record say so."""
        run = runner.start("run", "--", "sh", "-c", "echo 1; exec sleep 600")
        assert next_line(run.stdout) == 1
        run.terminate()
        run.communicate()
        assert run.returncode == 143
        assert record_of(runner)[1]["signal"] == "SIGTERM"

    def test_what_the_command_sends_its_parent(self, runner: Cli) -> None:
        """A command that signals its parent is not signalled by it."""
        done = runner("run", "--", "sh", "-c", "trap 'echo hit' TERM; kill -TERM $PPID; sleep 0.1")
        assert (done.code, done.out) == (0, "")

    def test_what_was_ignored_is_ignored(self, runner: Cli) -> None:
        """As under nohup: a signal that was ignored before is ignored by the command."""
        script = "trap '' HUP; exec msgstore run -- sh -c 'kill -HUP $$; echo alive'"
        assert runner.shell(script).out == "alive\n"

    def test_pipes_are_not_ignored(self, runner: Cli) -> None:
        """SIGPIPE kills the command as it does without msgstore: no error message, code 141."""
        script = "msgstore run -- sh -c 'seq 100000; true' | head -1; echo ${PIPESTATUS[0]}"
        assert runner.shell(script).out == "1\n0\n"
        script = "msgstore run -- seq 1000000 | head -1; echo ${PIPESTATUS[0]}"
        assert runner.shell(script).out == "1\n141\n"

    def test_nothing_is_blocked_in_the_command(self, runner: Cli) -> None:
        """The command has the signal mask of whoever called msgstore."""
        done = runner(
            "run", "--", "python", "-c", "import signal as s; print(s.pthread_sigmask(0, []))"
        )
        assert done.out == "set()\n"

    def test_msgstore_is_killed(self, runner: Cli) -> None:
        """SIGKILL of `msgstore run` leaves the command alone, its saves in the session, and that open."""
        run = runner.start(
            "run", "--", "sh", "-c", "echo 1; read go; msgstore save s -t Late; echo 2"
        )
        assert next_line(run.stdout) == 1
        run.kill()
        run.wait()
        assert run.stdin is not None
        run.stdin.write(b"\n")
        assert next_line(run.stdout)["count"] == 1
        assert next_line(run.stdout) == 2
        run.communicate()
        [session] = runner("sessions").lines
        assert "endedAt" not in session
        assert [m["message"]["type"] for m in runner("query", "--session", "last").lines] == [
            "msgstore.Run",
            "Late",
        ]
        [stuck] = runner("stuck", "-t", "msgstore.Run").lines
        assert stuck["sessionId"] == session["sessionId"]
        assert runner("sessions", "end", "last", "--status", "lost").code == 0


class TestCapture:
    """--capture-jsonl."""

    def test_lines_are_saved_and_passed_on(self, runner: Cli) -> None:
        """What comes out is what the command wrote; objects among it are messages of the session."""
        text = 'x\n{"type":"A","streamId":"s"}\n\n{"level":"info"}\nlast'
        (runner.folder / "text").write_text(text)
        done = runner("run", "--capture-jsonl", "--", "cat", "text")
        assert (done.code, done.out, done.err) == (0, text, "")
        _, a, line, ended = runner("query", "--session", "last").lines
        assert (a["streamId"], a["message"]["type"]) == ("s", "A")
        assert (line["streamId"], line["message"]["type"]) == ("msgstore-output", "msgstore.Output")
        assert line["message"]["data"] == {"level": "info"}
        assert line["message"]["correlationId"] == a["message"]["correlationId"] != ""
        counts = {"messages": 2, "refused": 0, "otherLines": 2}
        assert ended["message"]["data"]["captured"] == counts

    def test_a_stream_of_their_own(self, runner: Cli) -> None:
        """--capture-stream names where lines go that name none."""
        flags = ("run", "--capture-jsonl", "--capture-stream", "log", "--")
        assert runner(*flags, "echo", '{"a":1}').code == 0
        assert runner("query", "-t", "msgstore.Output").lines[0]["streamId"] == "log"

    def test_each_line_is_there_when_it_comes_out(self, runner: Cli) -> None:
        """A line that is read from the pipe has been saved."""
        run = runner.start(
            "run", "--capture-jsonl", "--", "sh", "-c", """echo '{"n":1}'; read go; exit 5"""
        )
        assert next_line(run.stdout) == {"n": 1}
        assert runner("query", "-t", "msgstore.Output").lines[0]["message"]["data"] == {"n": 1}
        run.communicate(b"\n")
        assert run.returncode == 5

    def test_a_line_of_16_mib(self, runner: Cli) -> None:
        """A line may be as long as a message may be large; one above is passed on and refused."""
        script = "import json; print(json.dumps('x' * {}).join(['{{\"a\":', '}}']))"
        for size, refused in ((16_000_000, 0), (17_000_000, 1)):
            command = ("python", "-c", script.format(size))
            done = runner("run", "--capture-jsonl", "--", *command)
            assert (done.code, len(done.out)) == (0, size + 9)
            assert record_of(runner)[1]["captured"]["refused"] == refused
            assert ("line 1 of the output was not saved" in done.err) is bool(refused)

    def test_a_command_that_closes_its_stdout(self, runner: Cli) -> None:
        """It is waited for all the same, and its exit code is told."""
        script = """echo '{"n":1}'; exec >&-; msgstore save s -t Later; exit 3"""
        done = runner("run", "--capture-jsonl", "--", "sh", "-c", script)
        assert (done.code, done.out) == (3, '{"n":1}\n')
        types = [m["message"]["type"] for m in runner("query", "--session", "last").lines]
        assert types == ["msgstore.Run", "msgstore.Output", "Later", "msgstore.RunEnded"]

    def test_what_stays_behind_is_not_waited_for(self, runner: Cli) -> None:
        """A process in the background that holds the pipe open does not keep the run from ending."""
        script = """echo '{"n":1}'; sleep 600 2>/dev/null & echo $! > pid; exit 2"""
        done = runner("run", "--capture-jsonl", "--", "sh", "-c", script)
        os.kill(int((runner.folder / "pid").read_text()), signal.SIGKILL)
        assert (done.code, done.out) == (2, '{"n":1}\n')

    def test_a_reader_that_leaves(self, runner: Cli) -> None:
        """When nobody reads any more the command is told by SIGPIPE, as without msgstore."""
        # Of some length: else what is in the pipe when the reader leaves is many messages.
        line = json.dumps({"x": "x" * 1000})
        script = f"msgstore run --capture-jsonl -- yes '{line}' | head -1; echo ${{PIPESTATUS[0]}}"
        assert runner.shell(script).out == f"{line}\n141\n"
        assert record_of(runner)[1]["signal"] == "SIGPIPE"

    def test_a_reader_that_takes_nothing(self, runner: Cli) -> None:
        """The command waits for whoever reads; a second signal ends the run, with an end on record."""
        run = runner.start("run", "--capture-jsonl", "--", "sh", "-c", "echo $$ >pid; yes x")
        assert run.stdout is not None
        assert run.stdout.read(2) == b"x\n"
        while (
            run.poll() is None
        ):  # the first for the command, the next for what waits with its output
            run.terminate()
            with suppress(subprocess.TimeoutExpired):
                run.wait(0.05)
        assert run.returncode == 143
        run.stdout.close()
        assert runner("sessions").lines[0]["status"] == "signal SIGTERM"

    def test_a_session_that_is_ended_meanwhile(self, runner: Cli) -> None:
        """Where nothing can be saved any more it is said, and the output still comes out whole."""
        script = """msgstore sessions end "$MSGSTORE_SESSION" -q; echo '{"n":1}'; echo '{"n":2}'"""
        done = runner("run", "--capture-jsonl", "--", "sh", "-c", script)
        assert (done.code, done.out) == (0, '{"n":1}\n{"n":2}\n')
        assert done.err.count("from here on the output is passed on and not saved") == 1

    def test_signals_reach_it(self, runner: Cli) -> None:
        """Captured or not, signals are passed on."""
        run = runner.start("run", "--capture-jsonl", "--", "python", "-c", LISTENER)
        assert next_line(run.stdout) == "ready"
        run.send_signal(signal.SIGINT)
        assert next_line(run.stdout) == signal.SIGINT
        run.communicate()
        assert run.returncode == 0

    def test_many_lines(self, runner: Cli) -> None:
        """20,000 lines are all saved, in order."""
        script = "for n in range(20_000): print('{\"n\":%d}' % n)"
        done = runner("run", "--capture-jsonl", "--", "python", "-c", script)
        assert done.out.count("\n") == 20_000
        read = runner("read", "msgstore-output", "-o", "raw").out.splitlines()
        assert [json.loads(line)["n"] for line in read] == list(range(20_000))
