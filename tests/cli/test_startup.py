"""What a short command loads: nothing that it does not use."""

from __future__ import annotations

import re

import pytest

from .harness import Cli

NEVER = {
    "rich",
    "asyncio",
    "pydantic",
    "email",
    "csv",
    "concurrent",
    "http",
    "socket",
    "ssl",
}
NEVER_EITHER = {"importlib.metadata", "importlib.resources", "msgstore.cli.render"}
TAILS = ("msgstore.cli.tail", "msgstore.cli.stats", "msgstore.cli.sessions", "msgstore.cli.verify")
TAILS += ("msgstore.cli.backup", "msgstore.cli.dump", "msgstore.engine.copying")
TAILS += ("msgstore.cli.run", "msgstore.runs", "msgstore.analysis", "msgstore.model.context")
TAILS += ("msgstore.cli.trace", "msgstore.cli.diff", "msgstore.cli.latency", "msgstore.analysis")
TAILS += ("msgstore.engine.salvage", "msgstore.format.annotate")
TAILS += (
    "msgstore.cli.export",
    "msgstore.cli.import_",
    "msgstore.cli.report",
    "msgstore.exchange",
    "sqlite3",
)
TAILS += ("msgstore.cli.copy", "msgstore.cli.copying", "msgstore.aio")
TAILS += ("msgstore.backends.pack", "msgstore.engine.pack_file", "msgstore.disk.one_file")
TAILS += ("msgstore.cli.browse", "msgstore.cli.browsing", "msgstore.cli.browser", "textual")


def loaded(cli: Cli, *arguments: str, stdin: str = "") -> set[str]:
    """The modules that a command imports, as Python itself tells."""
    done = cli.with_environment(PYTHONPROFILEIMPORTTIME="1")(*arguments, stdin=stdin)
    assert done.code == 0, done.err
    return set(re.findall(r"^import time:.*\| +(\S+)$", done.err, re.MULTILINE))


def offenders(modules: set[str], names: set[str]) -> set[str]:
    return {m for m in modules if any(m == name or m.startswith(f"{name}.") for name in names)}


COMMANDS = {
    "save": ["save", "s", "-t", "T", "a=1", "--correlation-id", "c"],
    "read": ["read", "s"],
    "query": ["query", "--correlation-id", "c", "-o", "jsonl"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_short_commands_are_light(cli: Cli, name: str) -> None:
    """save, read and query load no rich, asyncio, pydantic, package metadata or email."""
    cli("save", "s", "-t", "T", "--correlation-id", "c")
    modules = loaded(cli, *COMMANDS[name])
    assert offenders(modules, NEVER | NEVER_EITHER) == set()
    assert offenders(modules, set(TAILS)) == set()


@pytest.mark.parametrize("name", ["read", "query"])
def test_readers_need_no_writer(cli: Cli, name: str) -> None:
    """Commands that only read load neither portalocker nor what a store saves with."""
    cli("save", "s", "-t", "T", "--correlation-id", "c")
    unused = {"portalocker", "msgstore.backends.file_saver", "msgstore.backends.group_commit"}
    unused |= {"msgstore.engine.writer", "msgstore.engine.commit", "msgstore.engine.encoding"}
    assert offenders(loaded(cli, *COMMANDS[name]), unused) == set()


def test_a_save_makes_no_more_than_it_uses(cli: Cli) -> None:
    """A save into a store that nobody else locks loads no portalocker, filter, or answers of reads."""
    cli("save", "s", "-t", "T", "--correlation-id", "c")
    unused = {"portalocker", "logging", "tempfile", "random", "ctypes", "hashlib"}
    unused |= {"msgstore.model.filter", "msgstore.model.results", "msgstore.backends.protocol"}
    unused |= {"msgstore.engine.query", "msgstore.engine.follow", "msgstore.engine.scan"}
    unused |= {"msgstore.engine.recovery", "msgstore.engine.create", "msgstore.engine.swap"}
    unused |= {"msgstore.engine.session_log", "msgstore.engine.ids", "msgstore.engine.records"}
    unused |= {"msgstore.model.draft", "resource"}
    assert offenders(loaded(cli, *COMMANDS["save"]), unused) == set()


def test_many_lines_are_light_too(cli: Cli) -> None:
    """save - loads no rich either."""
    line = '{"streamId": "s", "type": "T"}\n'
    assert offenders(loaded(cli, "save", "-", stdin=line), NEVER | {"importlib.metadata"}) == set()


def test_a_read_of_a_stream_needs_no_filter(cli: Cli) -> None:
    """read loads neither filters nor queries."""
    cli("save", "s", "-t", "T")
    unused = {"msgstore.model.filter", "msgstore.engine.query", "ctypes"}
    assert offenders(loaded(cli, *COMMANDS["read"]), unused) == set()


def test_the_version_loads_no_store(cli: Cli) -> None:
    """--version loads neither a store nor a command."""
    modules = loaded(cli, "--version")
    heavy = {"msgstore.backends", "msgstore.engine", "msgstore.cli.query"}
    assert offenders(modules, heavy) == set()
