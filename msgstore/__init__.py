"""msgstore: a durable local journal of commands and events.

Streams with revisions, one order over all of them, sessions that group a recorded run, optimistic
concurrency and filters. Names are imported when first used, so that a command pays only for what
it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from msgstore.backends.backups import backup_store as backup_store
    from msgstore.backends.backups import restore_store as restore_store
    from msgstore.backends.file import FileMessageStore as FileMessageStore
    from msgstore.backends.memory import MemoryMessageStore as MemoryMessageStore
    from msgstore.backends.protocol import LocalMessageStore as LocalMessageStore
    from msgstore.backends.protocol import MessageStore as MessageStore
    from msgstore.backends.protocol import Transaction as Transaction
    from msgstore.backends.registry import open_store as open_store
    from msgstore.backends.repairing import rebuild_index as rebuild_index
    from msgstore.backends.repairing import repair_store as repair_store
    from msgstore.model.errors import BackendMissing as BackendMissing
    from msgstore.model.errors import CorruptRecord as CorruptRecord
    from msgstore.model.errors import CorruptStore as CorruptStore
    from msgstore.model.errors import DuplicateMessageId as DuplicateMessageId
    from msgstore.model.errors import InvalidArgument as InvalidArgument
    from msgstore.model.errors import InvalidFilter as InvalidFilter
    from msgstore.model.errors import InvalidMessage as InvalidMessage
    from msgstore.model.errors import InvalidText as InvalidText
    from msgstore.model.errors import MessageTooLarge as MessageTooLarge
    from msgstore.model.errors import MsgStoreError as MsgStoreError
    from msgstore.model.errors import NetworkFileSystem as NetworkFileSystem
    from msgstore.model.errors import NotItsBackup as NotItsBackup
    from msgstore.model.errors import OutcomeUnknown as OutcomeUnknown
    from msgstore.model.errors import ReadOnlyStore as ReadOnlyStore
    from msgstore.model.errors import RequestError as RequestError
    from msgstore.model.errors import SessionEnded as SessionEnded
    from msgstore.model.errors import SessionNotFound as SessionNotFound
    from msgstore.model.errors import StoreClosed as StoreClosed
    from msgstore.model.errors import StoreExists as StoreExists
    from msgstore.model.errors import StoreLocked as StoreLocked
    from msgstore.model.errors import StoreNotFound as StoreNotFound
    from msgstore.model.errors import StoreUnavailable as StoreUnavailable
    from msgstore.model.errors import TooManyMessages as TooManyMessages
    from msgstore.model.errors import UnsupportedFormat as UnsupportedFormat
    from msgstore.model.errors import WriteFailed as WriteFailed
    from msgstore.model.errors import WrongExpectedRevision as WrongExpectedRevision
    from msgstore.model.expectation import ANY as ANY
    from msgstore.model.expectation import NO_STREAM as NO_STREAM
    from msgstore.model.expectation import STREAM_EXISTS as STREAM_EXISTS
    from msgstore.model.expectation import Exactly as Exactly
    from msgstore.model.filter import Condition as Condition
    from msgstore.model.filter import MessageFilter as MessageFilter
    from msgstore.model.message import NO_SESSION as NO_SESSION
    from msgstore.model.message import Message as Message
    from msgstore.model.message import MessageType as MessageType
    from msgstore.model.message import Position as Position
    from msgstore.model.message import PositionalMessage as PositionalMessage
    from msgstore.model.message import Revision as Revision
    from msgstore.model.repairs import LostMessages as LostMessages
    from msgstore.model.repairs import RepairReport as RepairReport
    from msgstore.model.results import BackupResult as BackupResult
    from msgstore.model.results import SessionInfo as SessionInfo
    from msgstore.model.results import StoreStats as StoreStats
    from msgstore.model.results import StreamInfo as StreamInfo
    from msgstore.model.saved import SaveResult as SaveResult
    from msgstore.model.saving import SaveRequest as SaveRequest

_HOMES = {
    "msgstore.backends.backups": ("backup_store", "restore_store"),
    "msgstore.backends.file": ("FileMessageStore",),
    "msgstore.backends.memory": ("MemoryMessageStore",),
    "msgstore.backends.protocol": ("LocalMessageStore", "MessageStore", "Transaction"),
    "msgstore.backends.registry": ("open_store",),
    "msgstore.backends.repairing": ("rebuild_index", "repair_store"),
    "msgstore.model.errors": (
        "BackendMissing",
        "CorruptRecord",
        "CorruptStore",
        "DuplicateMessageId",
        "InvalidArgument",
        "InvalidFilter",
        "InvalidMessage",
        "InvalidText",
        "MessageTooLarge",
        "MsgStoreError",
        "NetworkFileSystem",
        "NotItsBackup",
        "OutcomeUnknown",
        "ReadOnlyStore",
        "RequestError",
        "SessionEnded",
        "SessionNotFound",
        "StoreClosed",
        "StoreExists",
        "StoreLocked",
        "StoreNotFound",
        "StoreUnavailable",
        "TooManyMessages",
        "UnsupportedFormat",
        "WriteFailed",
        "WrongExpectedRevision",
    ),
    "msgstore.model.expectation": ("ANY", "NO_STREAM", "STREAM_EXISTS", "Exactly"),
    "msgstore.model.filter": ("Condition", "MessageFilter"),
    "msgstore.model.message": (
        "NO_SESSION",
        "Message",
        "MessageType",
        "Position",
        "PositionalMessage",
        "Revision",
    ),
    "msgstore.model.repairs": ("LostMessages", "RepairReport"),
    "msgstore.model.results": (
        "BackupResult",
        "SessionInfo",
        "StoreStats",
        "StreamInfo",
    ),
    "msgstore.model.saved": ("SaveResult",),
    "msgstore.model.saving": ("SaveRequest",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = ["__version__", *sorted(_HOME_OF)]


def __getattr__(name: str) -> Any:
    if (home := _HOME_OF.get(name)) is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
