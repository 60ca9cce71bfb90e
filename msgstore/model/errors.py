"""Every error that msgstore raises, in four families: one per reaction of the caller.

Each class owns its exit code and one line of advice; each instance carries its facts as
attributes. People read the sentence, programs read the fields.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar


class MsgStoreError(Exception):
    """Anything msgstore reports. `exit_code` is what the command line ends with."""

    exit_code: ClassVar[int] = 5
    advice: ClassVar[str] = "see `msgstore --help`"
    request_index: int | None = None
    """Which save of a group (0-based) the error is about, where there was a group."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason

    def __reduce__(self) -> tuple[object, ...]:
        """Errors cross process borders: rebuilt from their facts, not from constructor calls."""
        return _rebuild, (type(self), self.__dict__)


def _rebuild(cls: type[MsgStoreError], facts: dict[str, object]) -> MsgStoreError:
    error = cls.__new__(cls, facts.get("reason", ""))
    error.__dict__.update(facts)
    return error


# ---------------------------------------------------------------- fix the call


class RequestError(MsgStoreError):
    """The call cannot be carried out as it stands; nothing was written."""

    exit_code = 2
    advice = "correct the call and try again"


class InvalidMessage(RequestError):
    """A message, or a part of it, is not storable. `path` names the offender: `data.items[2]`."""

    advice = "data may hold null, bool, 64-bit integers, finite numbers, text, lists and objects"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.problem = reason


class InvalidText(InvalidMessage):
    """A stream id, a type, an id or a name is no text of the kind that msgstore takes."""

    advice = "ids and types are text: not empty, at most 1,024 bytes, no control characters"


class MessageTooLarge(RequestError):
    """One message, or one commit, is over the limit."""

    advice = "store large payloads elsewhere and save a reference to them"

    def __init__(self, what: str, size_bytes: int, size_bytes_max: int) -> None:
        super().__init__(f"{what} takes {size_bytes:,} bytes; the limit is {size_bytes_max:,}")
        self.size_bytes = size_bytes
        self.size_bytes_max = size_bytes_max


class TooManyMessages(MessageTooLarge):
    """One commit has more messages than the store takes at once."""

    advice = "save them in several calls, each within the limit"

    def __init__(self, count: int, count_max: int) -> None:
        RequestError.__init__(
            self, f"one commit of {count:,} messages; the limit of this store is {count_max:,}"
        )
        self.count = count
        self.count_max = count_max


class InvalidFilter(RequestError):
    """A filter is empty, unknown or malformed; it never means "everything"."""

    advice = "leave a filter out to match everything"

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.problem = reason


class InvalidArgument(RequestError):
    """An argument of a call is out of its range."""

    def __init__(self, argument: str, reason: str) -> None:
        super().__init__(f"{argument}: {reason}")
        self.argument = argument
        self.problem = reason


class SessionNotFound(RequestError):
    """No session has this id."""

    advice = "`msgstore sessions` lists the sessions of the store"

    def __init__(self, session_id: str) -> None:
        super().__init__(f"session {session_id!r:.100} does not exist")
        self.session_id = session_id


class SessionEnded(RequestError):
    """The session exists and has ended; it takes no more messages."""

    advice = "start a new one: `msgstore sessions start`"

    def __init__(self, session_id: str) -> None:
        super().__init__(f"session {session_id!r} has ended")
        self.session_id = session_id


class DuplicateMessageId(RequestError):
    """The id is taken by another message, or a batch repeats only a part of what is stored."""

    advice = "give the message a new id, or leave the id out"

    def __init__(self, message_id: str, reason: str) -> None:
        super().__init__(f"message id {message_id!r} {reason}")
        self.message_id = message_id


# ---------------------------------------------------------------- re-read and retry


class WrongExpectedRevision(MsgStoreError):
    """The stream is not where the caller expected it to be. Nothing was written."""

    exit_code = 4
    advice = "re-read the stream, decide again, and retry with its present revision"

    def __init__(self, stream_id: str, expected: object, actual: int) -> None:
        wanted = f"revision {expected}" if isinstance(expected, int) else str(expected)
        super().__init__(f"Expected {wanted} but stream is at revision {actual}")
        self.stream_id = stream_id
        self.expected = expected
        self.actual = actual


# ---------------------------------------------------------------- fix the environment


class StoreUnavailable(MsgStoreError):
    """The store cannot be used as things are; the call itself was right."""

    exit_code = 5
    advice = "check the path, its permissions and the free space"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path


class StoreNotFound(StoreUnavailable):
    """There is no store at this path."""

    advice = "name it with --store or MSGSTORE_STORE; the first `msgstore save` creates it"

    def __init__(self, path: str, reason: str = "no message store here") -> None:
        super().__init__(path, reason)


class StoreExists(StoreUnavailable):
    """A store is to be restored where there is one: nothing is ever overwritten."""

    advice = "name a folder that is not there yet, with --store or MSGSTORE_STORE"

    def __init__(self, path: str) -> None:
        super().__init__(path, "there is a message store here")


class BackendMissing(StoreUnavailable):
    """The store's URL is of a kind that this installation cannot serve."""

    advice = "pip install 'msgstore[nats]' for nats: and tls: URLs"


class NotItsBackup(StoreUnavailable):
    """The store at this path is no earlier state of the one to be backed up. Nothing was changed."""

    advice = "back up into a new folder, and keep this one until it is clear which one holds what"


class UnsupportedFormat(StoreUnavailable):
    """The store was written by another version of msgstore, or this machine cannot read it."""

    advice = "use the msgstore version that wrote it, or a newer one"


class NetworkFileSystem(StoreUnavailable):
    """File locks and syncs are not dependable on a network file system."""

    advice = "move the store to a local disk, or set MSGSTORE_ALLOW_NETWORK_FS=1 and use it from one host"


class ReadOnlyStore(StoreUnavailable):
    """The store may be read but not written by this user."""

    advice = "check who owns the folder, its permissions, and whether the file system is mounted read-only"


class StoreClosed(StoreUnavailable):
    """The store object was closed, or refuses further writes after one that failed."""

    advice = "open the store again"


class WriteFailed(StoreUnavailable):
    """The operating system refused a write (disk full, I/O error). Nothing was saved."""

    advice = "free some space or check the disk, then try again; what was saved before is safe"


class OutcomeUnknown(WriteFailed):
    """A write failed in a way that leaves open whether the save will stand.

    The next writer settles it: the save is then there whole, or not at all. Messages with ids of
    their own may be saved again safely.
    """

    advice = "save again with the same --id: it is stored once, whichever way this one was settled"


class StoreLocked(StoreUnavailable):
    """Another process kept the lock for longer than the caller would wait."""

    exit_code = 75
    advice = "try again, or wait longer with --lock-timeout"

    def __init__(self, path: str, holder_pid: int | None, lock_timeout_s: float) -> None:
        holder = f"process {holder_pid}" if holder_pid else "another process"
        super().__init__(path, f"still locked by {holder} after {lock_timeout_s:g} s")
        self.holder_pid = holder_pid
        self.lock_timeout_s = lock_timeout_s


# ---------------------------------------------------------------- damage


class CorruptStore(MsgStoreError):
    """What is on disk is not what was written. Nothing is repaired silently."""

    exit_code = 3
    advice = (
        "run `msgstore verify` to see what is damaged, and `msgstore repair` what can be done; "
        "copy the store first, and do not write until it is understood"
    )


class CorruptRecord(CorruptStore):
    """One place in one file is damaged: which, where, and what was found there."""

    def __init__(
        self,
        path: str,
        offset: int,
        reason: str,
        *,
        stream_id: str | None = None,
        revision: int | None = None,
        position: int | None = None,
    ) -> None:
        known = {"stream": stream_id, "revision": revision, "position": position}
        facts = ", ".join(f"{k} {v}" for k, v in known.items() if v is not None)
        super().__init__(f"{path} at byte {offset}: {reason}" + (f" ({facts})" if facts else ""))
        self.path = path
        self.offset = offset
        self.problem = reason
        self.stream_id = stream_id
        self.revision = revision
        self.position = position


OnDamage = Callable[[CorruptRecord], None]
"""What a read that goes on behind damage tells of each message that it has to leave out."""
