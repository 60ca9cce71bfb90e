"""How commands fail."""

from __future__ import annotations

import io
import signal

import pytest

from msgstore.cli.app import run

from .harness import Cli


@pytest.mark.parametrize(
    "command",
    [
        "read s",
        "query",
        "query --count",
        "tail",
        "tail -f",
        "streams",
        "stats",
        "show 1",
        "verify",
        "repair",
        "repair --apply",
        "rebuild-index",
        "sessions",
    ],
)
def test_a_missing_store(cli: Cli, command: str) -> None:
    """Only save and sessions start make a store; all else is exit 5, with why and what to try."""
    done = cli(*command.split())
    assert (done.code, done.out) == (5, "")
    assert [line[:2] for line in done.err.splitlines()] == ["ms", "  "]
    assert done.err.splitlines()[0].endswith(".msgstore: no message store here")
    assert "MSGSTORE_STORE" in done.err.splitlines()[1]
    assert not cli.store.exists()


@pytest.mark.parametrize(
    ("arguments", "why", "what"),
    [
        (["savee"], "No such command 'savee'. Did you mean 'save'?", "msgstore -h"),
        (["save"], "Missing argument 'STREAM'.", "msgstore save -h"),
        (["query", "--zzz"], "No such option: --zzz", "msgstore query -h"),
        (["query", "x"], "Got unexpected extra argument(s) (x)", "msgstore query -h"),
        (["query", "--since"], "Option '--since' requires an argument.", "msgstore -h"),
        (
            ["--color", "blue", "query"],
            "Invalid value for '--color': 'blue' is not one of auto, always, never.",
            "msgstore -h",
        ),
        (["--store", "", "query"], "Invalid value for '--store': it is empty.", "msgstore -h"),
        (
            ["--store", "ftp://x", "query"],
            "store: no backend serves ftp: URLs; use a path, file:, memory: or nats:",
            None,
        ),
    ],
)
def test_usage_errors(cli: Cli, arguments: list[str], why: str, what: str | None) -> None:
    """A usage error is exit 2, one line of why, and one of what to try."""
    done = cli(*arguments)
    first, second = done.err.splitlines()
    assert (done.code, done.out, first) == (2, "", f"msgstore: {why}")
    assert second.startswith("  try: ")
    assert what is None or second == f"  try: {what}"


def test_nothing_to_do_prints_help(cli: Cli) -> None:
    """msgstore alone prints its help on stderr, and is exit 2."""
    done = cli()
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Usage: msgstore ")


def test_debug_shows_the_traceback(cli: Cli) -> None:
    """--debug shows where an error comes from; without it there is no traceback."""
    assert "Traceback" in cli("--debug", "query").err
    assert "Traceback" in cli("query", "--debug").err
    assert "Traceback" not in cli("query").err


def test_a_bug_is_exit_70(cli: Cli) -> None:
    """An error that nobody foresaw is one line, an advice, and exit 70."""
    (cli.folder / "sitecustomize.py").write_text(
        "import msgstore.model.filter as f\n"
        "def broken(self): raise ZeroDivisionError('oops')\n"
        "f.MessageFilter.__post_init__ = broken\n"
    )
    cli("save", "s", "-t", "T")
    done = cli.with_environment(PYTHONPATH=str(cli.folder))("query")
    assert done.code == 70
    assert done.err.splitlines() == [
        "msgstore: internal error: ZeroDivisionError: oops",
        "  try: run again with --debug, and report it",
    ]


def test_an_interrupt_is_quiet(cli: Cli) -> None:
    """Ctrl-C is exit 130, without a word."""
    cli("save", "s", "-t", "T")
    reader = cli.start("tail", "-f")
    assert reader.stdout is not None
    reader.stdout.readline()
    reader.send_signal(signal.SIGINT)
    _, err = reader.communicate()
    assert (reader.returncode, err) == (130, b"")


def test_a_folder_that_is_no_store(cli: Cli) -> None:
    """Another folder in place of the store is exit 5, and is left alone."""
    (cli.folder / "docs").mkdir()
    (cli.folder / "docs" / "index.md").write_text("hello")
    assert cli("--store", "docs", "query").code == 5
    assert [path.name for path in (cli.folder / "docs").iterdir()] == ["index.md"]


def test_a_stdout_that_is_broken_from_the_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error of the streams themselves is told as any other."""

    class Broken(io.TextIOWrapper):
        def reconfigure(self, **options: object) -> None:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr("sys.stdout", Broken(io.BytesIO()))
    assert run(["streams"]) == 5
    assert capsys.readouterr().err.startswith("msgstore: cannot write the output: Input/output")
