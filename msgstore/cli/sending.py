"""`save -`: JSON Lines from stdin, committed whenever the input pauses."""

import os
import select
from collections.abc import Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, cast

import orjson

from msgstore.cli.errors import BadUsage
from msgstore.cli.json_input import INPUT_BYTES_MAX, json_reader, read_json_slowly
from msgstore.cli.plain_lines import PlainLines
from msgstore.cli.tally import Tally
from msgstore.engine.encoding import DraftStore
from msgstore.model.errors import MessageTooLarge, MsgStoreError
from msgstore.model.saving import SaveRequest

if TYPE_CHECKING:
    from msgstore.backends.protocol import LocalMessageStore
    from msgstore.cli.reading_ahead import ReadingAhead
    from msgstore.exchange.importing import Held
    from msgstore.format.record import Encoded
    from msgstore.model.context import SaveContext
    from msgstore.model.expectation import ExpectedRevision

Lines = list[bytes]

_READ_BYTES = 1 << 18
_BATCH_BYTES_MAX = 1 << 23
_LINES_ALONE = 4_000
"""After so many lines without a pause it pays to read with a second process."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


# ---------------------------------------------------------------- saving


class LineSaver:
    """Saves lines batch by batch; `tally` says what is committed.

    The context is for messages that are new: what `query` printed is stored as it was.
    """

    def __init__(
        self,
        store: "LocalMessageStore",
        stream_id: str | None,
        context: "SaveContext | None" = None,
        held: "Held" = nullcontext,
    ) -> None:
        """`held` is entered around each commit and its being counted."""
        self.tally = Tally()
        self._store = store
        self._stream_id = stream_id
        self._context = context
        self._held = held
        self._lines_done = 0
        self._plain = PlainLines(stream_id)
        self._drafts = store if isinstance(store, DraftStore) else None

    @property
    def takes_drafts(self) -> bool:
        return self._drafts is not None

    def save(self, lines: Lines) -> None:
        """Commits each line on its own account, up to the first that is refused.

        Raises its error, with the number of the line and what was committed before it.
        """
        encoded = self.encode(lines)
        if encoded is not None:
            self.save_encoded(encoded, len(lines))
            return
        requests: list[SaveRequest] = []
        refusal = parse_lines(lines, self._stream_id, requests, self._context)
        refusal = self._commit(requests) or refusal
        if refusal:
            raise self._explain(refusal, lines)
        self._lines_done += len(lines)

    def encode(self, lines: Lines) -> "list[Encoded] | None":
        """What `save_encoded` takes, if the store does and all of these lines are plain."""
        drafts = self._plain.read(lines) if self._drafts else None
        if not drafts or self._drafts is None:
            return None
        if self._context:
            drafts = [self._context.fill_draft(draft) for draft in drafts]
        return self._drafts.encode_drafts(drafts)

    def save_encoded(self, encoded: "list[Encoded]", lines: int) -> None:
        """Commits what `encode` made of so many lines."""
        try:
            with self._held():
                saved = cast("DraftStore", self._drafts).save_encoded(encoded)
                self.tally.add_encoded(encoded, saved)
        except MsgStoreError as error:
            raise self._explain(error, []) from None
        self._lines_done += lines

    def save_together(self, lines: Lines) -> None:
        """Commits all lines or none. Raises the error of the first that is refused."""
        requests: list[SaveRequest] = []
        refusal = parse_lines(lines, self._stream_id, requests, self._context)
        try:
            if refusal:
                raise refusal
            with self._held():
                with self._store.transaction() as transaction:
                    for request in requests:
                        expected = cast("ExpectedRevision", request.expectation)
                        transaction.save_messages(
                            request.stream_id, request.messages, expected, request.message_type
                        )
                self.tally.add(transaction.results)
        except MsgStoreError as error:
            raise self._explain(error, lines) from None

    def _commit(self, requests: list[SaveRequest]) -> MsgStoreError | None:
        """Commits what stands before the first request that is refused; returns why that one was."""
        refusal = None
        while requests:
            try:
                with self._held():
                    self.tally.add(self._store.save_each(requests))
                break
            except MsgStoreError as error:
                refusal = error
                requests = requests[: error.request_index or 0]
        return refusal

    def _explain(self, error: MsgStoreError, lines: Lines) -> MsgStoreError:
        if error.request_index is not None:
            number = self._lines_done + _index_of(lines, error.request_index) + 1
            error.reason = f"line {number:,}: {error.reason}"
        error.add_note(
            f"saved before it: {self.tally}" if self.tally.messages else "nothing was saved"
        )
        return error


def save_batches(saver: LineSaver, batches: Iterator[Lines], lines_max: int) -> Iterator[None]:
    """Saves batch by batch; yields after each commit.

    Where one full batch comes behind the other, a second process reads from there on.
    """
    lines_in_a_row = 0
    for lines in batches:
        saver.save(lines)
        yield
        lines_in_a_row = lines_in_a_row + len(lines) if len(lines) == lines_max else 0
        if lines_in_a_row >= _LINES_ALONE and (ahead := _read_ahead(saver, batches)):
            with ahead:
                yield from ahead.save()
            return


def _read_ahead(saver: LineSaver, batches: Iterator[Lines]) -> "ReadingAhead | None":
    """The second process, where it is of use and there is room for it."""
    if not saver.takes_drafts or _processors() == 1:
        return None
    from msgstore.cli.reading_ahead import ReadingAhead

    try:
        return ReadingAhead(saver, batches)
    except OSError:
        return None


def _processors() -> int:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def parse_lines(
    lines: Lines,
    stream_id: str | None,
    requests: list[SaveRequest],
    context: "SaveContext | None" = None,
) -> MsgStoreError | None:
    """Adds a request for each line that is not blank, up to the first that is none; returns why."""
    read, add = json_reader(b"\n".join(lines)), requests.append
    parse = SaveRequest.from_json if context is None else context.fill_line
    try:
        for line in lines:
            if line and not line.isspace():
                try:
                    value = read(line)
                except orjson.JSONDecodeError:
                    value = read_json_slowly(line)
                add(parse(value, stream_id))
    except MsgStoreError as error:
        error.request_index = len(requests)
        return error
    return None


def _index_of(lines: Lines, request_index: int) -> int:
    """Which line a request came from."""
    filled = [index for index, line in enumerate(lines) if line and not line.isspace()]
    return filled[request_index]


# ---------------------------------------------------------------- reading


def read_batches(descriptor: int, lines_max: int) -> Iterator[Lines]:
    """The lines of a file, without their ends, as they come.

    A batch ends when it holds `lines_max` lines or 8 MiB, and when no more input is waiting. Empty
    lines are kept, so that lines can be counted.
    """
    lines: Lines = []
    size_bytes = 0
    for arrived in _read_lines(descriptor):
        lines += arrived
        size_bytes += sum(map(len, arrived))
        while len(lines) >= lines_max:
            yield lines[:lines_max]
            del lines[:lines_max]
            size_bytes = sum(map(len, lines))
        if lines and (size_bytes >= _BATCH_BYTES_MAX or not _is_waiting(descriptor)):
            yield lines
            lines, size_bytes = [], 0
    if lines:
        yield lines


def _read_lines(descriptor: int) -> Iterator[Lines]:
    """What each read of the file completes; the last line needs no end."""
    begun: Lines = []
    begun_bytes = 0
    at_start = True
    while chunk := _read(descriptor):
        complete, newline, rest = chunk.rpartition(b"\n")
        if newline:
            lines = b"".join([*begun, complete]).split(b"\n")
            begun, begun_bytes = [], 0
            if at_start:
                lines[0] = lines[0].removeprefix(_BYTE_ORDER_MARK)
                at_start = False
            yield lines
        begun.append(rest)
        begun_bytes += len(rest)
        if begun_bytes > INPUT_BYTES_MAX:
            raise MessageTooLarge("a line of the input", begun_bytes, INPUT_BYTES_MAX)
    if last := b"".join(begun):
        yield [last.removeprefix(_BYTE_ORDER_MARK) if at_start else last]


def _read(descriptor: int) -> bytes:
    """Blocks for a second at a time: a Ctrl-C that comes just before a read would else be lost in it."""
    try:
        while not _is_waiting(descriptor, timeout_s=1):
            pass
        return os.read(descriptor, _READ_BYTES)
    except OSError as error:
        raise BadUsage(f"stdin: {error.strerror}", "msgstore save - < messages.jsonl") from None


def _is_waiting(descriptor: int, timeout_s: float = 0) -> bool:
    return bool(select.select([descriptor], [], [], timeout_s)[0])
