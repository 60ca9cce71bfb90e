"""Ctrl-C while something is committed: what is said to be saved is what is on record."""

import os
import subprocess
import sys

import pytest

from .harness import Cli, Done, json_lines, open_terminal, read_terminal

INTERRUPTED = """if True:
    import os, signal, sys
    from msgstore import FileMessageStore
    from msgstore.cli.app import main
    from msgstore.cli.render import progress
    progress._FIRST_AFTER_S = progress._EVERY_S = 0
    moment = sys.argv.pop(1)
    left = 2 if moment == "behind the second" else 1
    def interrupt():
        signal.raise_signal(signal.SIGINT)
    def interrupted(method):
        def call(*arguments):
            if moment == "twice":
                interrupt()
                interrupt()
            if moment == "for long":
                interrupt()
                while True:
                    signal.pause()
            result = method(*arguments)
            global left
            left -= 1
            if not left:
                interrupt()
            return result
        return call
    if moment == "at a sync":
        os.fdatasync = interrupted(os.fdatasync)
    for name in ("save_each", "save_encoded"):
        setattr(FileMessageStore, name, interrupted(getattr(FileMessageStore, name)))
    if moment == "ignored":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(main())
"""
"""msgstore, but that a Ctrl-C comes behind a commit, or during one. It shows progress at once."""

LINES = json_lines(*({"streamId": "s", "message": {"type": "T", "data": n}} for n in range(3)))
ODD_LINES = json_lines(
    {"streamId": "s", "message": {"type": "T", "data": 0}, "expectedRevision": -1}
)
DOUBT = "; what was being saved just then may be there, too\n"


def interrupted(cli: Cli, moment: str, *arguments: str, stdin: str = "") -> Done:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, moment, *arguments],
        input=stdin.encode(),
        cwd=cli.folder,
        env=dict(cli.environment),
        capture_output=True,
        check=False,
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        (["save", "-"], LINES, "saved 3 messages to 1 stream, positions 1–3"),
        (["save", "-"], ODD_LINES, "saved 1 message to 1 stream, position 1"),
        (["save", "-", "--batch-size", "2"], LINES, "saved 2 messages to 1 stream, positions 1–2"),
        (["import", "-", "--batch-size", "2"], LINES, "imported 2 messages, positions 1–2"),
    ],
)
def test_a_commit_that_is_on_record_is_counted(
    cli: Cli, arguments: list[str], stdin: str, said: str
) -> None:
    """Ctrl-C behind a commit and before it is counted is obeyed when it is: exit code 130."""
    done = interrupted(cli, "behind", *arguments, stdin=stdin)
    assert (done.code, done.out, done.err) == (130, "", f"interrupted; {said}\n")
    number = said.split()[1]
    assert cli("query", "--count").out == f"{number}\n"


def test_a_commit_together(cli: Cli) -> None:
    """With --atomic there is one commit, and it is counted, too."""
    cli("save", "other", "-t", "T")
    done = interrupted(cli, "at a sync", "save", "-", "--atomic", stdin=LINES)
    assert (done.code, done.err) == (
        130,
        "interrupted; saved 3 messages to 1 stream, positions 2–4\n",
    )


@pytest.mark.parametrize("moment", ["twice", "for long"])
@pytest.mark.parametrize(
    ("command", "said"),
    [("save", "saved 0 messages"), ("import", "imported 0 messages")],
)
def test_a_commit_that_does_not_end(cli: Cli, moment: str, command: str, said: str) -> None:
    """It is broken off by a second Ctrl-C, or after a while; the doubt is said."""
    done = interrupted(cli, moment, command, "-", stdin=LINES)
    assert (done.code, done.err) == (130, f"interrupted; {said}{DOUBT}")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["save", "-"], "saved 2 messages to 1 stream, positions 4–5"),
        (["import", "-"], "imported 2 messages, positions 4–5"),
        (
            ["copy", ".msgstore", "other"],
            "copied before it: 2 messages, positions 1–2; run it again, and it goes on from there",
        ),
    ],
)
def test_the_progress_has_gone_before(cli: Cli, arguments: list[str], said: str) -> None:
    """On a terminal the summary stands in a line of its own."""
    cli("save", "-", stdin=LINES)
    ours, theirs = open_terminal(80)
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, "behind the second", *arguments, "--batch-size", "1"],
        cwd=cli.folder,
        env=dict(cli.environment),
        stdin=subprocess.PIPE,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    assert process.stdin is not None
    process.stdin.write(LINES.encode())
    process.stdin.close()
    shown = read_terminal(ours)
    assert process.wait() == 130
    assert "\r\x1b[K1 message " in shown
    assert shown.rpartition("\r\x1b[K")[2] == f"interrupted; {said}\n"


def test_ignored(cli: Cli) -> None:
    """Where Ctrl-C is ignored, as under nohup, it stays ignored."""
    done = interrupted(cli, "ignored", "save", "-", stdin=LINES)
    assert (done.code, done.err) == (0, "saved 3 messages to 1 stream, positions 1–3\n")
