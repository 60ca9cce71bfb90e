"""What `import msgstore` gives, and what it leaves alone."""

from __future__ import annotations

import subprocess
import sys

import pytest

import msgstore

CONTRACT = [
    "ANY",
    "CorruptRecord",
    "CorruptStore",
    "DuplicateMessageId",
    "FileMessageStore",
    "InvalidFilter",
    "InvalidMessage",
    "LocalMessageStore",
    "MemoryMessageStore",
    "Message",
    "MessageFilter",
    "MessageStore",
    "MessageTooLarge",
    "MsgStoreError",
    "NO_STREAM",
    "PositionalMessage",
    "ReadOnlyStore",
    "RequestError",
    "STREAM_EXISTS",
    "SaveResult",
    "SessionEnded",
    "SessionInfo",
    "SessionNotFound",
    "StoreLocked",
    "StoreNotFound",
    "StoreUnavailable",
    "StreamInfo",
    "UnsupportedFormat",
    "WriteFailed",
    "WrongExpectedRevision",
    "open_store",
]


@pytest.mark.parametrize("name", CONTRACT)
def test_a_name_of_the_contract(name: str) -> None:
    """Every name of the contract imports from `msgstore`."""
    assert getattr(msgstore, name) is not None
    assert name in msgstore.__all__


@pytest.mark.parametrize("name", msgstore.__all__)
def test_a_listed_name(name: str) -> None:
    """Every name that is listed is there."""
    assert hasattr(msgstore, name)


def test_an_unknown_name() -> None:
    """A name that is not there is an AttributeError, as of any module."""
    with pytest.raises(AttributeError, match="no attribute 'Massage'"):
        msgstore.Massage  # noqa: B018


def test_importing_costs_little() -> None:
    """Importing the package imports neither a backend nor what tests need."""
    code = "import sys, msgstore; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert loaded.isdisjoint({"pytest", "hypothesis", "msgpack", "orjson", "asyncio", "rich"})
    assert {name for name in loaded if name.startswith("msgstore")} == {"msgstore"}
