"""`msgstore wait`: until a message is there."""

from __future__ import annotations

import json
import signal
import subprocess

import pytest

from .harness import Cli, plain


def waiting(cli: Cli, *flags: str) -> subprocess.Popen[bytes]:
    return cli.start("wait", "--timeout", "60s", *flags)


@pytest.fixture
def store(cli: Cli) -> Cli:
    cli.save({"streamId": "s", "type": "T", "requestId": "r-1", "data": {"n": 1}})
    return cli


@pytest.mark.parametrize(
    "flags",
    [
        ["--request-id", "r-1"],
        ["-t", "T", "--from-position", "1"],
        ["-t", "T", "--since", "1h"],
        ["--session", "no-session"],
        ["--request-id", "r-1", "--where", "n=1"],
    ],
)
def test_what_is_there_counts_where_it_is_meant(store: Cli, flags: list[str]) -> None:
    """With an id, a session, a time or a position a message that is there already ends the wait."""
    done = store("wait", *flags, "--timeout", "60s")
    assert (done.code, done.err) == (0, "")
    assert done.out == store("query").out


@pytest.mark.parametrize("flags", [[], ["-t", "T"], ["--stream", "s"], ["--where", "n=1"]])
def test_else_only_what_comes_counts(store: Cli, flags: list[str]) -> None:
    """Without such a flag what is there is of the past: 124, and nothing is printed."""
    done = store("wait", *flags, "--timeout", "50ms")
    assert (done.code, done.out, done.err) == (124, "", "")


def test_what_arrives_ends_it(store: Cli) -> None:
    """The first message that matches ends it, and is printed as query prints it."""
    wait = waiting(store, "-t", "Done", "--from-position", "2")
    store.save({"streamId": "s", "type": "Other"})
    store.save({"streamId": "s", "type": "Done"}, {"streamId": "s", "type": "Done"})
    out, err = wait.communicate()
    assert (wait.returncode, err) == (0, b"")
    assert json.loads(out)["position"] == 3


def test_without_a_race(store: Cli) -> None:
    """A position that is taken before the cause misses no message, however early it came."""
    script = """
        from=$(($(msgstore query --count) + 1))
        msgstore save s -t Ready > /dev/null
        msgstore wait -t Ready --from-position "$from" --timeout 60s --fields position
    """
    assert store.shell(script).lines == [{"position": 2}]


def test_from_now_on(store: Cli) -> None:
    """A wait without a point begins at the end of the store, and is ended by what is saved after."""
    wait = waiting(store, "-t", "T")
    number = 1
    while wait.poll() is None:  # one of them comes after it has begun
        number += 1
        store.save({"streamId": "s", "type": "T", "data": {"n": number}})
    out, _ = wait.communicate()
    assert wait.returncode == 0
    assert 2 <= json.loads(out)["position"] <= number


def test_a_store_that_is_not_there_yet(cli: Cli) -> None:
    """It is waited for, which is said; nothing is made."""
    wait = waiting(cli, "-t", "T")
    assert wait.stderr is not None
    assert wait.stderr.readline().endswith(b"no message store here yet: waiting for it\n")
    assert not cli.store.exists()
    cli.save({"streamId": "s", "type": "T"})
    out, err = wait.communicate()
    assert (wait.returncode, err) == (0, b"")
    assert json.loads(out)["position"] == 1


def test_a_store_that_never_comes(cli: Cli) -> None:
    """Then it is a timeout as any."""
    assert cli("wait", "--timeout", "0").code == 124
    assert not cli.store.exists()


@pytest.mark.parametrize(
    "text", ["x", "", "-1", "5x", "1e3", "5 m 3", "nan", "inf", "m", "1.2.3s", "٣s"]
)
def test_what_is_no_duration(store: Cli, text: str) -> None:
    """Exit 2, with the forms that are taken."""
    done = store("wait", "--timeout", text)
    assert done.code == 2
    assert "is not a duration: 30, 30s, 500ms, 5m, 1h, 2d." in done.err


@pytest.mark.parametrize("text", ["0", "0.01", "10ms", "0.01s", "0 m", "0h", "0d", "0w"])
def test_a_duration(store: Cli, text: str) -> None:
    """Seconds, or a number and its unit."""
    assert store("wait", "--timeout", text).code == 124


def test_other_usage(store: Cli) -> None:
    """Wrong fields and filters fail at once, not when the message comes."""
    assert store("wait", "--fields", "nix").code == 2
    assert store("wait", "--where", "n").code == 2


def test_interrupted(cli: Cli) -> None:
    """Ctrl-C is 130, without a word."""
    wait = waiting(cli, "--request-id", "nix")
    assert wait.stderr is not None
    wait.stderr.readline()  # it has begun to wait
    wait.send_signal(signal.SIGINT)
    out, err = wait.communicate()
    assert (wait.returncode, out, err) == (130, b"", b"")


@pytest.mark.parametrize("form", ["table", "wide", "pretty", "json", "jsonl", "csv", "raw"])
def test_forms(store: Cli, form: str) -> None:
    """In every form it prints what query prints."""
    wait = store.terminal("wait", "--request-id", "r-1", "-o", form)
    assert wait.out == store.terminal("query", "--request-id", "r-1", "-o", form).out
    assert plain(wait.out)
