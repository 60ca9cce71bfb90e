"""Every bit, every cut, every file of a golden store, in both views: all of it or a share.

A byte that no reading, no save and no recovery looks at cannot change what they say: such bytes are
found out by tracing the sound store once, and count as `unread`. Everything else is tried. Deep
inside a run of one and the same byte in a segment, such as a text of 8,000 z, it is tried with the
readings of `_CORE` only, and in a copied store only that recovery neither heals it nor changes
anything else: what then stands there is what was read in the running one.
"""

from __future__ import annotations

import random
import resource
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from damage.changes import Change, cut, flip, whole_files
from damage.disk import Files, MemoryDisk, Trace
from damage.golden import VIEWS, Content, Golden, golden, open_store, standing_still
from damage.judging import (
    Told,
    Wrong,
    ask,
    is_cut_short,
    is_made_anew,
    judge_error,
    must_be_found,
)
from damage.readings import Reading, readings, saves
from msgstore import FileMessageStore, MsgStoreError
from msgstore.format.names import CATALOG, INDEX, JOURNAL, LOCK, SESSIONS, segment_path

Share = tuple[int, int]
"""The `i`th of `n` parts."""
HANGS_AFTER_S = 60
"""No case takes a hundredth of it."""
SPARE_BYTES = 256 * 1024 * 1024
"""Address space that damage to a store of some 100 KB may take."""
_STATM = Path("/proc/self/statm")
"""Where the system tells what a process has taken; elsewhere no limit is set."""
_VIOLATIONS_MAX = 100
_CORE = ("all", "stream long backwards", "by data", "verify")
_RUN_BYTES = 32


@dataclass
class Counts:
    bits: int = 0
    cuts: int = 0
    files: int = 0
    unread: int = 0
    """Of these, those that nothing looks at."""
    excused: int = 0
    """Cases that an exception of `judging` covers."""
    violations: list[str] = field(default_factory=list)

    def add(self, other: Counts) -> None:
        self.bits += other.bits
        self.cuts += other.cuts
        self.files += other.files
        self.unread += other.unread
        self.excused += other.excused
        self.violations += other.violations


def flip_all(
    name: str,
    share: Share = (0, 1),
    *,
    padding: bool = True,
    only: Sequence[str] = (),
) -> Counts:
    """All damage to one golden store; a share of it takes every `n`th case from the `i`th on.

    Without `padding`, flips and cuts in the zeros of the journal are left out. With `only`, those of all
    other files are, and whole files too.
    """
    counts = Counts()
    with standing_still(name), bounded():
        for view in VIEWS:
            counts.add(_Bench(golden(name, view)).all(share, padding, only))
    return counts


@contextmanager
def bounded() -> Iterator[None]:
    """Within it a case that hangs raises, and so does one that takes memory out of proportion."""

    def hangs(number: int, frame: FrameType | None) -> None:
        raise Wrong(f"hangs: more than {HANGS_AFTER_S} s")

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    before = signal.getitimer(signal.ITIMER_REAL)
    old = signal.signal(signal.SIGALRM, hangs)
    if _STATM.exists():
        taken = int(_STATM.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + SPARE_BYTES, hard))
    try:
        yield
    finally:
        signal.signal(signal.SIGALRM, old)
        signal.setitimer(signal.ITIMER_REAL, *before)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


class _Bench:
    """One view of a store, what is right, and what each reading of the sound store looks at."""

    def __init__(self, store: Golden) -> None:
        self.store = store
        self.counts = Counts()
        disk = store.disk()
        disk.trace = Trace()
        open_store(disk)
        self.opening = disk.trace.settle()
        self.opened = dict(disk.files)
        self.readings = readings(store.right)
        self.traces = {one.name: self._trace(one) for one in self.readings}
        self.saves = {path: saves(store.base, stream) for path, stream in self._streams().items()}
        self.save_traces = {
            (path, one.name): self._trace(one) for path, them in self.saves.items() for one in them
        }

    def _streams(self) -> dict[str, str | None]:
        """The stream to save to, by the file that is damaged; the first one for all other files."""
        ids = [stream["streamId"] for stream in self.store.right["streams"]]
        found: dict[str, str | None] = dict.fromkeys(self.store.files, ids[0] if ids else None)
        for stream_id in ids:
            for number in range(20):
                if (path := segment_path(stream_id, number)) in found:
                    found[path] = stream_id
        return found

    def _trace(self, reading: Reading) -> Trace:
        disk = MemoryDisk(self.opened)
        disk.trace = Trace()
        ask(reading, open_store(disk), ())
        return disk.trace.settle()

    # ------------------------------------------------------------ what is done to the store

    def all(self, share: Share, padding: bool, only: Sequence[str]) -> Counts:
        number = 0
        for path in only or self.store.files:
            data = self.store.files[path]
            is_segment = path.startswith("streams/")
            is_read = self._is_read(path, len(data))
            end = len(data) if padding or path != JOURNAL else len(data.rstrip(b"\0"))
            for at in range(end):
                for bit in range(8):
                    if number % share[1] == share[0]:
                        self.counts.bits += 1
                        if is_read[at]:
                            is_inner = is_segment and _is_inside_run(data, at)
                            self._try(flip(self.store.files, path, at, bit), is_inner)
                        else:
                            self.counts.unread += 1
                    number += 1
            for size in range(end):
                if number % share[1] == share[0]:
                    self.counts.cuts += 1
                    self._try(cut(self.store.files, path, size))
                number += 1
        for change in () if only else whole_files(self.store.files):
            if number % share[1] == share[0]:
                self.counts.files += 1
                self._try(change)
            number += 1
        return self.counts

    def _is_read(self, path: str, size: int) -> bytearray:
        """For each byte of a file whether anything looks at it."""
        found = bytearray(size)
        for trace in (self.opening, *self.traces.values(), *self.save_traces.values()):
            for start, end in trace.stretches.get(path, ()):
                end = min(end, size)
                found[start:end] = b"\1" * (end - start)
        return found

    def _try(self, change: Change, is_inner: bool = False) -> None:
        signal.alarm(HANGS_AFTER_S)
        try:
            if is_inner:
                self._check_inner(change)
            else:
                self._check(change)
        except Wrong as wrong:
            where = f"{self.store.name}/{self.store.view}: {change.name}: "
            if len(self.counts.violations) < _VIOLATIONS_MAX:
                self.counts.violations.append(where + str(wrong))
        except _Excused:
            self.counts.excused += 1

    # ------------------------------------------------------------ what comes of it

    def _check(self, change: Change) -> None:
        """Raises Wrong, and _Excused for an exception; a state that is not allowed is none at all."""
        try:
            self._check_against(change, self.readings, self.saves)
        except Wrong:
            if self.store.right is not self.store.base:
                # Who finds the hint damaged recovers, and sees what the next writer carries out.
                with suppress(Wrong):
                    return self._check_for(change, self.store.base)
            if self.store.before is None or not is_cut_short(change, self.store):
                raise
            self._check_for(change, self.store.before)
            raise _Excused from None

    def _check_inner(self, change: Change) -> None:
        disk = MemoryDisk(change.files)
        store = self._open(disk, change)
        differing = list(_differences(disk.files, self.opened))
        if store is None or not differing:
            return
        if self.store.view == "copied":
            [(path, first, last, size)] = differing
            if path not in change.paths or first != last or size is not None:
                raise Wrong(f"recovery has changed {differing}")
            return
        core = [one for one in self.readings if one.name in _CORE]
        self._read_all(store, disk, change, core, differing)

    def _check_for(self, change: Change, content: Content) -> None:
        """As if `content` were what is right."""
        them = {path: saves(content, stream) for path, stream in self._streams().items()}
        self._check_against(change, readings(content), them)

    def _check_against(
        self, change: Change, right: list[Reading], them: dict[str, list[Reading]]
    ) -> None:
        disk = MemoryDisk(change.files)
        store = self._open(disk, change)
        if store is None:
            return
        differing = list(_differences(disk.files, self.opened))
        if not differing:
            return
        self._read_all(store, disk, change, right, differing)
        if self._save_all(disk.files, change, them[change.paths[0]], differing):
            raise _Excused

    def _open(self, disk: MemoryDisk, change: Change) -> FileMessageStore | None:
        """The store, or None where it is refused, as it should be; then nothing has changed."""
        try:
            return open_store(disk)
        except MsgStoreError as error:
            judge_error(error, change.paths, "opening")
        except Wrong:
            raise
        except Exception as error:
            raise Wrong(f"opening: {type(error).__name__}: {error}") from error
        changed = [path for path, *_ in _differences(disk.files, change.files) if path != LOCK]
        if changed:
            raise Wrong(f"it refused, and changed {changed}")
        return None

    def _read_all(
        self,
        store: FileMessageStore,
        disk: MemoryDisk,
        change: Change,
        right: list[Reading],
        differing: list[_Difference],
    ) -> None:
        told = False
        sound = True
        for one in right:
            trace = self.traces.get(one.name)
            if trace is not None and not _is_affected(trace, differing):
                continue
            try:
                ask(one, store, change.paths)
            except Told:
                told = True
                sound &= one.name != "verify"
        if sound and (told or must_be_found(change, self.store)):
            raise Wrong("verify finds nothing")

    def _save_all(
        self,
        files: Files,
        change: Change,
        them: list[Reading],
        differing: list[_Difference],
    ) -> bool:
        """Whether an exception covers what a save did."""
        excused = False
        for one in them:
            trace = self.save_traces.get((change.paths[0], one.name))
            if trace is not None and not _is_affected(trace, differing):
                continue
            disk = MemoryDisk(files)
            with suppress(Told):
                ask(one, open_store(disk), change.paths)
            if is_made_anew(change, self.store):
                excused = True
            else:
                self._check_kept(files, disk.files)
        return excused

    def _check_kept(self, before: Files, after: Files) -> None:
        """Raises Wrong where a save wrote over what stood in a file before, whole or damaged."""
        for path, sound in self.opened.items():
            if path in (INDEX, CATALOG, SESSIONS) or path.startswith("streams/"):
                kept = before.get(path, b"")[: len(sound)]
                if not after.get(path, b"").startswith(kept):
                    raise Wrong(f"a save wrote over what was in {path}")


class _Excused(Exception):
    """What is wrong is a known exception."""


def _is_inside_run(data: bytes, at: int) -> bool:
    around = data[max(0, at - _RUN_BYTES) : at + _RUN_BYTES + 1]
    return around == data[at : at + 1] * (2 * _RUN_BYTES + 1)


_Difference = tuple[str, int, int, int | None]
"""A path, its first and last byte that differ, and its size if that does; -1 where it is gone."""


def _differences(now: Files, before: Files) -> Iterator[_Difference]:
    for path in now.keys() | before.keys():
        one, other = now.get(path), before.get(path)
        if one is other or one == other:
            continue
        if one is None or other is None:
            yield path, 0, 1 << 60, -1 if one is None else len(one)
            continue
        size = min(len(one), len(other))
        if len(one) == len(other):
            bits = int.from_bytes(one, "little") ^ int.from_bytes(other, "little")
            yield path, (bits & -bits).bit_length() - 1 >> 3, bits.bit_length() - 1 >> 3, None
        else:
            first = size if one[:size] == other[:size] else 0
            yield path, first, 1 << 60, len(one)


def _is_affected(trace: Trace, differing: list[_Difference]) -> bool:
    for path, first, last, size in differing:
        if size is not None and (
            trace.depends_on_size(path, size) or any(_is_within(path, f) for f in trace.folders)
        ):
            return True
        if trace.touches(path, first, last):
            return True
    return False


def _is_within(path: str, folder: str) -> bool:
    return path.startswith(f"{folder}/") if folder else True


def sample(name: str, seed: int, count: int, file_share: Share) -> Counts:
    """So many flips and cuts of each view by chance, none in the journal's zeros; a share of files."""
    counts = Counts()
    with standing_still(name), bounded():
        for view in VIEWS:
            bench = _Bench(golden(name, view))
            chance = random.Random(f"{seed} {name} {view}")
            files = bench.store.files
            ends = {p: len(d.rstrip(b"\0")) if p == JOURNAL else len(d) for p, d in files.items()}
            for _ in range(count):
                path = chance.choice([*ends])
                bench.counts.bits += 1
                bench._try(flip(files, path, chance.randrange(ends[path]), chance.randrange(8)))
                bench.counts.cuts += 1
                bench._try(cut(files, path, chance.randrange(ends[path])))
            for number, change in enumerate(whole_files(files)):
                if number % file_share[1] == file_share[0]:
                    bench.counts.files += 1
                    bench._try(change)
            counts.add(bench.counts)
    return counts
