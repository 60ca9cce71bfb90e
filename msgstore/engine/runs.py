"""The runs of one kind in `lookup/`: what they cover, what they hold, how they grow.

Runs cover the rows from the first on, without gaps. They are written behind the commit, never synced,
and never believed without a checksum: a run that is missing or bad covers nothing, and its rows are
looked through instead until a writer makes it anew.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from zlib import crc32

from msgstore.disk.files import Disk
from msgstore.engine.index import Index
from msgstore.format.names import INDEX, LOOKUP
from msgstore.format.row import ROW_BYTES, stored_crc
from msgstore.format.run import (
    BLOCK_BYTES,
    BLOCK_KEYS,
    RunHeader,
    decode_block,
    decode_fences,
    decode_run_header,
    encode_blocks,
    encode_fences,
    encode_run_header,
    run_path,
    split_run_name,
)

RUN_ROWS_MIN = 8192
"""Fewer rows than this are not made into a run of their own."""
RUN_ROWS_MAX = 524_288
"""Runs are merged up to this size: what a merge keeps in memory stays small."""
_MERGED_AT_ONCE = 4
_KEPT_BLOCKS_MAX = 512
"""A reader keeps so many blocks of a run: small runs stay in memory as a whole."""
_LOW = 0xFFFF_FFFF


class BadRun(Exception):
    """A run that cannot be believed."""


class Run:
    """One file of keys. Raises BadRun, or FileNotFoundError once it was merged into another."""

    def __init__(self, disk: Disk, path: str, header: RunHeader) -> None:
        self._disk = disk
        self.path = path
        self.header = header
        self.first_row = header.first_row
        self.last_row = header.last_row
        self._fences: array[int] | None = None
        self._blocks: dict[int, array[int]] = {}

    @property
    def rows(self) -> int:
        return self.last_row - self.first_row + 1

    @property
    def fences(self) -> array[int]:
        """The first key of every block."""
        if self._fences is None:
            header = self.header
            buffer = self._disk.read(self.path, header.fences_offset, header.blocks * 8)
            fences = decode_fences(header, buffer)
            if fences is None:
                raise BadRun(self.path)
            self._fences = _array(fences)
        return self._fences

    def find(self, high: int) -> list[int]:
        """The low words of all keys with this high word, rising."""
        low_key = high << 32
        return [key & _LOW for key in self.between(low_key, low_key | _LOW, self.header.keys)]

    def between(
        self, low: int, high: int, count_max: int, *, backwards: bool = False
    ) -> Sequence[int]:
        """The keys from `low` to `high`, rising; the first `count_max` of them, or the last."""
        fences = self.fences
        last = bisect_right(fences, high) - 1
        if last < 0:
            return ()
        first = last if fences[last] < low else max(0, bisect_left(fences, low, 0, last) - 1)
        if first == last:
            return _some(self._between(last, low, high), count_max, backwards)
        found = array("Q")
        for number in range(last, first - 1, -1) if backwards else range(first, last + 1):
            keys = self._between(number, low, high)
            found = keys + found if backwards else found + keys
            if len(found) >= count_max:
                break
        return _some(found, count_max, backwards)

    def _between(self, number: int, low: int, high: int) -> array[int]:
        keys = self._blocks.get(number) or self._block(number)
        start = bisect_left(keys, low)
        return keys[start : bisect_right(keys, high, start)]

    def keys_of(self, first_block: int, last_block: int) -> memoryview:
        """All keys of some blocks, rising; they are not kept."""
        count = last_block - first_block + 1
        buffer = self._disk.read(self.path, (1 + first_block) * BLOCK_BYTES, count * BLOCK_BYTES)
        found = bytearray()
        for number in range(count):
            block = buffer[number * BLOCK_BYTES : (number + 1) * BLOCK_BYTES]
            found += self._checked(first_block + number, block).cast("B")
        return memoryview(found).cast("Q")

    def _block(self, number: int) -> array[int]:
        buffer = self._disk.read(self.path, (1 + number) * BLOCK_BYTES, BLOCK_BYTES)
        keys = _array(self._checked(number, buffer))
        if len(self._blocks) >= _KEPT_BLOCKS_MAX:
            self._blocks.clear()
        self._blocks[number] = keys
        return keys

    def _checked(self, number: int, buffer: bytes) -> memoryview:
        keys = decode_block(number, buffer)
        if keys is None:
            raise BadRun(self.path)
        return keys


def _array(view: memoryview) -> array[int]:
    found = array("Q")
    found.frombytes(view.cast("B"))
    return found


def _some(keys: array[int], count_max: int, backwards: bool) -> array[int]:
    if len(keys) <= count_max:
        return keys
    return keys[-count_max:] if backwards else keys[:count_max]


Merge = Callable[[Sequence[Run]], Iterable["array[int]"]]
"""All keys of some runs, or what shall stay of them: rising, and in parts of any size."""


class Runs:
    """The runs of one kind, oldest first. Not for several threads at once."""

    def __init__(
        self,
        disk: Disk,
        index: Index,
        store_uuid: bytes,
        kind: str,
        rows_max: int = RUN_ROWS_MAX,
    ) -> None:
        self._disk = disk
        self._index = index
        self._store_uuid = store_uuid
        self._kind = kind
        self._rows_max = rows_max
        self._known: dict[str, Run] = {}
        self._chain: list[Run] | None = None
        self._bad: set[str] = set()

    @property
    def chain(self) -> list[Run]:
        if self._chain is None:
            self._chain = self._open()
        return self._chain

    @property
    def covered(self) -> int:
        """The last row that the runs tell of."""
        return self.chain[-1].header.last_row if self.chain else 0

    def look_again(self) -> None:
        """Others may have made runs, or merged those that were known."""
        self._known = {run.path: run for run in self._chain or ()}
        self._chain = None

    def distrust(self, error: BadRun) -> None:
        """The run that this is about is not opened any more; those of others stay."""
        self._bad.add(str(error))
        self._known.clear()

    def find(self, high: int, *, newest_only: bool = False) -> list[int] | None:
        """The low words that stand behind this high word, those of newer rows first.

        `newest_only`: of the newest run that has any. None where a run turns out to be bad, or to
        be gone: then `look_again`, and ask anew.
        """
        found: list[int] = []
        try:
            for run in reversed(self.chain):
                found.extend(reversed(run.find(high)))
                if found and newest_only:
                    break
        except BadRun as error:
            self.distrust(error)
        except FileNotFoundError:
            pass
        else:
            return found
        return None

    def _open(self) -> list[Run]:
        """From row 1 on, each time the run that reaches furthest."""
        stretches: dict[int, list[int]] = {}
        for name in self._disk.list(LOOKUP):
            parts = split_run_name(name)
            if parts and parts[0] == self._kind:
                stretches.setdefault(parts[1], []).append(parts[2])
        chain: list[Run] = []
        first = 1
        while run := self._widest(first, stretches.get(first, [])):
            chain.append(run)
            first = run.header.last_row + 1
        return chain

    def _widest(self, first: int, lasts: list[int]) -> Run | None:
        for last in sorted(lasts, reverse=True):
            path = run_path(self._kind, first, last)
            if path not in self._bad and (run := self._open_run(path, first, last)):
                return run
        return None

    def _open_run(self, path: str, first: int, last: int) -> Run | None:
        """A run of this store whose last row is still the one that it was made of."""
        try:
            header = decode_run_header(self._disk.read(path, 0, BLOCK_BYTES))
        except FileNotFoundError:
            return None
        wanted = (self._kind, self._store_uuid, first, last)
        if header is None or header[:4] != wanted or header.row_crc != self._row_crc(last):
            return None
        known = self._known.get(path)
        return known if known and known.header == header else Run(self._disk, path, header)

    def _row_crc(self, position: int) -> int | None:
        row = self._disk.read(INDEX, position * ROW_BYTES, ROW_BYTES)
        return stored_crc(row) if len(row) == ROW_BYTES else None

    # ------------------------------------------------------------ growing, under the writers' lock

    @property
    def mark(self) -> int:
        """What was noted of the last row that the runs tell of; 0 where there are none."""
        return self.chain[-1].header.mark if self.chain else 0

    def add(
        self, last: int, keys: Iterable[array[int]], merge: Merge | None = None, mark: int = 0
    ) -> None:
        """Makes a run of the rows behind `covered` up to `last`, and merges runs of one size.

        `keys` rise, in parts of any size. `merge` of None keeps all keys of the merged runs.
        """
        merge = merge or all_keys
        chain = self.chain
        chain.append(self._write(self.covered + 1, last, keys, mark))
        while len(like := self._of_one_size(chain)) == _MERGED_AT_ONCE:
            rows = like[0].header.first_row, like[-1].header.last_row
            try:
                chain[-len(like) :] = [self._write(*rows, merge(like), mark)]
            except BadRun as error:
                self.look_again()
                self.distrust(error)
                return
        self._sweep({run.path for run in chain})

    def _write(self, first: int, last: int, keys: Iterable[array[int]], mark: int) -> Run:
        """In place as a whole, so that no reader takes half of it for a bad one."""
        path = run_path(self._kind, first, last)
        crc = self._row_crc(last)
        assert crc is not None, "only rows that are there are made into a run"
        new = f"{path}.new"
        self._disk.remove(new)
        count, fences = self._write_blocks(new, keys)
        fence_bytes = encode_fences(fences)
        facts = (first, last, mark, count, crc, crc32(fence_bytes))
        header = RunHeader(self._kind, self._store_uuid, *facts)
        if fence_bytes:
            self._disk.write(new, header.fences_offset, fence_bytes)
        self._disk.write(new, 0, encode_run_header(header))
        self._disk.remove(path)
        self._disk.move(new, path)
        self._bad.discard(path)
        return Run(self._disk, path, header)

    def _write_blocks(self, path: str, keys: Iterable[array[int]]) -> tuple[int, array[int]]:
        """How many keys there were, and the first of each block."""
        count, fences, rest = 0, array("Q"), array("Q")
        for part in keys:
            rest += part
            full = len(rest) - len(rest) % BLOCK_KEYS
            self._put(path, fences, rest[:full])
            count, rest = count + full, rest[full:]
        self._put(path, fences, rest)
        return count + len(rest), fences

    def _put(self, path: str, fences: array[int], keys: array[int]) -> None:
        if keys:
            data = encode_blocks(len(fences), keys)
            self._disk.write(path, (1 + len(fences)) * BLOCK_BYTES, data)
            fences += keys[::BLOCK_KEYS]

    def _of_one_size(self, chain: Sequence[Run]) -> Sequence[Run]:
        """The last runs of a chain that are due to be merged: four of one size, or fewer."""
        last = chain[-_MERGED_AT_ONCE:]
        sizes = {_size_class(run.rows) for run in last}
        is_small = sum(run.rows for run in last) <= self._rows_max
        return last if len(sizes) == 1 and is_small else ()

    def _sweep(self, kept: set[str]) -> None:
        """Removes what was merged, and what is no run of this chain."""
        for name in self._disk.list(LOOKUP):
            if name.startswith(f"{self._kind}-") and f"{LOOKUP}/{name}" not in kept:
                self._disk.remove(f"{LOOKUP}/{name}")


def _size_class(rows: int) -> int:
    return ((rows // RUN_ROWS_MIN).bit_length() - 1) // 2


def all_keys(merged: Sequence[Run]) -> Iterable[array[int]]:
    """The keys of some runs, which must have room in memory."""
    keys: list[int] = []
    for run in merged:
        if run.header.keys:
            keys.extend(run.keys_of(0, run.header.blocks - 1))
    keys.sort()
    yield array("Q", keys)
