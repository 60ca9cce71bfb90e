"""What is in the data of a message stays there: no error, log record or traceback repeats it."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from cli.harness import Cli

from msgstore import FileMessageStore, Message, MsgStoreError

SECRET = "hunter2-8f3a"
NUMBER = "987654321987654321987654321"

BAD_JSON: dict[str, str] = {
    "no JSON": f'{{"password": "{SECRET}", }}',
    "single quotes": f"{{'password': '{SECRET}'}}",
    "a bare word": SECRET,
    "cut": f'{{"password": "{SECRET}',
    "behind the value": f'{{"a": 1}} {SECRET}',
    "NaN": f'{{"password": "{SECRET}", "x": NaN}}',
    "a lone surrogate": f'{{"password": "{SECRET}\\ud800"}}',
    "too deep": "[" * 200 + f'"{SECRET}"' + "]" * 200,
    "far too deep": "[" * 100_000 + f'"{SECRET}"' + "]" * 100_000,
    "too large": f'"{SECRET * 1_500_000}"',
    "a number that is too large": NUMBER,
    "a negative one": f"-{NUMBER}",
    "many digits": NUMBER * 40,
    "a control character": f'"{SECRET}\n"',
    "a bad escape": f'"{SECRET}\\q"',
}
NO_TEXT = {"invalid UTF-8": SECRET.encode() + b"\xff", "UTF-16": SECRET.encode("utf-16")}
ALL = {name: text.encode() for name, text in BAD_JSON.items()} | NO_TEXT


def assert_silent(text: str) -> None:
    assert SECRET not in text
    assert SECRET[3:9] not in text
    assert NUMBER[:12] not in text


@pytest.mark.parametrize("debug", [(), ("--debug",)])
@pytest.mark.parametrize("how", ["a file", "stdin"])
@pytest.mark.parametrize("case", ALL)
def test_bad_data(cli: Cli, case: str, how: str, debug: tuple[str, ...]) -> None:
    """`--data @FILE` and `--data -` keep data out of the arguments; errors keep it out of the logs."""
    (cli.folder / "data.json").write_bytes(ALL[case])
    source, stdin = ("@data.json", b"") if how == "a file" else ("-", ALL[case])
    done = cli(*debug, "save", "s", "-t", "T", "--data", source, stdin=stdin)
    assert done.code == 2
    assert done.err
    assert_silent(done.out + done.err)


@pytest.mark.parametrize("debug", [(), ("--debug",)])
@pytest.mark.parametrize("atomic", [(), ("--atomic",)])
@pytest.mark.parametrize("case", [*BAD_JSON, *NO_TEXT])
def test_bad_lines(cli: Cli, case: str, atomic: tuple[str, ...], debug: tuple[str, ...]) -> None:
    """The lines of `save -` neither."""
    raw = ALL[case].replace(b"\n", b"\\u000a" if case != "a control character" else b"\x01")
    done = cli(*debug, "save", "s", "-", *atomic, stdin=b'{"type": "T", "data": ' + raw + b"}\n")
    assert done.code == 2
    assert_silent(done.out + done.err)


MISPLACED = {
    "another kind": {"messageType": {"password": SECRET}},
    "another revision": {"expectedRevision": {"password": SECRET}},
    "no type": {"type": {"password": SECRET}},
    "no id": {"id": [SECRET]},
    "no time": {"timestamp": {"password": SECRET}},
    "no metadata": {"metadata": {"password": SECRET, "x": 2**70}},
}


@pytest.mark.parametrize("case", MISPLACED)
def test_data_in_the_wrong_place(cli: Cli, case: str) -> None:
    """An object where a text belongs is not repeated."""
    line = {"type": "T", "data": {}} | MISPLACED[case]
    done = cli("save", "s", "-", stdin=json.dumps(line))
    assert done.code == 2
    assert_silent(done.err)


REFUSED: dict[str, tuple[tuple[str, ...], int]] = {
    "an id that is taken": (("--id", "m-1"), 2),
    "an expected revision": (("--expected-revision", "7"), 4),
    "a session that is not there": (("--session", "nobody"), 2),
}


@pytest.mark.parametrize("debug", [(), ("--debug",)])
@pytest.mark.parametrize("case", REFUSED)
def test_refused_saves(cli: Cli, case: str, debug: tuple[str, ...]) -> None:
    """A save that the store refuses says why, and nothing of the data, new or stored."""
    stored = json.dumps({"password": f"{SECRET}-stored"})
    cli("save", "s", "-t", "T", "--id", "m-1", "--data", "-", stdin=stored)
    arguments, code = REFUSED[case]
    data = json.dumps({"password": SECRET})
    done = cli(*debug, "save", "s", "-t", "T", "--data", "-", *arguments, stdin=data)
    assert done.code == code
    assert_silent(done.out + done.err)


def everything_told(error: BaseException) -> str:
    """All that a log or a report of errors would hold of it: arguments, notes, facts, causes."""
    told = "".join(traceback.format_exception(error))
    while error:
        told += repr(error) + repr(error.args) + repr(getattr(error, "__notes__", ()))
        told += repr(getattr(error, "__dict__", {}))
        cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if cause is None:
            return told
        error = cause
    return told


class NoJson:
    """Its repr would tell."""

    def __repr__(self) -> str:
        return SECRET


MESSAGES: dict[str, Callable[[], Message]] = {
    "an object": lambda: Message("T", {"a": NoJson()}),
    "a set": lambda: Message("T", {"a": {SECRET}}),
    "bytes": lambda: Message("T", {"a": SECRET.encode()}),
    "an integer": lambda: Message("T", {"a": int(NUMBER)}),
    "NaN": lambda: Message("T", {"password": SECRET, "a": float("nan")}),
    "a surrogate": lambda: Message("T", {"a": f"{SECRET}\ud800"}),
    "deep": lambda: Message("T", json.loads("[" * 150 + f'"{SECRET}"' + "]" * 150)),
    "metadata": lambda: Message("T", {}, metadata={"a": {SECRET}}),
    "from JSON": lambda: Message.from_json({"type": "T", "data": SECRET, "timestamp": 5}),
}


@pytest.mark.parametrize("case", MESSAGES)
def test_errors_of_the_library(case: str) -> None:
    """An invalid message is told by the path of the offender, not by its value."""
    with pytest.raises(MsgStoreError) as caught:
        MESSAGES[case]()
    assert_silent(everything_told(caught.value))


def test_data_that_changed_after_it_was_checked(tmp_path: Path) -> None:
    """Neither what it has become."""
    for changed in ({SECRET}, f"{SECRET}\ud800", int(NUMBER)):
        data = {"a": 1}
        message = Message("T", data)
        data["a"] = changed  # type: ignore[assignment]
        with FileMessageStore(tmp_path / "store") as store, pytest.raises(MsgStoreError) as caught:
            store.save_message("s", message)
        assert_silent(everything_told(caught.value))


@pytest.mark.parametrize("call", ["pwrite", "fdatasync"])
def test_a_disk_that_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, call: str
) -> None:
    """A full disk, an I/O error, and the recovery after it log and raise nothing of the data."""
    import os

    from msgstore.disk import files

    caplog.set_level(logging.DEBUG)
    with FileMessageStore(tmp_path / "store") as store:
        store.save_message("s", Message("T", {"password": SECRET}))

        def refuse(*arguments: object) -> int:
            raise OSError(28, os.strerror(28))

        with monkeypatch.context() as patch:
            patch.setattr(files.os, call, refuse)
            with pytest.raises(MsgStoreError) as caught:
                store.save_message("s", Message("T", {"password": SECRET}))
        assert_silent(everything_told(caught.value))
    segment = next((tmp_path / "store").glob("streams/*/*"))
    with segment.open("ab") as file:
        file.write(SECRET.encode())
    (tmp_path / "store" / "write.lock").write_bytes(b"")
    with FileMessageStore(tmp_path / "store") as store:
        store.save_message("s", Message("T"))
    assert "recovery cut" in caplog.text
    assert_silent(caplog.text)


def test_a_damaged_record(tmp_path: Path) -> None:
    """Damage is told by its place."""
    with FileMessageStore(tmp_path / "store") as store:
        store.save_message("s", Message("T", {"password": SECRET}))
    segment = next((tmp_path / "store").glob("streams/*/*"))
    segment.write_bytes(segment.read_bytes().replace(b"password", b"passw0rd"))
    with FileMessageStore(tmp_path / "store") as store:
        for read in (lambda: list(store.get_messages("s")), lambda: store.get_message(1)):
            with pytest.raises(MsgStoreError) as caught:
                read()
            assert_silent(everything_told(caught.value))
        assert_silent(str(store.verify()))


def test_the_assertion_sees_a_leak() -> None:
    """What these tests look into is where a secret would be."""
    error = RuntimeError("bad")
    error.__cause__ = ValueError(SECRET)
    with pytest.raises(AssertionError):
        assert_silent(everything_told(error))
    error = RuntimeError("bad")
    error.add_note(f"data was {NUMBER}")
    with pytest.raises(AssertionError):
        assert_silent(everything_told(error))
