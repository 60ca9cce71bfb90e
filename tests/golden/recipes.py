"""How each golden store came about: the calls that were made, in a world that stands still.

`scripts/make-golden` ran these once and wrote the stores; the tests run them again and compare the
bytes. A recipe whose store is there is never changed: a new case is a new recipe.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from unittest.mock import patch

from msgstore import FileMessageStore, Message
from msgstore.disk.files import RealDisk
from msgstore.engine import create, recovery, swap  # writers load them late: see `everywhere`
from msgstore.model import clock


class World:
    """Time, chance and machine, held still: the same calls give the same bytes."""

    def __init__(self) -> None:
        self.now_us = 1_795_442_400_000_000  # 2026-11-23T14:00:00Z
        self._dice: dict[tuple[str, int], random.Random] = {}

    def pass_us(self, microseconds: int) -> None:
        self.now_us += microseconds

    def urandom(self, size: int) -> bytes:
        """Bytes by who asks for how many, so that one more asker changes nothing for the others."""
        asker = sys._getframe(1).f_globals["__name__"]
        dice = self._dice.setdefault((asker, size), random.Random(f"{asker} {size}"))
        return dice.randbytes(size)

    @contextmanager
    def standing_still(self) -> Iterator[World]:
        with (
            patch.object(os, "urandom", self.urandom),
            patch.object(os, "getpid", lambda: 4242),
            patch.object(time, "time_ns", lambda: self.now_us * 1000),
            patch.object(clock, "_last_ms", 0),
            patch.object(clock, "_last_counter", 0),
            everywhere("new_token", lambda *_: 0x0123456789ABCDEF),
        ):
            yield self

    def open(self, path: Path) -> FileMessageStore:
        return FileMessageStore(path, clock=lambda: self.now_us)


@dataclass(frozen=True, slots=True)
class Recipe:
    """`make` fills the store at a path. The limits are those under which it is made, None the real
    ones; `roll_bytes` must hold for who reads it too."""

    make: Callable[[World, Path], None]
    roll_bytes: int | None = None
    checkpoint_bytes: int | None = None
    is_cut_short: bool = False
    """Its last commit is in the journal only."""

    @contextmanager
    def limits(self) -> Iterator[None]:
        """The world in which the store is made and read."""
        with everywhere("SEGMENT_BYTES_ROLL", self.roll_bytes):
            yield

    def run(self, path: Path) -> None:
        world = World()
        with (
            self.limits(),
            everywhere("JOURNAL_BYTES_CHECKPOINT", self.checkpoint_bytes),
            world.standing_still(),
        ):
            self.make(world, path)


@contextmanager
def everywhere(name: str, value: object | None) -> Iterator[None]:
    """Has a name stand for another value in every module of msgstore that knows it; None: as it is.

    What is loaded within the block would keep the other value for ever.
    """
    assert {create, recovery, swap} <= set(sys.modules.values())
    with ExitStack() as stack:
        for module in list(sys.modules.values()) if value is not None else ():
            if module.__name__.startswith("msgstore.") and name in vars(module):
                stack.enter_context(patch.object(module, name, value))
        yield


# ---------------------------------------------------------------- the stores


def empty(world: World, path: Path) -> None:
    """A store that was made and emptied of its only message."""
    with world.open(path) as store:
        store.save_message("gone", Message("Gone"))
        world.pass_us(1)
        store.reset()


def one_message(world: World, path: Path) -> None:
    """One event, as the first example of the documentation saves it."""
    with world.open(path) as store:
        store.save_message("orders-1", Message("OrderPlaced", {"total": 99.5}))


def mixed(world: World, path: Path) -> None:
    """Of everything a little."""
    with world.open(path) as store:
        _odd_streams(world, store)
        _sessions(world, store)
        _all_fields(world, store)
        _extremes(world, store)
        _commits(world, store)


def _odd_streams(world: World, store: FileMessageStore) -> None:
    for stream_id in (
        "orders-1",
        "Orders-1",
        "../../etc/passwd",
        ".",
        "..hidden",
        "a/b",
        "$all",
        "kundenaufträge-🚀",
        "e\u0301 is not \u00e9",
        "x" * 1024,
        "user-commands",
        "UserCommands",
        "order_events",
        "seventh",
    ):
        world.pass_us(1_000_003)
        store.save_message(stream_id, Message("Named", {"stream": stream_id[:20]}))


def _sessions(world: World, store: FileMessageStore) -> None:
    world.pass_us(60_000_000)
    first = store.create_session("nightly import", {"host": "db-1", "größe": "groß"})
    for number in range(3):
        world.pass_us(250_000)
        store.save_message("import", Message("RowRead", {"row": number}))
    store.save_message("import", Message("Stop"), message_type="command")
    world.pass_us(1_000_000)
    store.end_session(first, "failed")
    without_messages = store.create_session()
    store.end_session(without_messages)
    active = store.create_session("the active one")
    store.activate_session(active)
    world.pass_us(1)
    store.save_message("import", Message("Resumed"))
    store.use_session(None)
    store.create_session("still open")
    store.use_session(None)


def _all_fields(world: World, store: FileMessageStore) -> None:
    world.pass_us(3_600_000_000)
    store.save_message(
        "orders-1",
        Message(
            "PlaceOrder",
            {"orderId": "ord-1", "items": [{"sku": "A-1", "count": 2}, {"sku": "B-2", "count": 1}]},
            id="0198c0de-0000-7000-8000-000000000002",
            request_id="req-1",
            correlation_id="corr-1",
            causation_id="cause-1",
            timestamp=datetime(2026, 11, 23, 16, 30, 0, 123456, timezone(timedelta(hours=2))),
            metadata={"user": "ada", "tags": ["a", "b"], "retries": 0},
        ),
    )
    for message_id in (
        "not a uuid",
        "0198C0DE-0000-7000-8000-000000000003",
        "0198c0de000070008000000000000004",
        "id-22-8jJB",  # its CRC-32 is 0
    ):
        store.save_message("orders-1", Message("OrderNoted", id=message_id))
    store.save_message(
        "orders-1",
        Message("OrderDated", timestamp=datetime(1, 1, 1, tzinfo=UTC), metadata="just a text"),
    )


def _extremes(world: World, store: FileMessageStore) -> None:
    world.pass_us(1)
    for name, data in {
        "integers": [0, -1, 127, 128, -32, -33, 2**31, 2**53 + 1, -(2**63), 2**63 - 1, 2**64 - 1],
        "fractions": [0.0, -0.0, 1.0, 0.1, -1.5, 5e-324, 1.7976931348623157e308, 1e100, 3.0e8],
        "texts": ["", "ä", "🚀", "\u0000\u001b[31m\u007f", "\u2028", "\ufeff", '\\"/', "\n\t"],
        "keys": {"": 1, "a.b": 2, "ä": 3, "\n": 4, "0": 5},
        "constants": [None, True, False, {}, [], [[]], {"a": {}}],
        "scalar": 7,
        "text": "only a text",
        "deep": _nested(99),
    }.items():
        store.save_message("values", Message(f"Value of {name}", data))


def _nested(depth: int) -> list[object]:
    return [_nested(depth - 1)] if depth > 1 else []


def _commits(world: World, store: FileMessageStore) -> None:
    world.pass_us(5_000)
    store.save_messages("batch", [Message("Counted", {"n": n}) for n in range(20)])
    world.pass_us(-7_000_000)  # a clock that is set back
    with store.transaction() as transaction:
        transaction.save_message("left", Message("Moved", {"to": "right"}))
        transaction.save_messages("right", [Message("Moved"), Message("Moved")])
        transaction.save_message("left", Message("Checked", correlation_id="corr-1"))
    world.pass_us(9_000_000)
    once = Message("Once", {"n": 1}, id="once")
    store.save_message("left", once)
    store.save_message("left", once)
    store.save_message("orders-1", Message("OrderClosed"), expected_revision=6)


def rolled(world: World, path: Path) -> None:
    """A stream of many segments, another whose first one has just become full."""
    with world.open(path) as store:
        for number in range(30):
            world.pass_us(1_000)
            store.save_message("long", Message("Grown", {"n": number, "text": "x" * 40}))
        store.save_messages("batch", [Message("Grown", {"n": n}) for n in range(12)])
        store.save_message("full", Message("Grown", "y" * 500))
        store.save_message("short", Message("Grown"))


class Killed(BaseException):
    """What ends the writer of the store below."""


@contextmanager
def killed_behind_the_journal() -> Iterator[None]:
    """From the first write to anything but journal and lock on, nothing reaches the disk."""
    is_dead = False
    real_write = RealDisk.write

    def write(disk: RealDisk, path: str, offset: int, data: bytes) -> None:
        nonlocal is_dead
        is_dead = is_dead or path not in ("journal", "write.lock")
        if is_dead:
            raise Killed
        real_write(disk, path, offset, data)

    def die(*_: object) -> None:
        raise Killed

    with patch.object(RealDisk, "write", write), patch.object(RealDisk, "truncate", die):
        yield
    assert is_dead


def killed(world: World, path: Path) -> None:
    """A writer that was killed when its last entry was in the journal and nowhere else."""
    with world.open(path) as store:
        store.create_session("killed")
        store.save_messages("orders-1", [Message("OrderPlaced"), Message("OrderPaid")])
        world.pass_us(1_000)
        with killed_behind_the_journal(), suppress(Killed), store.transaction() as transaction:
            transaction.save_message("orders-1", Message("OrderSent", {"by": "post"}))
            transaction.save_message("orders-2", Message("PlaceOrder", request_id="r"))


def stale(world: World, path: Path) -> None:
    """A checkpoint has passed: where the next entry goes stands one of the generation before."""
    with world.open(path) as store:
        for number in range(20):
            world.pass_us(1_000)
            store.save_message("long", Message("Grown", {"n": number, "text": "z" * 8_000}))


RECIPES = {
    "empty": Recipe(empty),
    "one-message": Recipe(one_message),
    "mixed": Recipe(mixed),
    "rolled": Recipe(rolled, roll_bytes=512),
    "killed": Recipe(killed, is_cut_short=True),
    "stale": Recipe(stale, checkpoint_bytes=128 * 1024),
}
