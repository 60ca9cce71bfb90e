"""Errors: families, exit codes, facts, and their way between processes."""

from __future__ import annotations

import copy
import pickle

import pytest

from msgstore.model import errors
from msgstore.model.errors import (
    BackendMissing,
    CorruptRecord,
    CorruptStore,
    DuplicateMessageId,
    InvalidArgument,
    InvalidFilter,
    InvalidMessage,
    InvalidText,
    MessageTooLarge,
    MsgStoreError,
    NetworkFileSystem,
    NotItsBackup,
    OutcomeUnknown,
    ReadOnlyStore,
    RequestError,
    SessionEnded,
    SessionNotFound,
    StoreClosed,
    StoreExists,
    StoreLocked,
    StoreNotFound,
    StoreUnavailable,
    TooManyMessages,
    UnsupportedFormat,
    WriteFailed,
    WrongExpectedRevision,
)
from msgstore.model.expectation import ANY, STREAM_EXISTS

# One of each: its family, its exit code, its sentence.
ERRORS: list[tuple[MsgStoreError, type[MsgStoreError], int, str]] = [
    (InvalidMessage("data.a[2]", "NaN is not JSON"), RequestError, 2, "data.a[2]: NaN is not JSON"),
    (
        InvalidText("stream_id", "must not be empty"),
        RequestError,
        2,
        "stream_id: must not be empty",
    ),
    (InvalidFilter("where", "is empty"), RequestError, 2, "where: is empty"),
    (InvalidArgument("count", "is -1"), RequestError, 2, "count: is -1"),
    (
        MessageTooLarge("the message", 20_000_000, 16_777_216),
        RequestError,
        2,
        "the message takes 20,000,000 bytes; the limit is 16,777,216",
    ),
    (
        TooManyMessages(1_001, 1_000),
        MessageTooLarge,
        2,
        "one commit of 1,001 messages; the limit of this store is 1,000",
    ),
    (
        BackendMissing("nats", "its client is not installed"),
        StoreUnavailable,
        5,
        "nats: its client is not installed",
    ),
    (SessionNotFound("s"), RequestError, 2, "session 's' does not exist"),
    (SessionEnded("s"), RequestError, 2, "session 's' has ended"),
    (
        DuplicateMessageId("m-1", "is taken in stream 'orders'"),
        RequestError,
        2,
        "message id 'm-1' is taken in stream 'orders'",
    ),
    (
        WrongExpectedRevision("orders", -1, 0),
        MsgStoreError,
        4,
        "Expected revision -1 but stream is at revision 0",
    ),
    (
        WrongExpectedRevision("orders", STREAM_EXISTS, -1),
        MsgStoreError,
        4,
        "Expected an existing stream but stream is at revision -1",
    ),
    (StoreExists("/s"), StoreUnavailable, 5, "/s: there is a message store here"),
    (
        NotItsBackup("/s", "another store is kept here"),
        StoreUnavailable,
        5,
        "/s: another store is kept here",
    ),
    (StoreNotFound("/x"), StoreUnavailable, 5, "/x: no message store here"),
    (UnsupportedFormat("/x", "version 9"), StoreUnavailable, 5, "/x: version 9"),
    (NetworkFileSystem("/x", "nfs"), StoreUnavailable, 5, "/x: nfs"),
    (ReadOnlyStore("/x", "read-only"), StoreUnavailable, 5, "/x: read-only"),
    (StoreClosed("memory:", "is closed"), StoreUnavailable, 5, "memory:: is closed"),
    (WriteFailed("/x", "disk full"), StoreUnavailable, 5, "/x: disk full"),
    (OutcomeUnknown("/x", "fsync"), WriteFailed, 5, "/x: fsync"),
    (
        StoreLocked("/x", 42, 0.5),
        StoreUnavailable,
        75,
        "/x: still locked by process 42 after 0.5 s",
    ),
    (
        StoreLocked("/x", None, 30),
        StoreUnavailable,
        75,
        "/x: still locked by another process after 30 s",
    ),
    (CorruptStore("index is short"), MsgStoreError, 3, "index is short"),
    (
        CorruptRecord("/x/index", 96, "checksum", stream_id="orders", revision=0, position=1),
        CorruptStore,
        3,
        "/x/index at byte 96: checksum (stream orders, revision 0, position 1)",
    ),
    (CorruptRecord("/x/index", 0, "magic"), CorruptStore, 3, "/x/index at byte 0: magic"),
]


def _name(case: object) -> str:
    return type(case).__name__ if isinstance(case, MsgStoreError) else ""


@pytest.mark.parametrize(("error", "family", "exit_code", "sentence"), ERRORS, ids=_name)
def test_an_error(
    error: MsgStoreError, family: type[MsgStoreError], exit_code: int, sentence: str
) -> None:
    """An error is of its family, has its exit code, its sentence, and one line of advice."""
    assert isinstance(error, family)
    assert (error.exit_code, str(error)) == (exit_code, sentence)
    assert error.advice
    assert "\n" not in error.advice


def test_every_error_is_listed() -> None:
    """The list above holds every error that can be raised."""
    named = [c for c in vars(errors).values() if isinstance(c, type)]
    defined = {c for c in named if issubclass(c, MsgStoreError)}
    families = {MsgStoreError, RequestError, StoreUnavailable}
    assert {type(error) for error, *_ in ERRORS} == defined - families


@pytest.mark.parametrize("error", [error for error, *_ in ERRORS], ids=_name)
def test_between_processes(error: MsgStoreError) -> None:
    """An error that was pickled or copied is the same error with the same facts."""
    error.request_index = 3
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(twin) is type(error)
        assert (str(twin), twin.args, vars(twin)) == (str(error), error.args, vars(error))
        assert twin.request_index == 3


def test_the_facts_of_a_wrong_revision() -> None:
    """What was expected is kept as it was given."""
    error = WrongExpectedRevision("orders", ANY, 4)
    assert (error.stream_id, error.expected, error.actual) == ("orders", ANY, 4)
    assert error.request_index is None
