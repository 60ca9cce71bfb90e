"""Which of the whole records that are found are messages of the store, and of which stream.

A record says its position and its revision. Whose it is says its index row, else the header of its
file, else the file's name. So a message is found in whichever file it stands, and a record that a row
speaks against, or that cannot stand where others do that more is known of, is none.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgstore.engine.remains import OFFSETS, Place, Places, SegmentFile, Survivor
from msgstore.format.record import RecordHead
from msgstore.format.row import Row

_Standing = tuple[bool, bool, int, bool]
_Claim = tuple[int, int]
"""Position and revision of a record of one stream."""


class Claims:
    """Takes up one record after the other; after `settle` the places are those of all messages."""

    def __init__(
        self,
        files: Sequence[SegmentFile],
        row: Callable[[int], Row | None],
        head_at: Callable[[int, int], RecordHead],
        names: Mapping[int, str],
    ) -> None:
        """`row` reads the whole row at a position, `head_at` the head at an offset of a file;
        `names` are the streams by the references in rows, as far as the catalog has them."""
        self._files = files
        self._row = row
        self._head_at = head_at
        self._names = dict(names)
        self._known = set(names.values())
        self._numbers: dict[str, int] = {}
        self.stream_ids: list[str] = []
        """By the numbers that places have for them."""
        self.places = Places()
        self.copies = 0
        """Whole records whose message stands elsewhere too."""
        self.strays = 0
        """Whole records that were in no commit that stands."""
        self.ambiguous = 0
        """Positions that stood in two records, where nothing but what they say decided."""

    # ------------------------------------------------------------ one by one

    def take(self, number: int, one: Survivor) -> None:
        """A whole record of the file with this number, in the order of their offsets."""
        file, head = self._files[number], one.head
        row = self._row(head.position)
        agrees = one.offset < OFFSETS and (row is None or _agree(row, head))
        stream_id = self._stream_of(file, row) if agrees else None
        if stream_id is None:
            self.refuse(number)
        elif self._goes_first(number, one, stream_id, row):
            place = Place(number, one.offset, self._number(stream_id), head.revision)
            self.places.put(head.position, place)
            file.take(one.offset, head, stream_id)

    def refuse(self, number: int) -> None:
        """A whole record of this file is no message."""
        self.strays += 1
        self._files[number].has_strays = True

    def _number(self, stream_id: str) -> int:
        if stream_id not in self._numbers:
            self._numbers[stream_id] = len(self.stream_ids)
            self.stream_ids.append(stream_id)
        return self._numbers[stream_id]

    def _stream_of(self, file: SegmentFile, row: Row | None) -> str | None:
        """Where the catalog has lost a stream, a record in a segment of it tells what rows call it."""
        if row is None:
            return file.stream_id
        known = self._names.get(row.stream)
        if known is not None or file.stream_id is None:
            return known
        if file.header_bytes:
            self._names[row.stream] = file.stream_id
            self._known.add(file.stream_id)
        return None if file.stream_id in self._known and not file.header_bytes else file.stream_id

    def _goes_first(self, number: int, one: Survivor, stream_id: str, row: Row | None) -> bool:
        """Whether the message at this position is that of this record, as far as is known by now.

        Of two, the one in a file of its own stream that says so itself, else the later one: a
        position is given out again only after what stood there was undone.
        """
        taken = self.places.get(one.head.position)
        if taken is None:
            return True
        other = self._head_at(taken.file, taken.offset)
        other_id = self.stream_ids[taken.stream]
        if row is None and (other, other_id) != (one.head, stream_id):
            self.ambiguous += 1
        else:
            self.copies += 1
        mine = _standing(self._files[number], stream_id, one.head)
        goes_first = mine > _standing(self._files[taken.file], other_id, other)
        self._files[taken.file if goes_first else number].has_strays = True
        return goes_first

    # ------------------------------------------------------------ all together

    def settle(self) -> None:
        """Drops what cannot be: in a stream revisions rise with positions."""
        for stream in self._contradictory():
            self._settle_stream(stream)

    def _contradictory(self) -> set[int]:
        last = [-1] * len(self.stream_ids)
        found = set()
        for _, place in self.places.all():
            if place.revision <= last[place.stream]:
                found.add(place.stream)
            last[place.stream] = place.revision
        return found

    def _settle_stream(self, stream: int) -> None:
        """Keeps as many as can stand together, those first of which more is known."""
        by_trust: dict[int, list[_Claim]] = defaultdict(list)
        for position, place in self.places.all():
            if place.stream == stream:
                by_trust[self._trust(position, place)].append((position, place.revision))
        kept: list[_Claim] = []
        for trust in sorted(by_trust, reverse=True):
            chain = _longest_chain(one for one in by_trust[trust] if _fits(kept, one))
            kept = sorted([*kept, *chain])
        standing = set(kept)
        for claims in by_trust.values():
            for position, revision in claims:
                if (position, revision) not in standing:
                    self._drop(position)

    def _trust(self, position: int, place: Place) -> int:
        return 2 * (self._row(position) is not None) + (self._files[place.file].header_bytes > 0)

    def _drop(self, position: int) -> None:
        place = self.places.get(position)
        assert place is not None, "it was among the places"
        self.places.drop(position)
        self.refuse(place.file)


def _agree(row: Row, head: RecordHead) -> bool:
    """Whether it is this record that the row at its position means."""
    return (row.record_crc, row.length, row.revision) == (head.crc, head.length, head.revision)


def _standing(file: SegmentFile, stream_id: str, head: RecordHead) -> _Standing:
    return file.stream_id == stream_id, file.header_bytes > 0, head.time_us, file.is_home


def _fits(kept: Sequence[_Claim], one: _Claim) -> bool:
    """Whether the claim can stand between those of `kept`, which are in order."""
    at = bisect_left(kept, one)
    before_fits = at == 0 or kept[at - 1][1] < one[1]
    return before_fits and (at == len(kept) or one[1] < kept[at][1])


def _longest_chain(claims: Iterable[_Claim]) -> list[_Claim]:
    """As many of the claims, given by position, as have rising revisions; of equals the later ones.

    By patience: `tops` holds, for each length, the lowest revision that a chain of it can end with.
    """
    tops: list[int] = []
    ends: list[int] = []
    links: list[tuple[_Claim, int]] = []
    for claim in claims:
        length = bisect_left(tops, claim[1])
        tops[length : length + 1] = [claim[1]]
        ends[length : length + 1] = [len(links)]
        links.append((claim, ends[length - 1] if length else -1))
    chain = []
    at = ends[-1] if ends else -1
    while at >= 0:
        claim, at = links[at]
        chain.append(claim)
    return chain[::-1]
