"""How long it takes from one type of message to another within a correlation."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from msgstore.analysis.links import Clock, time_us
from msgstore.model.message import PositionalMessage
from msgstore.model.values import Json

PERCENTS = (50, 90, 95, 99)


@dataclass(frozen=True, slots=True)
class Step:
    """One pair: an A and the B that belongs to it."""

    start: PositionalMessage
    end: PositionalMessage
    took_us: int


@dataclass(frozen=True, slots=True)
class Bin:
    """How many pairs took at least `from_us` and less than `to_us`; None: no end."""

    from_us: int | None
    to_us: int
    count: int

    def to_json(self) -> dict[str, Json]:
        start = {} if self.from_us is None else {"fromMs": self.from_us / 1000}
        return start | {"toMs": self.to_us / 1000, "count": self.count}


@dataclass(frozen=True, slots=True)
class Latency:
    """What was measured; percentiles by nearest rank, so each is a time that was seen.

    `open_starts` are As without a B, `stray_ends` Bs without an A before them, `uncorrelated` are
    messages of both types without a correlation, `untimed` pairs of which one has no time.
    """

    start_type: str
    end_type: str
    count: int
    percentiles_us: dict[int, int]
    min_us: int | None
    max_us: int | None
    mean_us: float | None
    slowest: Step | None
    open_starts: int
    stray_ends: int
    uncorrelated: int
    untimed: int
    bins: tuple[Bin, ...]

    def to_json(self) -> dict[str, Json]:
        out: dict[str, Json] = {
            "from": self.start_type,
            "to": self.end_type,
            "count": self.count,
        }
        times = {"minMs": self.min_us}
        times |= {f"p{percent}Ms": took for percent, took in self.percentiles_us.items()}
        times |= {"maxMs": self.max_us}
        out |= {name: took / 1000 for name, took in times.items() if took is not None}
        if self.mean_us is not None:
            out["meanMs"] = round(self.mean_us) / 1000
        if self.slowest is not None:
            out["slowest"] = {
                "correlationId": self.slowest.start.message.correlation_id,
                "fromPosition": self.slowest.start.position,
                "toPosition": self.slowest.end.position,
            }
        return out | {
            "unmatchedFrom": self.open_starts,
            "unmatchedTo": self.stray_ends,
            "uncorrelated": self.uncorrelated,
            "untimed": self.untimed,
            "histogram": [part.to_json() for part in self.bins],
        }


def measure(
    messages: Iterable[PositionalMessage],
    start_type: str,
    end_type: str,
    clock: Clock = "recorded",
) -> Latency:
    """From messages in order of position; others than of the two types are passed over.

    A B takes one A of its correlation that came before it and has none yet: the one that it names as
    its cause; else the one with its request id; else the one that waits longest. Between two of the
    same type: each from the one before. Memory: the As that wait, and eight bytes a pair.
    """
    pairing = Pairing(start_type, end_type)
    times, untimed, slowest = array("q"), 0, None
    for start, end in pairing.pairs(messages):
        begun, ended = time_us(start, clock), time_us(end, clock)
        if begun is None or ended is None:
            untimed += 1
            continue
        took = ended - begun
        times.append(took)
        if slowest is None or took > slowest.took_us:
            slowest = Step(start, end, took)
    ordered = sorted(times)
    return Latency(
        start_type=start_type,
        end_type=end_type,
        count=len(ordered),
        percentiles_us={p: percentile(ordered, p) for p in PERCENTS} if ordered else {},
        min_us=ordered[0] if ordered else None,
        max_us=ordered[-1] if ordered else None,
        mean_us=sum(ordered) / len(ordered) if ordered else None,
        slowest=slowest,
        open_starts=pairing.waiting,
        stray_ends=pairing.strays,
        uncorrelated=pairing.uncorrelated,
        untimed=untimed,
        bins=tuple(histogram(ordered)),
    )


class Pairing:
    """Which B belongs to which A, while messages come."""

    def __init__(self, start_type: str, end_type: str) -> None:
        self.strays = 0
        self.uncorrelated = 0
        self._start_type = start_type
        self._end_type = end_type
        self._open: dict[str, _Open] = {}

    @property
    def waiting(self) -> int:
        return sum(len(one.starts) for one in self._open.values())

    def pairs(
        self, messages: Iterable[PositionalMessage]
    ) -> Iterator[tuple[PositionalMessage, PositionalMessage]]:
        for stored in messages:
            if stored.message.type not in (self._start_type, self._end_type):
                continue
            correlation_id = stored.message.correlation_id
            if correlation_id is None:
                self.uncorrelated += 1
                continue
            if stored.message.type == self._end_type:
                start = self._take(correlation_id, stored)
                if start is not None:
                    yield start, stored
                elif self._start_type != self._end_type:
                    self.strays += 1
            if stored.message.type == self._start_type:
                self._open.setdefault(correlation_id, _Open()).add(stored)

    def _take(self, correlation_id: str, end: PositionalMessage) -> PositionalMessage | None:
        waiting = self._open.get(correlation_id)
        if waiting is None:
            return None
        start = waiting.take_for(end)
        if not waiting.starts:
            del self._open[correlation_id]
        return start


class _Open:
    """The As of one correlation that wait, and where they are by their ids."""

    def __init__(self) -> None:
        self.starts: dict[int, PositionalMessage] = {}
        self._by_id: dict[str | None, int] = {}
        self._by_request: dict[str | None, dict[int, None]] = {}

    def add(self, start: PositionalMessage) -> None:
        self.starts[start.position] = start
        self._by_id[start.message.id] = start.position
        self._by_request.setdefault(start.message.request_id, {})[start.position] = None

    def take_for(self, end: PositionalMessage) -> PositionalMessage:
        position = None
        if end.message.causation_id is not None:
            position = self._by_id.get(end.message.causation_id)
        if position is None and end.message.request_id is not None:
            position = next(iter(self._by_request.get(end.message.request_id, ())), None)
        start = self.starts.pop(next(iter(self.starts)) if position is None else position)
        self._by_id.pop(start.message.id, None)
        asked = self._by_request[start.message.request_id]
        del asked[start.position]
        if not asked:
            del self._by_request[start.message.request_id]
        return start


def percentile(ordered: list[int], percent: int) -> int:
    """The least value that `percent` of all do not exceed: nearest rank."""
    return ordered[max(1, -(-len(ordered) * percent // 100)) - 1]


def histogram(ordered: list[int]) -> Iterator[Bin]:
    """Bins from the least time to the greatest, with borders at 1, 2, 5, 10, 20 … microseconds.

    The first of them holds what took no time at all; what took less than that (by the producers'
    clocks) stands before it.
    """
    if not ordered:
        return
    at = 0
    low: int | None = None
    for high in _borders():
        count = 0
        while at < len(ordered) and ordered[at] < high:
            at += 1
            count += 1
        if at > 0:
            yield Bin(low, high, count)
        if at == len(ordered):
            return
        low = high


def _borders() -> Iterator[int]:
    yield 0
    scale = 1
    while True:
        for step in (1, 2, 5):
            yield step * scale
        scale *= 10
