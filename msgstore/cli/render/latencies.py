"""How long it took: the facts, and a histogram."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.text import Text

from msgstore.cli.durations import duration
from msgstore.cli.render.bars import bar
from msgstore.cli.render.screen import Screen
from msgstore.cli.render.table import Column, Table
from msgstore.cli.tally import counted

if TYPE_CHECKING:
    from msgstore.analysis.latency import Bin, Latency


def latency_facts(found: "Latency", screen: Screen) -> Iterator[tuple[str, str] | bytes]:
    yield "from", found.start_type
    yield "to", found.end_type
    yield "pairs", f"{found.count:,}"
    if found.open_starts or found.stray_ends:
        yield "unmatched", f"{found.open_starts:,} from, {found.stray_ends:,} to"
    if found.uncorrelated:
        yield "left out", f"{counted(found.uncorrelated, 'message')} without a correlation"
    if found.untimed:
        yield "left out", f"{counted(found.untimed, 'pair')} without times of their own"
    if found.min_us is not None and found.max_us is not None:
        yield "min", duration(found.min_us)
        for percent, took in found.percentiles_us.items():
            yield f"p{percent}", duration(took)
        slow = found.slowest
        where = f" (#{slow.start.position} to #{slow.end.position})" if slow else ""
        yield "max", f"{duration(found.max_us)}{where}"
    if found.bins:
        table = Table(_columns(found, screen), screen, wide=False)
        rows = b"".join(table.add(part) for part in found.bins)
        yield b"\n" + rows + table.release()


def _columns(found: "Latency", screen: Screen) -> list[Column]:
    largest = max(part.count for part in found.bins)

    def took(part: "Bin") -> Text:
        if part.from_us is None:
            return Text("less than 0")
        return Text(
            "0" if part.to_us == 1 else f"{duration(part.from_us)} to {duration(part.to_us)}"
        )

    return [
        Column("time", took, right=True),
        Column("pairs", lambda p: Text(f"{p.count:,}"), right=True),
        Column("share", lambda p: Text(f"{p.count / found.count:.1%}", "dim"), right=True, rank=2),
        Column("", lambda p: bar(p.count, largest, screen), rank=1),
    ]
