"""What a save and a query ask of the disk: counted, so that it is the same on every machine.

The figures are those of docs/performance.md, "What each thing costs".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import orjson
import pytest
from benchmark.messages import messages

from msgstore import FileMessageStore, Message, MessageFilter, SaveRequest
from msgstore.disk.files import Disk, RealDisk
from msgstore.format.names import JOURNAL

SMALL, LARGE = 10_000, 100_000
STREAMS = 200
WINDOW_BYTES = 64 * 1024


class CountingDisk(RealDisk):
    """Counts calls by their name, and bytes."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.calls: Counter[str] = Counter()

    def size(self, path: str) -> int:
        self.calls["size"] += 1
        return super().size(path)

    def read(self, path: str, offset: int, size: int) -> bytes:
        data = super().read(path, offset, size)
        self.calls["read"] += 1
        self.calls["bytes read"] += len(data)
        return data

    def write(self, path: str, offset: int, data: bytes) -> None:
        self.calls["write"] += 1
        self.calls["bytes written"] += len(data)
        super().write(path, offset, data)

    def sync(self, path: str) -> None:
        self.calls[f"sync {path}"] += 1
        super().sync(path)

    def sync_folder(self, path: str) -> None:
        self.calls["sync folder"] += 1
        super().sync_folder(path)


class CountedStore(FileMessageStore):
    """A store whose calls of the disk can be asked for."""

    def _make_disk(self) -> Disk:
        self.counting = CountingDisk(self.path)
        return self.counting

    def cost(self, deed: Callable[[], object]) -> Counter[str]:
        """What the disk was asked for by it."""
        self.counting.calls.clear()
        deed()
        return Counter(self.counting.calls)


def message(number: int, **ids: str) -> Message:
    return Message("OrderPlaced", {"order": f"o-{number:06}"}, **ids)


def fill(path: Path, count: int) -> None:
    with FileMessageStore(path, durability="os") as store:
        for first in range(0, count, 1000):
            store.save_each(
                [
                    SaveRequest(
                        f"orders-{number % STREAMS}",
                        (message(number, correlation_id=f"c-{number // 5:06}"),),
                    )
                    for number in range(first, first + 1000)
                ]
            )


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two stores, one ten times the other."""
    folder = tmp_path_factory.mktemp("costs")
    for count in (SMALL, LARGE):
        fill(folder / f"{count}", count)
    return folder / f"{SMALL}", folder / f"{LARGE}"


@pytest.fixture
def stores(paths: tuple[Path, Path]) -> Iterator[tuple[CountedStore, CountedStore]]:
    with CountedStore(paths[0]) as small, CountedStore(paths[1]) as large:
        yield small, large


# ---------------------------------------------------------------- saving


@pytest.mark.parametrize(
    ("durability", "syncs"), [("always", {f"sync {JOURNAL}": 1}), ("os", {}), ("batch", {})]
)
def test_a_save(tmp_path: Path, durability: str, syncs: dict[str, int]) -> None:
    """One sync, of the journal; four writes: entry, record, row, hint."""
    with CountedStore(tmp_path / "store", durability=durability) as store:  # type: ignore[arg-type]
        store.save_message("orders", message(0))
        store.save_message("orders", message(1))
        cost = store.cost(lambda: store.save_message("orders", message(2)))
        store._timer.cancel()
    assert {name: n for name, n in cost.items() if name.startswith("sync")} == syncs
    assert (cost["write"], cost["read"], cost["size"]) == (4, 3, 4)
    assert cost["bytes read"] < 5_000
    assert cost["bytes written"] < 1_000


def test_a_save_to_a_new_stream(tmp_path: Path) -> None:
    """Who knows all streams does not look for another one: a write more, for the catalog."""
    with CountedStore(tmp_path / "store") as store:
        for number in range(3):
            store.save_message(f"orders-{number}", message(number))
        cost = store.cost(lambda: store.save_message("orders-3", message(3)))
    assert (cost["write"], cost["read"], cost["size"]) == (5, 3, 5)


def test_a_save_behind_that_of_another(tmp_path: Path) -> None:
    """A read more than one's own: the rows of what the other saved say where streams end."""
    with (
        CountedStore(tmp_path / "store") as store,
        FileMessageStore(tmp_path / "store") as other,
    ):
        store.save_message("orders", message(0))
        for number in range(20):
            other.save_message("orders" if number % 2 else "others", message(number))
        cost = store.cost(lambda: store.save_message("orders", message(2)))
    assert (cost["write"], cost["read"], cost["size"]) == (4, 4, 4)


def test_a_batch_costs_one_sync_and_as_many_writes(tmp_path: Path) -> None:
    with CountedStore(tmp_path / "store") as store:
        store.save_message("orders", message(0))
        batch = [message(number) for number in range(100)]
        cost = store.cost(lambda: store.save_messages("orders", batch))
    assert cost[f"sync {JOURNAL}"] == 1
    assert (cost["write"], cost["read"]) == (4, 3)


def test_a_save_does_not_grow_with_the_store(stores: tuple[CountedStore, CountedStore]) -> None:
    costs = []
    for store in stores:
        store.save_message("orders-1", message(0))
        costs.append(store.cost(partial(store.save_message, "orders-1", message(1))))
    small, large = costs
    assert small == large


def test_a_save_with_an_id_of_its_own_hardly_grows(
    stores: tuple[CountedStore, CountedStore],
) -> None:
    """One block of 1 KiB for each run of ids."""
    for store in stores:
        store.save_message("orders-1", message(0, id="first"))
        cost = store.cost(partial(store.save_message, "orders-1", message(1, id="one")))
        assert cost["read"] <= 3 + 8
        assert cost["bytes read"] <= 5_000 + 8 * 1024


def test_bytes_a_message(tmp_path: Path) -> None:
    """On disk a message takes no more than 1.2 times its line of JSON; the journal comes on top."""
    json_bytes = 0
    with FileMessageStore(tmp_path / "store", durability="os") as store:
        requests = []
        for value in messages(20_000, 100):
            json_bytes += len(orjson.dumps(value)) + 1
            requests.append(SaveRequest.from_json(value))
        for first in range(0, len(requests), 1000):
            store.save_each(requests[first : first + 1000])
    files = [file for file in (tmp_path / "store").rglob("*") if file.is_file()]
    stored = sum(file.stat().st_size for file in files if file.name != JOURNAL)
    assert stored <= 1.2 * json_bytes


# ---------------------------------------------------------------- reading

QUESTIONS: dict[str, Callable[[CountedStore], object]] = {
    "an id": lambda s: list(s.get_all_messages(MessageFilter(correlation_id="c-000123"))),
    "the first page": lambda s: list(s.get_all_messages(count=10)),
    "the last page": lambda s: list(s.get_all_messages(count=10, direction="backwards")),
    "a page from a position on": lambda s: list(
        s.get_all_messages(MessageFilter(from_position=9_000), count=10)
    ),
    "the last of a stream": lambda s: list(
        s.get_messages("orders-7", count=10, direction="backwards")
    ),
    "totals": lambda s: s.get_stats(),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_hardly_grows_with_the_store(
    stores: tuple[CountedStore, CountedStore], name: str
) -> None:
    """Asked of a store ten times as large it makes a few reads more, and takes in a window at most."""
    ask, costs = QUESTIONS[name], []
    for store in stores:
        assert ask(store)
        costs.append(store.cost(partial(ask, store)))
    small, large = costs
    assert large["read"] <= small["read"] + 8
    assert large["bytes read"] <= small["bytes read"] + WINDOW_BYTES


def test_a_revision_is_found_by_bisection(stores: tuple[CountedStore, CountedStore]) -> None:
    for store in stores:
        middle = store.get_stream_info("orders-3").revision // 2  # type: ignore[union-attr]
        cost = store.cost(
            partial(lambda s, r: list(s.get_messages("orders-3", r, 5)), store, middle)
        )
        assert cost["read"] <= 40
        assert cost["bytes read"] <= 1024 * 1024


def test_questions_write_nothing(stores: tuple[CountedStore, CountedStore]) -> None:
    for ask in QUESTIONS.values():
        cost = stores[0].cost(partial(ask, stores[0]))
        assert not {"write", "sync folder"} & cost.keys()
