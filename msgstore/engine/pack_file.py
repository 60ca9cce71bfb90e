"""A pack on disk, walked block by block from either end. Nothing is kept but the sessions.

What is read is checked first; what does not hold is a CorruptRecord that names the byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from msgstore.disk.one_file import OneFile
from msgstore.format.frame import (
    FRAME_BYTES_MIN,
    frame_crc,
    frame_length,
    frame_problem,
    last_frame_length,
)
from msgstore.format.pack import (
    BLOCK_FRAME_BYTES_MAX,
    END_FRAME_BYTES_MAX,
    PACK_VERSION,
    SESSIONS_A_FRAME,
    SESSIONS_FRAME_BYTES_MAX,
    SUMMARY_FRAME_BYTES_MAX,
    End,
    Summary,
    add_to_chain,
    decode_block,
    decode_end,
    decode_sessions,
    decode_summary,
    encode_header,
    header_version,
)
from msgstore.model.errors import CorruptRecord, StoreUnavailable, UnsupportedFormat
from msgstore.model.message import PositionalMessage
from msgstore.model.results import SessionInfo

T = TypeVar("T")
Wants = Callable[[Summary], bool]
"""Whether a block is to be read, by its summary."""

_HEADER_BYTES = len(encode_header())


def looks_like_pack(beginning: bytes) -> bool:
    """Whether a file that begins with these bytes is meant to be a pack, of whatever version."""
    return beginning[:1] == b"\xdc" and b"msgstore-pack" in beginning[:64]


class PackFile:
    """Raises StoreUnavailable where the file is no pack, UnsupportedFormat for one of another
    version, CorruptRecord where it is damaged or cut."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._file = OneFile(path)
        except OSError as error:
            raise StoreUnavailable(path, error.strerror or "cannot be read") from None
        try:
            self.size = self._file.size()
            self._check_header()
            self.end_offset, self.end = self._read_end()
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        self._file.close()

    def _check_header(self) -> None:
        beginning = self._read(0, 64)
        if not looks_like_pack(beginning):
            raise StoreUnavailable(self.path, "is neither a store nor a pack")
        if len(beginning) < FRAME_BYTES_MIN or frame_problem(beginning):
            raise self._damaged(0, "the header is damaged")
        frame = beginning[: frame_length(beginning)]
        version = self._decode(0, lambda: header_version(frame))
        if version != PACK_VERSION:
            raise UnsupportedFormat(self.path, f"is a pack of version {version}")

    def _read_end(self) -> tuple[int, End]:
        tail = self._read(max(0, self.size - END_FRAME_BYTES_MAX), END_FRAME_BYTES_MAX)
        length = last_frame_length(tail)
        if length is None or length > len(tail) or frame_problem(tail[-length:]):
            raise self._damaged(self.size, "it does not end as a pack does: damaged, or cut short")
        offset = self.size - length
        end = self._decode(offset, lambda: decode_end(tail[-length:]))
        if not _HEADER_BYTES <= end.sessions_offset <= offset:
            raise self._damaged(offset, "the end names a place that is not there")
        return offset, end

    # ------------------------------------------------------------ blocks

    def forwards(self, wants: Wants) -> Iterator[list[PositionalMessage]]:
        """The messages of each block that is wanted; each whole, and after the one before it."""
        offset, ordinal, last_position = _HEADER_BYTES, 0, 0
        while offset < self.end.sessions_offset:
            summary, length = self._summary_at(offset)
            if summary.ordinal != ordinal or summary.first_position <= last_position:
                raise self._damaged(offset, "a block is not the next one")
            if wants(summary):
                yield self._block_at(offset + length, summary)
            offset += length + summary.block_bytes
            ordinal, last_position = ordinal + 1, summary.last_position
        if offset != self.end.sessions_offset or ordinal != self.end.blocks:
            raise self._damaged(offset, "there are not as many blocks as the end tells of")

    def backwards(self, wants: Wants) -> Iterator[list[PositionalMessage]]:
        """As `forwards`, the last block first; the messages of each are in order all the same."""
        offset, ordinal, next_position = self.end.sessions_offset, self.end.blocks, 2**63
        while offset > _HEADER_BYTES:
            summary, start, length = self._summary_before(offset)
            ordinal -= 1
            if summary.ordinal != ordinal or summary.last_position >= next_position:
                raise self._damaged(start, "a block is not the one before")
            if wants(summary):
                yield self._block_at(start + length, summary)
            offset, next_position = start, summary.first_position
        if ordinal:
            raise self._damaged(offset, "there are not as many blocks as the end tells of")

    def summaries(self) -> Iterator[Summary]:
        """All of them, checked against the end's chain, with the sessions. What `verify` asks for."""
        offset, chain = _HEADER_BYTES, 0
        while offset < self.end.sessions_offset:
            frame = self._frame_at(offset, SUMMARY_FRAME_BYTES_MAX)
            summary, _ = self._summary_at(offset)
            chain = add_to_chain(chain, frame)
            yield summary
            offset += len(frame) + summary.block_bytes
        for _, frame in self._session_frames():
            chain = add_to_chain(chain, frame)
        if chain != self.end.chain:
            raise self._damaged(self.end_offset, "the end tells of other contents")

    def _summary_at(self, offset: int) -> tuple[Summary, int]:
        frame = self._frame_at(offset, SUMMARY_FRAME_BYTES_MAX)
        summary = self._decode(offset, lambda: decode_summary(frame))
        if offset + len(frame) + summary.block_bytes > self.end.sessions_offset:
            raise self._damaged(offset, "a block is longer than there is room for")
        return summary, len(frame)

    def _summary_before(self, offset: int) -> tuple[Summary, int, int]:
        """The summary of the block that ends at `offset`, where it begins, and its length."""
        block_length = last_frame_length(self._read(offset - 5, 5))
        block_start = offset - (block_length or 0)
        if block_length is None or not block_start > _HEADER_BYTES:
            raise self._damaged(offset, "no block ends here")
        first = max(_HEADER_BYTES, block_start - SUMMARY_FRAME_BYTES_MAX)
        before = self._read(first, block_start - first)
        length = last_frame_length(before)
        if length is None or length > len(before) or frame_problem(before[-length:]):
            raise self._damaged(block_start, "no whole summary stands before a block")
        start = block_start - length
        summary = self._decode(start, lambda: decode_summary(before[-length:]))
        if summary.block_bytes != block_length:
            raise self._damaged(start, "a block has another length than its summary tells")
        return summary, start, length

    def _block_at(self, offset: int, summary: Summary) -> list[PositionalMessage]:
        if summary.block_bytes > BLOCK_FRAME_BYTES_MAX:
            raise self._damaged(offset, "a block is impossibly long")
        frame = self._read(offset, summary.block_bytes)
        problem = frame_problem(frame)
        if problem or frame_length(frame) != len(frame) or frame_crc(frame) != summary.block_crc:
            raise self._damaged(offset, problem or "the block is not its summary's")
        return self._decode(offset, lambda: decode_block(frame, summary))

    # ------------------------------------------------------------ sessions

    def sessions(self) -> list[SessionInfo]:
        found: list[SessionInfo] = []
        for number, (offset, frame) in enumerate(self._session_frames()):
            part = self._decode(offset, lambda f=frame, n=number: decode_sessions(f, n))  # type: ignore[misc]
            if not 1 <= len(part) <= SESSIONS_A_FRAME:
                raise self._damaged(offset, "a frame holds an impossible number of sessions")
            found += part
        if len(found) != self.end.sessions:
            raise self._damaged(self.end_offset, "there are not as many sessions as the end tells")
        return found

    def _session_frames(self) -> Iterator[tuple[int, bytes]]:
        offset = self.end.sessions_offset
        while offset < self.end_offset:
            frame = self._frame_at(offset, SESSIONS_FRAME_BYTES_MAX)
            yield offset, frame
            offset += len(frame)
        if offset != self.end_offset:
            raise self._damaged(offset, "the sessions do not end where they should")

    # ------------------------------------------------------------ frames

    def _frame_at(self, offset: int, bytes_max: int) -> bytes:
        """A whole frame of at most so many bytes."""
        frame = self._read(offset, min(bytes_max, SUMMARY_FRAME_BYTES_MAX))
        if len(frame) >= FRAME_BYTES_MIN:
            length = frame_length(frame)
            if len(frame) < length <= bytes_max:
                frame = self._read(offset, length)
            frame = frame[:length]
        if problem := frame_problem(frame):
            raise self._damaged(offset, problem)
        return frame

    def _read(self, offset: int, size: int) -> bytes:
        try:
            return self._file.read(offset, size)
        except OSError as error:
            raise StoreUnavailable(self.path, error.strerror or "cannot be read") from None

    def _decode(self, offset: int, decode: Callable[[], T]) -> T:
        try:
            return decode()
        except ValueError as error:
            raise self._damaged(offset, str(error)) from None

    def _damaged(self, offset: int, reason: str) -> CorruptRecord:
        return CorruptPack(self.path, offset, reason)


class CorruptPack(CorruptRecord):
    """A pack is not what was written."""

    advice = "copy it again from where it came from, or export it again"
