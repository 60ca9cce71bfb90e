"""Every command over a store on NATS: what it does, and its exit code where it cannot."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli.conftest import cli  # noqa: F401 - the fixture
from cli.harness import Cli, json_lines

from msgstore import Message, open_store

from .servers import Server, free_ports


@pytest.fixture
def nats(cli: Cli, server: Server) -> Cli:  # noqa: F811
    """The command line, with a new store on the server as its own."""
    return cli.with_environment(MSGSTORE_STORE=server.url(f"k{os.urandom(8).hex()}"))


@pytest.fixture
def filled(nats: Cli) -> Cli:
    place, data = Message("OrderPlaced", {"total": 100}, id="m-1"), {"total": 50}
    with open_store(nats.environment["MSGSTORE_STORE"]) as store:
        store.save_message("orders-1", place)
        store.save_message("orders-2", Message("OrderPlaced", data))
        store.save_message("orders-1", Message("OrderShipped", correlation_id="c-1"))
        store.save_message("user-commands", Message("Rename", request_id="r-1"))
    return nats


def test_save(nats: Cli) -> None:
    """A save prints its places; a repeated one says so; a wrong expectation is exit code 4."""
    first = nats("save", "orders", "-t", "OrderPlaced", "total:=1", "--id", "m-1")
    assert (first.code, first.lines[0]["lastPosition"], first.lines[0]["duplicate"]) == (
        0,
        1,
        False,
    )
    again = nats("save", "orders", "-t", "OrderPlaced", "total:=1", "--id", "m-1")
    assert (again.code, again.lines[0]["lastPosition"], again.lines[0]["duplicate"]) == (0, 1, True)
    wrong = nats("save", "orders", "-t", "X", "--expected-revision", "none")
    assert (wrong.code, "stream is at revision 0" in wrong.err) == (4, True)


def test_save_lines(nats: Cli) -> None:
    """Lines are saved as batches, all or none with --atomic."""
    lines = json_lines(*({"type": "X", "data": n} for n in range(2500)))
    assert nats("save", "orders", "-", stdin=lines).code == 0
    assert nats("query", "--count").out == "2500\n"
    bad = json_lines({"type": "X"}, {"type": "X", "expectedRevision": 7})
    assert nats("save", "orders", "-", "--atomic", stdin=bad).code == 4
    assert nats("query", "--count").out == "2500\n"
    too_many = nats("save", "orders", "-", "--batch-size", "2000", stdin=lines)
    assert (too_many.code, "one commit of 2,000 messages" in too_many.err) == (2, True)


READS: dict[str, tuple[list[str], list[int]]] = {
    "read": (["read", "orders-1"], [1, 3]),
    "read the last": (["read", "orders-1", "--last", "1"], [3]),
    "read backwards": (["read", "orders-1", "-r"], [3, 1]),
    "read an unknown one": (["read", "nothing"], []),
    "query": (["query"], [1, 2, 3, 4]),
    "query by type": (["query", "-t", "OrderPlaced"], [1, 2]),
    "query by correlation": (["query", "--correlation-id", "c-1"], [3]),
    "query by id": (["query", "--id", "m-1"], [1]),
    "query by kind": (["query", "--kind", "command"], [4]),
    "query by pattern": (["query", "--stream", "orders-*"], [1, 2, 3]),
    "query by data": (["query", "--where", "total>=100"], [1]),
    "query by position": (["query", "--from-position", "2", "--to-position", "3"], [2, 3]),
    "query by time": (["query", "--since", "1h"], [1, 2, 3, 4]),
    "query by a time before": (["query", "--until", "1h ago"], []),
    "query the last": (["query", "--last", "2"], [3, 4]),
    "tail": (["tail", "-n", "2"], [3, 4]),
    "show": (["show", "2"], [2]),
    "show by id": (["show", "m-1"], [1]),
    "wait": (["wait", "-t", "OrderShipped", "--since", "1h", "--timeout", "30"], [3]),
}


@pytest.mark.parametrize("case", READS)
def test_reading(filled: Cli, case: str) -> None:
    """Each command that reads prints what it prints of a store on disk."""
    arguments, expected = READS[case]
    done = filled(*arguments, "-o", "jsonl")
    assert done.code == 0, done.err
    assert [line["position"] for line in done.lines] == expected


def test_following(filled: Cli) -> None:
    """`tail -f` ends with its count, and the cursor file goes on behind it."""
    cursor = ["tail", "-f", "--cursor-file", "seen.json", "--until-count", "2", "-o", "jsonl"]
    first = filled(*cursor, "--from-position", "1")
    assert [line["position"] for line in first.lines] == [1, 2], first.err
    assert [line["position"] for line in filled(*cursor).lines] == [3, 4]
    assert filled("tail", "-f", "-n", "0", "--timeout", "0.1").code == 124


def test_sessions(filled: Cli) -> None:
    """Sessions are started, stamped, shown and ended."""
    session_id = filled("sessions", "start", "--name", "nightly").out.strip()
    assert filled("save", "orders-9", "-t", "X").code == 0
    (shown,) = filled("sessions", "show", "last", "-o", "jsonl").lines
    assert (shown["sessionId"], shown["name"], shown["messageCount"]) == (session_id, "nightly", 1)
    assert filled("sessions", "end", "--status", "ok").code == 0
    (listed,) = filled("sessions").lines
    assert (listed["status"], "active" in listed) == ("ok", False)
    assert filled("query", "--session", "last", "--count").out == "1\n"


def test_totals(filled: Cli) -> None:
    """Totals, groups and streams are counted."""
    (stats,) = filled("stats").lines
    assert (stats["totalMessages"], stats["totalCommands"], stats["totalStreams"]) == (4, 1, 3)
    by_type = {line["type"]: line["count"] for line in filled("stats", "--by", "type").lines}
    assert by_type == {"OrderPlaced": 2, "OrderShipped": 1, "Rename": 1}
    streams = [line["streamId"] for line in filled("streams").lines]
    assert streams == ["orders-1", "orders-2", "user-commands"]


def test_run(nats: Cli) -> None:
    """A recorded command finds the store in its environment."""
    script = (
        "from msgstore import Message, open_store\n"
        "with open_store() as store: store.save_message('a', Message('X'))"
    )
    done = nats("run", "--name", "it", "--", sys.executable, "-c", script)
    assert done.code == 0, done.err
    saved = [line["message"]["type"] for line in nats("query", "--session", "last").lines]
    assert (len(saved), saved[1]) == (3, "X")


def test_verify(filled: Cli) -> None:
    """`verify` reads everything and finds nothing."""
    done = filled("verify")
    assert (done.code, done.lines[0]["messages"], done.lines[0]["findings"]) == (0, 4, [])
    assert filled("verify", "--quick").code == 0
    assert filled("verify", "--stream", "orders-1").lines[0]["messages"] == 2


def test_copies(filled: Cli) -> None:
    """What is exported can be imported into a store on disk, and the other way round."""
    assert filled("export", "all.jsonl").code == 0
    assert filled("--store", "copy", "import", "all.jsonl").code == 0
    assert filled("--store", "copy", "query", "--count").out == "4\n"
    assert filled("import", "all.jsonl").code == 0
    assert filled("query", "--count").out == "4\n"


@pytest.mark.parametrize("command", ["stuck", "trace", "latency", "report"])
def test_analysis(filled: Cli, command: str) -> None:
    """What asks a store for what happened asks this one too."""
    arguments = {
        "stuck": ["stuck"],
        "trace": ["trace", "--correlation-id", "c-1"],
        "latency": ["latency", "OrderPlaced", "OrderShipped"],
        "report": ["report", "-o", "run.html"],
    }[command]
    assert filled(*arguments).code in (0, 1)


def test_browse(server: Server) -> None:
    """The screen shows what is there, and what arrives."""
    from cli.browsing import Screen, browse

    url = server.url(f"k{os.urandom(8).hex()}")
    with open_store(url) as store:
        store.save_messages("orders-1", [Message("OrderPlaced")] * 3)

        async def act(screen: Screen) -> None:
            await screen.until(lambda: screen.positions == [1, 2, 3])
            store.save_message("orders-1", Message("OrderShipped"))
            await screen.until_shown("OrderShipped")
            assert screen.positions == [1, 2, 3, 4]

        browse(url, act)


FILES_ONLY: dict[str, list[str]] = {
    "repair": ["repair"],
    "rebuild-index": ["rebuild-index"],
    "backup": ["backup", "copy"],
    "restore": ["restore", "copy"],
    "dump": ["dump", "journal"],
    "--skip-damaged": ["query", "--skip-damaged"],
    "--durability": ["save", "orders", "-t", "X", "--durability", "os"],
}


@pytest.mark.parametrize("case", FILES_ONLY)
def test_what_is_for_files(filled: Cli, case: str) -> None:
    """What can only be done to files is exit code 2, and changes nothing."""
    done = filled(*FILES_ONLY[case])
    assert done.code == 2, done.err
    assert done.err.startswith("msgstore: ")
    assert filled("query", "--count").out == "4\n"


def test_no_store(nats: Cli) -> None:
    """A store that is not there is exit code 5 for all but those that make one."""
    for arguments in (["query"], ["read", "a"], ["stats"], ["tail"], ["sessions"], ["verify"]):
        assert nats(*arguments).code == 5, arguments


def test_no_server(nats: Cli) -> None:
    """A server that is not there is exit code 5, in one line without a traceback."""
    (port,) = free_ports(1)
    done = nats("--store", f"nats://ada:s3cret@127.0.0.1:{port}/journal", "query")
    assert (done.code, done.out) == (5, "")
    assert f"nats://127.0.0.1:{port}/journal: no server of NATS answers" in done.err
    assert "s3cret" not in done.err
    assert "Traceback" not in done.err


def test_no_url(nats: Cli) -> None:
    """A URL that is none is exit code 2."""
    assert nats("--store", "nats://localhost/a.b", "query").code == 2


def test_the_client_is_for_nats_alone(tmp_path: Path) -> None:
    """Commands over other stores import neither the client nor asyncio."""
    code = (
        "import sys\nfrom msgstore.cli.app import run\n"
        f"for line in ([], ['query']): run(['--store', {str(tmp_path / 's')!r}, *line])\n"
        f"run(['--store', {str(tmp_path / 's')!r}, 'save', 'a', '-t', 'X'])\n"
        f"run(['--store', {str(tmp_path / 's')!r}, 'read', 'a'])\n"
        "print({'nats', 'asyncio', 'ssl', 'importlib.metadata'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "set()"
