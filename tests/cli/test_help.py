"""Help."""

from __future__ import annotations

import sys

import pytest

from .harness import Cli

COMMANDS = [
    *("", "save", "read", "query", "tail", "stats", "streams", "show", "verify", "repair"),
    *("rebuild-index", "run", "wait", "stuck", "trace", "diff", "latency"),
    *("sessions", "sessions show", "sessions start", "sessions end"),
    *("backup", "restore", "dump", "dump record", "dump row", "dump journal", "dump hint"),
    *("dump frame", "export", "import", "copy", "report"),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(cli: Cli, command: str) -> None:
    """-h and --help print the same on stdout, with examples that begin with the command, in 80 columns."""
    done = cli(*command.split(), "-h")
    assert (done.code, done.err) == (0, "")
    assert done.out == cli(*command.split(), "--help").out
    assert "\nExamples:\n  " in done.out
    assert f"msgstore {command}".strip() in done.out.split("Examples:")[1]
    assert max(map(len, done.out.splitlines())) <= 100


def test_examples_are_not_rewrapped(cli: Cli) -> None:
    """Lines of the epilog stay lines."""
    assert "\n  msgstore save - < messages.jsonl\n" in cli("save", "-h").out


def test_version(cli: Cli) -> None:
    """--version prints name and version."""
    import msgstore

    assert cli("--version").out == f"msgstore {msgstore.__version__}\n"


def test_without_a_script(cli: Cli) -> None:
    """`python -m msgstore` is the command, by the same name."""
    import msgstore

    done = cli.shell(
        f"{sys.executable} -m msgstore --version && {sys.executable} -m msgstore --bad"
    )
    assert (done.code, done.out) == (2, f"msgstore {msgstore.__version__}\n")
    assert "try: msgstore -h" in done.err


def test_help_does_not_need_a_store(cli: Cli) -> None:
    """Help makes nothing."""
    cli("save", "-h")
    assert not cli.store.exists()
