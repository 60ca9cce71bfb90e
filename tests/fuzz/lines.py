"""Whole command lines, in this process: hostile values for real flags, on a store of its own.

Whatever is asked, the exit code is one of the documented ones and not that of a bug, nothing but data
goes to stdout, and what goes to stderr is told in words.
"""

from __future__ import annotations

import csv
import io
import json
import os
import random
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from pathlib import Path

from fuzz.chooser import Chooser
from fuzz.target import target
from msgstore import FileMessageStore, Message
from msgstore.cli.app import run
from msgstore.cli.errors import EXIT_CODES, INTERNAL
from msgstore.cli.escape import visible

_ALLOWED = set(EXIT_CODES) - {INTERNAL}
_VALUES = (
    *(
        "",
        " ",
        "a",
        "b-events",
        "*",
        "[",
        "-",
        "--",
        "-1",
        "0",
        "1",
        "2",
        "last",
        "last~1",
        "no-session",
    ),
    *(
        "9" * 18,
        "9" * 30,
        "1e300",
        "nan",
        "inf",
        "0.0",
        "١",
        "x" * 1100,
        "\x1b[31m",
        "\x07",
        "\u202e",
    ),
    *("\udcff", "ä", "a=1", "a:=1", "a:={", ":=", "=x", "k=\udc80", "{}", "[]", '{"n":1}', "null"),
    *(
        "NaN",
        "[" * 200,
        "1" * 5000,
        '"\\ud800"',
        "n>0",
        "n?",
        "text~(",
        "text~(?a)(?u)",
        "text~[[a]",
    ),
    *("n>=" + "1" * 5000, "now", "yesterday", "9999-12-31", "0001-01-01", "14:30", "999999999w"),
    *(
        "1700000000",
        "data.\udcff",
        "streamId,type",
        "data",
        "data.n",
        "message.data.",
        "type",
        "\n",
    ),
    *(
        "@none",
        "@seen",
        "@.",
        "none",
        "exists",
        "any",
        "m-1",
        "Step",
        "index",
        "catalog",
        "sessions",
    ),
    *(
        "quarantine/x",
        "command",
        "always",
        "os",
        "jsonl",
        "csv",
        "table",
        "seen",
        "copy",
        ".",
        "type",
    ),
    *(
        "s" * 300,
        "a\tb",
        "journal",
        "hour",
        "all",
        "[red]x[/red]",
        "-h",
        "'",
        '"',
        "%s",
        "{0}",
        "\\",
    ),
)
_STORES = (
    "store",
    "file:store",
    "memory:",
    "nats://x",
    "file://h/x",
    "none",
    "file:",
    "file://[",
    "\udcff",
)
_FILTERS = (
    *("--correlation-id", "--request-id", "--causation-id", "--id", "--stream", "-t", "--kind"),
    *("--session", "--since", "--until", "--from-position", "--to-position", "--json", "--where"),
)
_WINDOW = ("-n", "--last", "-r!", "--skip-damaged!")
_WRITING = ("--durability", "--lock-timeout")
_COMMANDS: dict[str, tuple[str, ...]] = {
    "save": (
        *("-t", "--data", "--kind", "--id", "--request-id", "--correlation-id", "--causation-id"),
        *("--timestamp", "--meta", "--session", "--expected-revision", "--batch-size", "--atomic!"),
        *_WRITING,
    ),
    "read": ("--from-revision", "--to-revision", *_WINDOW),
    "query": (*_FILTERS, *_WINDOW, "--count!", "-e!"),
    "tail": (*_FILTERS, "-n", "--cursor-file", "--until-count", "--skip-damaged!"),
    "sessions": (),
    "sessions show": (),
    "sessions start": ("--name", "--label", *_WRITING),
    "sessions end": ("--status", *_WRITING),
    "stats": ("--by", *_FILTERS, "--skip-damaged!"),
    "trace": (*_FILTERS, "-n", "--look-ahead", "--timeline!", "--produced!", "-e!"),
    "diff": (*_FILTERS, "--ignore"),
    "latency": (*_FILTERS, "--produced!", "-e!"),
    "streams": (),
    "show": (),
    "verify": ("--stream", "--quick!"),
    "repair": ("--apply!", "--lock-timeout"),
    "rebuild-index": ("--lock-timeout",),
    "backup": ("--verify", "--lock-timeout"),
    "restore": ("--to-position", "--verify", "--lock-timeout"),
    "dump record": (),
    "dump row": (),
    "dump journal": ("--entry",),
    "dump hint": (),
    "dump frame": (),
}
_COMMON = ("-o", "--fields", "--color", "-q!", "--debug!")
_FORMATS = ("table", "wide", "json", "jsonl", "csv", "raw", "pretty", "x")
_NAMES_A_FILE = {"--cursor-file", "--data"}
_INPUTS = (
    b"",
    b'{"streamId":"a","type":"T","data":{"n":1}}\n',
    b'{"streamId":"a","type":"T","expectedRevision":' + b"9" * 5000 + b"}\n",
    b'{"streamId":"a","type":"T","messageType":' + b"9" * 5000 + b"}\n",
    b"{}\n\xff\n",
    b"[]",
)


def _seeds() -> list[bytes]:
    every = [bytes([number, 1, 1, 0, 1, 2, 0]) for number in range(len(_COMMANDS))]
    chance = random.Random(0)
    return [*every, *(bytes([n]) + chance.randbytes(30) for n in range(100))]


@target(_seeds, tokens=tuple(bytes([n, m]) for n in range(0, 80, 5) for m in (3, 60)), weight=1)
def command_line(data: bytes) -> None:
    """Two command lines after one another, on a fresh copy of a store."""
    chooser = Chooser(data)
    with _folder():
        for _ in range(2):
            arguments, stdin = _arguments(chooser), chooser.choose(_INPUTS)
            code, out, err = run_in_process(arguments, stdin)
            check_outcome(arguments, code, out, err)
            if chooser.is_empty:
                break


def _arguments(chooser: Chooser) -> list[str]:
    """A command with flags of its own and common ones, and values of any kind for them."""
    command = chooser.choose(list(_COMMANDS))
    flags = _COMMANDS[command]
    out = ["--store", _STORES[0] if chooser.byte() % 8 else chooser.choose(_STORES)]
    out += command.split(" ")
    out += [_value(chooser) for _ in range(chooser.byte() % 3)]
    for _ in range(chooser.byte() % 5):
        flag = chooser.choose((*flags, *flags, *_COMMON))
        if flag.endswith("!"):
            out.append(flag[:-1])
        elif flag == "-o":
            out += [flag, chooser.choose(_FORMATS)]
        else:
            value = _value(chooser)
            if flag in _NAMES_A_FILE:
                value = value.replace("/", "_").replace("..", "_")
            out += [flag, value]
    if command in ("backup", "restore", "dump frame"):  # these name files: none outside the folder
        out = [one.replace("..", "_").removeprefix("/") for one in out]
    return out


def _value(chooser: Chooser) -> str:
    return chooser.text() if chooser.byte() % 4 == 3 else chooser.choose(_VALUES)


# ---------------------------------------------------------------- what must hold


def check_outcome(arguments: list[str], code: int, out: bytes, err: str) -> None:
    """Raises AssertionError, with the command line, for what no command may do."""
    story = f"{arguments!r:.400} ended with {code}: {err[-400:]!r}"
    assert code in _ALLOWED, story
    if "--debug" not in arguments:
        assert "Traceback" not in err, story
        assert "internal error" not in err, story
    assert "Warning" not in err, story
    assert visible(err.replace("\n", "")) == err.replace("\n", ""), story
    if code not in (0, 1, 3, 4, 124):
        assert err.strip() or "-q" in arguments, story
    if code == 2 and arguments[2] != "tail":  # tail shows what came before it met an error
        assert out in (b"", b"[]\n"), story
    if not {"-h", "--help"} & {*arguments}:
        _check_data(arguments, code, out.decode(), story)


def _check_data(arguments: list[str], code: int, out: str, story: str) -> None:
    forms = [value for flag, value in pairwise(arguments) if flag == "-o"]
    form = forms[-1] if forms else "jsonl"
    if form in ("jsonl", "raw") and arguments[2:4] != ["sessions", "start"]:
        for line in out.split("\n"):
            assert not line or json.loads(line) is not MISSING, story
    elif form == "json" and code in (0, 3) and out and arguments[2:4] != ["sessions", "start"]:
        json.loads(out)
    elif form == "csv":
        rows = list(csv.reader(io.StringIO(out, newline="")))
        if out.endswith("\r\n"):
            assert len({len(row) for row in rows if row}) <= 1, story


MISSING = object()


# ---------------------------------------------------------------- running


def run_in_process(arguments: list[str], stdin: bytes) -> tuple[int, bytes, str]:
    """Exit code, stdout and stderr of one command line, read from a pipe and into others."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")
    err = io.StringIO()
    before = sys.stdin, sys.stdout, sys.stderr
    with _as_descriptor_0(stdin), warnings.catch_warnings():
        warnings.simplefilter("default")
        sys.stdin = io.TextIOWrapper(io.BytesIO(stdin))
        sys.stdout, sys.stderr = out, err
        try:
            code = run([*arguments])  # it takes them apart
        finally:
            sys.stdin, sys.stdout, sys.stderr = before
    out.flush()
    return code, out.buffer.getvalue(), err.getvalue()  # type: ignore[attr-defined]


@contextmanager
def _as_descriptor_0(data: bytes) -> Iterator[None]:
    """`save -` reads the descriptor itself."""
    kept = os.dup(0)
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        os.dup2(file.fileno(), 0)
        try:
            yield
        finally:
            os.dup2(kept, 0)
            os.close(kept)


@contextmanager
def _folder() -> Iterator[None]:
    """A folder with a store in it as the working directory, and an environment without surprises."""
    before, environment = os.getcwd(), dict(os.environ)
    folder = Path(tempfile.mkdtemp(dir=_template().parent))
    shutil.copytree(_template(), folder / "store")
    for name in [n for n in os.environ if n.startswith("MSGSTORE_") or n == "NO_COLOR"]:
        del os.environ[name]
    os.environ.update(HOME=str(folder), TZ="Europe/Amsterdam", COLUMNS="80")
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
        os.environ.clear()
        os.environ.update(environment)
        shutil.rmtree(folder, ignore_errors=True)


@cache
def _template() -> Path:
    path = Path(tempfile.mkdtemp()) / "store"
    with FileMessageStore(path, durability="os") as store:
        with store.session("run", {"host": "web-1"}):
            for n in range(3):
                data = {"n": n, "text": "\x1b[31mred\u202e", "list": [{"a": None}]}
                store.save_message("a", Message("Step", data, id=f"m-{n}"))
        store.create_session("open")
        store.save_message("b-events", Message("\u202eT", [1, 'ä,\n"'], correlation_id="c"))
        store.save_message("user-commands", Message("Go", None, metadata={"k": [1]}))
    return path
