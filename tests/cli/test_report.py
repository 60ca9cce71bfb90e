"""`msgstore report [SESSION] -o FILE`: the file. What a browser makes of it is in test_report_page."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from .harness import Cli


@pytest.fixture
def store(cli: Cli) -> Cli:
    """Three messages of no session, two of `first`, one of `second`."""
    cli.save(*({"streamId": "a", "type": "T", "data": {"n": n}} for n in range(3)))
    cli("sessions", "start", "--name", "first", "--label", "host=web-1")
    cli("save", "b", "-t", "Do", "--request-id", "r-1", "n:=3")
    cli("save", "b", "-t", "Done", "n:=4", "--timestamp", "2020-01-01T00:00:00Z")
    cli("sessions", "end", "--status", "ok")
    cli("sessions", "start", "--name", "second")
    cli("save", "b", "-t", "Done")
    return cli


def data_of(page: str, name: str) -> Any:
    [text] = re.findall(rf'json" id="{name}">(.*?)</script>', page, re.DOTALL)
    return json.loads(text)


def positions(store: Cli, *arguments: str) -> list[int]:
    done = store("report", *arguments, "-o", "-")
    assert done.code == 0, done.err
    return [row[0] for row in data_of(done.out, "messages")]


def test_the_file(store: Cli) -> None:
    """It is there whole, and what is said of it is one object."""
    done = store("report", "-o", "run.html")
    assert (done.code, done.err) == (0, "")
    path = store.folder / "run.html"
    assert done.lines == [
        {
            "path": str(path),
            "messages": 6,
            "leftOut": 0,
            "dataLeftOut": 0,
            "bytes": path.stat().st_size,
        }
    ]
    assert path.read_text().startswith("<!doctype html>")
    assert path.read_text().endswith("</html>\n")
    assert {p.name for p in store.folder.iterdir() if p.name.endswith((".tmp", ".html"))} == {
        "run.html"
    }


def test_on_a_terminal(store: Cli) -> None:
    """A sentence; with -q nothing; a page is not for a terminal."""
    shown = store.terminal("report", "-o", "run.html").out
    size = (store.folder / "run.html").stat().st_size
    path = store.folder / "run.html"
    assert shown == f"reported 6 messages to {path} ({size:,} bytes)\n"
    assert store.terminal("report", "-o", "run.html", "--force", "-q").out == ""
    refused = store.terminal("report", "-o", "-")
    assert (refused.code, refused.out) == (2, "")


def test_a_part(store: Cli) -> None:
    """A session by any of its names, every filter of query, the first or the last."""
    assert positions(store) == [1, 2, 3, 4, 5, 6]
    assert positions(store, "last~1") == [4, 5]
    assert positions(store, "no-session") == [1, 2, 3]
    assert positions(store, "last~1", "--where", "n>3") == [5]
    assert positions(store, "--stream", "b", "-t", "Done", "--kind", "event") == [5, 6]
    assert positions(store, "-n", "2") == [1, 2]
    assert positions(store, "--last", "2") == [5, 6]
    assert positions(store, "--last", "0") == positions(store, "-n", "0") == []
    assert positions(store, "-t", "Nothing") == []


def test_what_is_left_out_is_said(store: Cli) -> None:
    """In the page and in the report."""
    [said] = store("report", "-n", "2", "-o", "a.html", "--data-max", "6").lines
    assert (said["messages"], said["leftOut"], said["dataLeftOut"]) == (2, 4, 2)
    page = (store.folder / "a.html").read_text()
    assert data_of(page, "report")["total"] == 6
    assert [row[7] for row in data_of(page, "messages")] == [7, 7]
    done = store("report", "--last", "2", "-o", "-", "--session", "last~1", "-n", "1")
    assert done.code == 2
    done = store("report", "last~1", "--last", "1", "-o", "-")
    assert "1 message left out" in done.err


def test_what_the_page_says_of_itself(store: Cli) -> None:
    """The session with its labels, the filters, whose time."""
    narrow = ("--kind", "event", "--json", '{"n": 4}', "--where", "n>3", "--stream", "b")
    done = store("report", "last~1", "--produced", *narrow, "-o", "-")
    report = data_of(done.out, "report")
    [session] = report["sessions"]
    assert (session["name"], session["labels"]) == ("first", {"host": "web-1"})
    assert report["clock"] == "produced"
    assert report["filters"] == [
        ["kind", "event"],
        ["stream", "b"],
        ["session", session["sessionId"]],
        ["data", '{"n":4}'],
        ["where", "n>3"],
    ]
    assert data_of(store("report", "-o", "-").out, "report")["clock"] == "recorded"


def test_from_a_pack(store: Cli) -> None:
    """A pack is reported as the store is."""
    store("export", "last~1", "run.msgpack")
    assert positions(store, "--store", "run.msgpack") == [4, 5]
    assert positions(store.with_environment(MSGSTORE_STORE="run.msgpack"), "last") == [4, 5]


def test_the_two_meanings_of_o(store: Cli) -> None:
    """Before the name -o is the form of what is printed, behind it the page."""
    done = store("-o", "csv", "report", "-o", "run.html")
    assert done.out.startswith("path,messages,leftOut,dataLeftOut,bytes\r\n")
    done = store("report", "-o", "jsonl")
    assert (done.code, done.out) == (2, "")
    assert "-o names the page" in done.err
    assert not (store.folder / "jsonl").exists()
    assert store("report", "last").code == 2


def test_a_file_that_is_there(store: Cli) -> None:
    """It stays as it was without --force; after an error nothing is there."""
    path = store.folder / "run.html"
    path.write_text("mine")
    assert store("report", "-o", "run.html").code == 5
    assert path.read_text() == "mine"
    assert store("report", "-o", "run.html", "--force").code == 0
    assert path.read_text() != "mine"
    assert store("report", "nobody", "-o", "other.html").code == 2
    assert store("report", "-o", "none/other.html").code == 5
    assert store("--store", "none", "report", "-o", "other.html").code == 5
    assert not (store.folder / "other.html").exists()


def test_damage(store: Cli) -> None:
    """Exit code 3 and no page; with --skip-damaged a page of the rest."""
    [segment] = [
        p for p in store.store.glob("streams/**/*") if p.is_file() and b"Done" in p.read_bytes()
    ]
    segment.write_bytes(segment.read_bytes().replace(b"Done", b"Dome", 1))
    assert store("report", "-o", "run.html").code == 3
    assert not (store.folder / "run.html").exists()
    done = store("report", "-o", "run.html", "--skip-damaged")
    assert (done.code, done.lines[0]["messages"]) == (3, 5)
    assert "left out position 5" in done.err


def test_the_size_of_a_page(cli: Cli) -> None:
    """A run of 2,000 messages with ids and correlations is less than 1.5 MB."""
    cli.save(
        *(
            {
                "streamId": f"orders-{n % 90}",
                "type": "OrderPlaced",
                "data": {"orderId": f"ord-{n}", "total": n, "items": [{"sku": "abc"}] * 8},
                "correlationId": f"correlation-{n:032}",
                "causationId": f"cause-{n:032}",
            }
            for n in range(2000)
        )
    )
    [said] = cli("report", "-o", "run.html").lines
    assert said["messages"] == 2000
    assert said["bytes"] < 1_500_000
