"""The runs of one kind in `lookup/`: what they cover, what they hold, how they grow.

Runs cover the rows from the first on, without gaps. They are written behind the commit, never synced,
and never believed without a checksum: a run that is missing or bad covers nothing, and its rows are
looked through instead until a writer makes it anew.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence

from msgstore.disk.files import Disk
from msgstore.engine.index import Index
from msgstore.format.names import INDEX, LOOKUP
from msgstore.format.row import ROW_BYTES, stored_crc
from msgstore.format.run import (
    BLOCK_BYTES,
    RunHeader,
    decode_block,
    decode_fences,
    decode_run_header,
    encode_run,
    run_path,
    split_run_name,
)

RUN_ROWS_MIN = 8192
"""Fewer rows than this are not made into a run of their own."""
RUN_ROWS_MAX = 524_288
"""Runs are merged up to this size: what a merge keeps in memory stays small."""
_MERGED_AT_ONCE = 4
_LOW = 0xFFFF_FFFF

Keys = list[int]
"""Each a 32-bit word to look for, and behind it the 32-bit word to be found."""


class BadRun(Exception):
    """A run that cannot be believed."""


class Run:
    """One file of keys. Raises BadRun, or FileNotFoundError once it was merged into another."""

    def __init__(self, disk: Disk, path: str, header: RunHeader) -> None:
        self._disk = disk
        self.path = path
        self.header = header
        self._fences: memoryview | None = None

    @property
    def rows(self) -> int:
        return self.header.last_row - self.header.first_row + 1

    def find(self, high: int) -> list[int]:
        """The low words of all keys with this high word, rising."""
        low_key, high_key = high << 32, high << 32 | _LOW
        fences = self._read_fences()
        found: list[int] = []
        for number in range(max(0, bisect_left(fences, low_key) - 1), len(fences)):
            if fences[number] > high_key:
                break
            keys = self._block(number)
            start, end = bisect_left(keys, low_key), bisect_right(keys, high_key)
            found.extend(key & _LOW for key in keys[start:end])
        return found

    def all_keys(self) -> Keys:
        found: Keys = []
        for number in range(self.header.blocks):
            found.extend(self._block(number))
        return found

    def _read_fences(self) -> memoryview:
        if self._fences is None:
            header = self.header
            buffer = self._disk.read(self.path, header.fences_offset, header.blocks * 8)
            self._fences = decode_fences(header, buffer)
            if self._fences is None:
                raise BadRun(self.path)
        return self._fences

    def _block(self, number: int) -> memoryview:
        buffer = self._disk.read(self.path, (1 + number) * BLOCK_BYTES, BLOCK_BYTES)
        keys = decode_block(number, buffer)
        if keys is None:
            raise BadRun(self.path)
        return keys


class Runs:
    """The runs of one kind, oldest first. Not for several threads at once."""

    def __init__(self, disk: Disk, index: Index, store_uuid: bytes, kind: str) -> None:
        self._disk = disk
        self._index = index
        self._store_uuid = store_uuid
        self._kind = kind
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
        self._chain = None

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
            self._bad.add(str(error))
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
        return Run(self._disk, path, header)

    def _row_crc(self, position: int) -> int | None:
        row = self._disk.read(INDEX, position * ROW_BYTES, ROW_BYTES)
        return stored_crc(row) if len(row) == ROW_BYTES else None

    # ------------------------------------------------------------ growing, under the writers' lock

    @property
    def mark(self) -> int:
        """What was noted of the last row that the runs tell of; 0 where there are none."""
        return self.chain[-1].header.mark if self.chain else 0

    def add(self, last: int, keys: Keys, merge: Callable[[Keys], Keys], mark: int = 0) -> None:
        """Makes a run of the rows behind `covered` up to `last`, and merges runs of one size.

        `keys` rise. `merge` is given all keys of the merged runs, rising, and returns what stays.
        """
        chain = self.chain
        chain.append(self._write(self.covered + 1, last, keys, mark))
        while len(like := _of_one_size(chain)) == _MERGED_AT_ONCE:
            rows = like[0].header.first_row, like[-1].header.last_row
            try:
                keys = merge(sorted(key for run in like for key in run.all_keys()))
            except BadRun as error:
                self._bad.add(str(error))
                self.look_again()
                return
            chain[-len(like) :] = [self._write(*rows, keys, mark)]
        self._sweep({run.path for run in chain})

    def _write(self, first: int, last: int, keys: Keys, mark: int) -> Run:
        """In place as a whole, so that no reader takes half of it for a bad one."""
        path = run_path(self._kind, first, last)
        crc = self._row_crc(last)
        assert crc is not None, "only rows that are there are made into a run"
        data = encode_run(self._kind, self._store_uuid, (first, last), mark, crc, keys)
        self._disk.remove(f"{path}.new")
        self._disk.write(f"{path}.new", 0, data)
        self._disk.remove(path)
        self._disk.move(f"{path}.new", path)
        self._bad.discard(path)
        header = decode_run_header(data[:BLOCK_BYTES])
        assert header is not None, "it was just made"
        return Run(self._disk, path, header)

    def _sweep(self, kept: set[str]) -> None:
        """Removes what was merged, and what is no run of this chain."""
        for name in self._disk.list(LOOKUP):
            if name.startswith(f"{self._kind}-") and f"{LOOKUP}/{name}" not in kept:
                self._disk.remove(f"{LOOKUP}/{name}")


def _of_one_size(chain: Sequence[Run]) -> Sequence[Run]:
    """The last runs of a chain that are due to be merged: four of one size, or fewer."""
    last = chain[-_MERGED_AT_ONCE:]
    sizes = {_size_class(run.rows) for run in last}
    is_small = sum(run.rows for run in last) <= RUN_ROWS_MAX
    return last if len(sizes) == 1 and is_small else ()


def _size_class(rows: int) -> int:
    return ((rows // RUN_ROWS_MIN).bit_length() - 1) // 2
