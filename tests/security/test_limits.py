"""What is taken in has limits, so that all that is stored can be read back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli.harness import Cli

from msgstore import (
    FileMessageStore,
    InvalidArgument,
    MemoryMessageStore,
    MessageTooLarge,
    open_store,
)


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_labels_of_a_session(tmp_path: Path, kind: str) -> None:
    """64 KiB of labels come back; more are refused, for such an event could not be read in one piece."""
    store = FileMessageStore(tmp_path / "store") if kind == "file" else MemoryMessageStore()
    with store:
        most = {f"label-{n:03}": "x" * (1024 - 9) for n in range(64)}
        assert sum(len(k) + len(v) for k, v in most.items()) == 65_536
        session = store.create_session(labels=most)
        store.activate_session(session)
        assert store.active_session() == session
        assert store.get_session_info(session).labels == most
        with pytest.raises(MessageTooLarge, match="the labels"):
            store.create_session(labels=most | {"one": "more"})
        assert len(store.get_sessions()) == 1


def test_a_url_with_a_nul() -> None:
    """It is an argument that is wrong, and no error of the interpreter."""
    with pytest.raises(InvalidArgument, match="NUL"):
        open_store("file:a%00b")


def test_a_long_name_of_a_store(cli: Cli) -> None:
    """So is a path that the system does not take."""
    for name in ("x" * 300, "x/" * 3000):
        assert cli("--store", name, "query").code == 5
        assert cli("--store", name, "save", "s", "-t", "T").code == 5


def test_a_line_in_the_wrong_shape_is_told_in_short(cli: Cli) -> None:
    """A key of any length makes an error of a line."""
    for line in ({"x" * 100_000: 1}, {"type": "T", "messageType": "x" * 100_000}):
        done = cli("save", "s", "-", stdin=json.dumps(line))
        assert done.code == 2
        assert len(done.err) < 600
