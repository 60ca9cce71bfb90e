"""Nothing that somebody saved acts on a terminal, whichever command shows it and in whatever form."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from pathlib import Path

import pytest
from cli.harness import Cli, plain

from msgstore import FileMessageStore, Message

from .forge import change_entry, packed, put_last_record, record

ACTING = {"Cc", "Cf", "Cs", "Zl", "Zp"}
COLOUR = re.compile(r"\x1b\[[0-9;]*m")

# All that may be saved in an id or a type; data may hold control characters as well.
ALLOWED = "a\u202eb\u2066c\u200bd\ufeffe\u2028f\u00adg\U000e0041h[red]i[/]j[link=http://x]k"
CONTROL = "\x1b[2J\x1b]8;;http://x\x07y\x1b]8;;\x07\x9b31m\x00\x08\x7f\x85\r\n\t" + ALLOWED
FORMS = ("table", "wide", "pretty", "json", "jsonl", "csv", "raw")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which every text that one can choose is as nasty as it may be."""
    path = tmp_path_factory.mktemp("nasty") / "store"
    ids = {"request_id": f"r{ALLOWED}", "correlation_id": f"c{ALLOWED}", "causation_id": ALLOWED}
    data = {CONTROL: CONTROL, "list": [CONTROL], "more": {"deep": CONTROL}}
    with FileMessageStore(path) as opened:
        session = opened.create_session(f"n{ALLOWED}", {f"k{ALLOWED}": f"v{ALLOWED}"})
        opened.activate_session(session)
        for number in range(2):
            opened.save_message(
                ALLOWED,
                Message(f"t{ALLOWED}", data, id=f"{number}{ALLOWED}", metadata=data, **ids),
            )
        opened.save_message("text", Message("T", CONTROL))
        opened.end_session(opened.create_session(), status=f"s{ALLOWED}")
    return path


def assert_harmless(shown: str) -> None:
    """Only the ends of lines, and colours that msgstore itself has chosen."""
    left = COLOUR.sub("", shown).replace("\r\n", "\n").replace("\n", "")
    acting = {f"U+{ord(c):04X}" for c in left if unicodedata.category(c) in ACTING}
    assert acting == set()
    assert "\x1b" not in left


COMMANDS: dict[str, tuple[str, ...]] = {
    "read": ("read", ALLOWED),
    "query": ("query",),
    "query --fields": ("query", "--fields", "streamId,id,message.data,message.data.more"),
    "tail": ("tail",),
    "streams": ("streams",),
    "sessions": ("sessions",),
    "sessions show": ("sessions", "show", "last~1"),
    "stats": ("stats",),
    "stats --by type": ("stats", "--by", "type"),
    "stats --by stream": ("stats", "--by", "stream"),
    "stats --by session": ("stats", "--by", "session"),
    "stats --by --session": ("stats", "--by", "type", "--session", "last~1"),
    "show": ("show", "1"),
    "stuck": ("stuck",),
    "wait": ("wait", "--from-position", "1"),
    "trace": ("trace", "1"),
    "trace --timeline": ("trace", "1", "--timeline"),
    "latency": ("latency", f"t{ALLOWED}", f"t{ALLOWED}"),
    "verify": ("verify",),
}


@pytest.mark.parametrize("form", [*FORMS, "none"])
@pytest.mark.parametrize("name", COMMANDS)
def test_what_is_shown(cli: Cli, store: Path, name: str, form: str) -> None:
    """Escape sequences, C1, bidi and invisible characters are shown escaped; nothing else appears."""
    chosen = () if form == "none" else ("-o", form)
    done = cli.terminal("--store", str(store), *COMMANDS[name], *chosen, columns=160)
    assert_harmless(done.out)
    assert_harmless(done.err)
    if not (form == "raw" and done.code == 2):  # there is no data in sessions, say
        assert done.code == 0
        assert done.out


@pytest.mark.parametrize("form", ["table", "wide"])
def test_markup_is_text(cli: Cli, store: Path, form: str) -> None:
    """`[red]` and `[link=…]` stand in a table as they were saved."""
    done = cli.terminal("--store", str(store), "streams", "-o", form, columns=200)
    assert "[red]i[/]j[link=http://x]k" in plain(done.out)


@pytest.mark.parametrize("form", ["table", "wide", "csv"])
def test_a_row_stays_a_row(cli: Cli, store: Path, form: str) -> None:
    """Line breaks and tabs in a text make no line and no column."""
    done = cli.terminal("--store", str(store), "query", "-o", form, columns=160)
    assert len(done.out.splitlines()) == 4
    assert "\t" not in done.out


@pytest.mark.parametrize("form", ["json", "jsonl", "pretty", "raw"])
def test_json_on_a_terminal_is_the_same_value(cli: Cli, store: Path, form: str) -> None:
    """What is escaped for the terminal is read back as what was saved."""
    done = cli.terminal("--store", str(store), "show", "3", "-o", form)
    value = json.loads(plain(done.out))
    assert (value if form == "raw" else value["message"]["data"]) == CONTROL


@pytest.mark.parametrize(
    "arguments",
    [
        ("read", "x", "--fields", f"x{ALLOWED}"),
        ("query", "--since", f"x{CONTROL}"),
        ("query", "--where", f"x{CONTROL}".replace("=", "")),
        ("query", "--json", f"{{{CONTROL}}}"),
        ("query", "--session", f"x{ALLOWED}"),
        ("sessions", "show", "session-"),
        ("sessions", "end", "last"),
        ("show", f"x{ALLOWED}"),
        ("save", f"s{CONTROL}", "-t", "T"),
        ("save", "s", "-t", f"t{CONTROL}"),
        ("save", "s", "-t", "T", f"x{CONTROL}".replace("=", "")),
        ("save", "s", "-t", "T", "--data", f"@{CONTROL}"),
        ("save", ALLOWED, "-t", "T", "--id", f"0{ALLOWED}"),
        ("save", "s", "-t", "T", "--id", f"0{ALLOWED}"),
        ("query", f"--x{CONTROL}"),
        (f"x{CONTROL}",),
    ],
)
@pytest.mark.parametrize("debug", [(), ("--debug",)])
def test_errors(cli: Cli, store: Path, arguments: tuple[str, ...], debug: tuple[str, ...]) -> None:
    """What an error repeats, of the store or of the command line, is escaped; a traceback too."""
    clean = [text.replace("\0", "") for text in arguments]
    done = cli.terminal("--store", str(store), *debug, *clean)
    assert done.code in (2, 5)
    assert_harmless(done.err)
    assert_harmless(done.out)


def test_errors_about_the_environment(cli: Cli) -> None:
    """Names of stores and values of variables are escaped too."""
    nasty = CONTROL.replace("\0", "").replace("/", "")
    for variables in ({"MSGSTORE_STORE": nasty}, {"MSGSTORE_OUTPUT": nasty}):
        done = cli.with_environment(**variables).terminal("query")
        assert done.code in (2, 5)
        assert_harmless(done.err)


def test_names_of_files(cli: Cli, store: Path) -> None:
    """An error that names a file whose name somebody chose."""
    nasty = cli.folder / CONTROL.replace("\0", "").replace("/", "")
    nasty.mkdir()
    (nasty / "store.json").write_bytes(b"{}")
    done = cli.terminal("--store", str(nasty), "query")
    assert done.code == 3
    assert_harmless(done.err)


def test_a_forged_type(cli: Cli, path: Path) -> None:
    """Control characters that no save lets in are shown escaped all the same."""
    put_last_record(path, record(3, 2, type=packed(CONTROL), id=packed(CONTROL)))
    for form in FORMS:
        done = cli.terminal("--store", str(path), "read", "a", "-o", form)
        assert_harmless(done.out)
    assert_harmless(cli.terminal("--store", str(path), "stats", "--by", "type").out)


def test_a_forged_stream_id(cli: Cli, path: Path) -> None:
    """A stream's id with control characters is damage, and the error shows it escaped."""
    change_entry(path, "catalog", 1, lambda e: [e[0], e[1], "\x07", e[3]])
    for command in ("streams", "query", "verify"):
        done = cli.terminal("--store", str(path), command)
        assert done.code == 3
        assert_harmless(done.err)
        assert_harmless(done.out)


SHELL = "a$(touch ran)`touch ran`;touch ran\"'\\ b"


def test_completion_offers_nothing_that_a_shell_obeys(cli: Cli) -> None:
    """Ids with quotes, blanks, dollars and the like are not offered: zsh evaluates what is."""
    streams = ("plain-1", "ünï/2026", SHELL, "a:b", "a b", "$HOME", "-rf", "a'b", 'a"b', "a\\b")
    cli.save(*({"streamId": stream, "type": "T"} for stream in (*streams, ALLOWED)))
    for shell in ("bash", "zsh", "fish"):
        variables = {
            "_MSGSTORE_COMPLETE": f"complete_{shell}",
            "COMP_WORDS": "msgstore read ",
            "COMP_CWORD": "2",
            "_TYPER_COMPLETE_ARGS": "msgstore read ",
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        }
        done = cli.with_environment(**variables)()
        assert "plain-1" in done.out
        assert "ünï/2026" in done.out
        for part in ("touch", "HOME", "-rf", "a'b", "b\u2066"):
            assert part not in done.out
        assert not re.search(r"[$`;\\]", done.out.replace("\\\\:", ""))


def test_the_title_of_the_terminal(cli: Cli, store: Path) -> None:
    """Not even with colours forced into a pipe does anything but colour leave msgstore."""
    done = cli("--store", str(store), "query", "-o", "table", "--color", "always")
    assert_harmless(done.out)
    assert os.linesep == "\n"
