"""docs/cli.md and the help have every command, flag, exit code and variable."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from msgstore.cli.errors import EXIT_CODES
from msgstore.cli.root import app
from msgstore.cli.settings import COLORS, FORMATS, Settings

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "cli.md").read_text()


def walk(command: Any, context: Any, name: str) -> Iterator[tuple[str, Any, Any]]:
    """A command and all below it, each with its full name and a context to ask it in."""
    yield name, command, context
    for child in getattr(command, "list_commands", lambda _: [])(context):
        below = command.get_command(context, child)
        inner = below.context_class(below, info_name=child, parent=context)
        yield from walk(below, inner, f"{name} {child}".strip())


def everything() -> list[tuple[str, Any, Any]]:
    root = get_command(app)
    context = root.context_class(
        root, info_name="msgstore", obj=Settings({}), **root.context_settings
    )
    return list(walk(root, context, ""))


COMMANDS = everything()
NAMES = [name or "msgstore" for name, _, _ in COMMANDS]


def section(name: str) -> str:
    """What the page says of a command: its own section, up to the next of the same level."""
    top = name.split()[0] if name else "Everywhere"
    found = re.search(rf"^## {top}\n(.*?)(?=^## )", PAGE, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


def test_the_walk_sees_all_commands() -> None:
    """The commands are those of the contract."""
    assert [
        *("msgstore", "save", "read", "query", "tail"),
        *("sessions", "sessions show", "sessions start", "sessions end"),
        *("stats", "streams", "show", "run", "wait", "stuck"),
        *("trace", "diff", "latency"),
        *("verify", "repair", "rebuild-index", "backup", "restore"),
        *("dump", "dump record", "dump row", "dump journal", "dump hint", "dump frame"),
        *("export", "import", "copy", "report", "browse"),
    ] == NAMES


@pytest.mark.parametrize(("name", "command", "context"), COMMANDS, ids=NAMES)
def test_every_command_is_documented(name: str, command: Any, context: Any) -> None:
    """Each command has its place on the page, and help that says what it does, with examples."""
    assert section(name)
    assert f"`{name}" in PAGE or not name
    assert " " in name or not name or f"\n| [`{name}`](#{name}) |" in PAGE
    assert command.help
    assert "Examples:" in command.get_help(context)


FILTERED = (
    *("tail", "wait", "stuck", "stats", "trace", "diff", "latency"),
    *("export", "copy", "report", "browse"),
)
"""They take the filters that the section of `query` describes."""


@pytest.mark.parametrize(("name", "command", "context"), COMMANDS, ids=NAMES)
def test_every_flag_is_documented(name: str, command: Any, context: Any) -> None:
    """Each flag stands in its command's section (or in that of all commands), and in its help."""
    text = section(name) + section("")
    if name in FILTERED:
        text += section("query")
    help_text = command.get_help(context)
    for param in command.get_params(context):
        for flag in (opt for opt in param.opts if opt.startswith("-")):
            assert re.search(rf"`{flag}\b", text), f"{name}: {flag} is not in docs/cli.md"
            assert re.search(rf"{flag}\b", help_text), f"{name}: {flag} is not in the help"


@pytest.mark.parametrize("code", EXIT_CODES)
def test_every_exit_code_is_documented(code: int) -> None:
    """Each exit code has its row on the page, with the words of the help."""
    [row] = re.findall(rf"^\| {code} \| (.*) \|$", PAGE, re.MULTILINE)
    assert row.replace("`", "").startswith(EXIT_CODES[code].split(" (")[0])
    _, root, context = COMMANDS[0]
    assert f"{code:>3}  {EXIT_CODES[code]}" in root.get_help(context)


def test_every_error_ends_with_a_documented_code() -> None:
    """No error of the model has an exit code that the page does not know."""
    import msgstore.model.errors as errors

    codes = {
        thing.exit_code
        for thing in vars(errors).values()
        if isinstance(thing, type) and issubclass(thing, errors.MsgStoreError)
    }
    assert codes <= set(EXIT_CODES)


def test_every_variable_is_documented() -> None:
    """Each environment variable that the code reads stands on the page and in the help."""
    code = "".join(path.read_text() for path in (ROOT / "msgstore").rglob("*.py"))
    names = {*re.findall(r"\bMSGSTORE_[A-Z_]+\b", code), "NO_COLOR"}
    _, root, context = COMMANDS[0]
    for name in names:
        assert f"| `{name}` |" in PAGE, name
        assert name in root.get_help(context), name


def test_every_form_is_documented() -> None:
    """Each output has its row, each value of --color its word."""
    for form in FORMATS:
        assert f"| `{form}` |" in PAGE
    for color in COLORS:
        assert f"`{color}`" in section("")
