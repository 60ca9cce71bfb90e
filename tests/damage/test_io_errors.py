"""A disk that refuses to be read: each call of each reading fails once, and is told as such."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import suppress
from functools import cache

import pytest
from golden.reading import all_of
from laboratory.bench import CHANCE, LaboratoryStore, laboratory

from damage.judging import ask
from damage.readings import Reading, readings, saves
from msgstore import FileMessageStore, Message, StoreUnavailable
from msgstore.testing.crashing_disk import CrashingDisk, Fault, Operation

LOOKS = ("read", "size", "list", "identity")


@pytest.fixture(autouse=True)
def standing_still() -> Iterator[None]:
    with laboratory():
        yield


@cache
def made() -> tuple[CrashingDisk, list[Reading], list[Reading]]:
    """A store of three streams over several segments, and all that can be asked of it."""
    disk = CrashingDisk()
    store = LaboratoryStore(disk, "always")
    with store.session("run"):
        for number in range(12):
            store.save_message("orders", Message("Step", {"n": number, "x": "x" * 200}))
    store.activate_session(store.create_session("active"))
    store.save_messages("others", [Message("Do", id=f"m-{n}") for n in range(3)])
    store.save_message("one", Message("Once", correlation_id="corr-1"), message_type="command")
    content = all_of(store)
    return disk, readings(content), saves(content, "orders")


def fresh() -> tuple[CrashingDisk, FileMessageStore]:
    disk = made()[0].killed()
    CHANCE.restart(1)
    return disk, LaboratoryStore(disk, None)


class Nth:
    """Refuses the `n`th look at the disk; with 0 it only counts."""

    def __init__(self, n: int) -> None:
        self.n, self.looks, self.path = n, 0, ""

    def __call__(self, operation: Operation) -> Fault | None:
        if operation.kind not in LOOKS:
            return None
        self.looks += 1
        if self.looks != self.n:
            return None
        self.path = operation.path
        return Fault(errno.EIO)


def asked(reading: Reading, n: int) -> Nth:
    disk, store = fresh()
    disk.fault = nth = Nth(n)
    told = None
    try:
        list(judged(reading, store))
    except StoreUnavailable as error:
        told = error
    check(told, nth)
    return nth


def check(told: StoreUnavailable | None, nth: Nth) -> None:
    """A call that was refused may not have mattered; if it did, it is told with its file."""
    if told is not None:
        assert told.exit_code == 5
        assert "Input/output error" in str(told)
        assert nth.path in str(told)


def judged(reading: Reading, store: FileMessageStore) -> Iterator[None]:
    """Items that are wrong raise; `verify` may also list the file that it could not read."""
    right = iter(reading.right)
    for item in reading.ask(store):
        if reading.name == "verify" and item != "sound":
            assert all("Input/output error" in finding.reason for finding in item)
            return
        assert item == next(right)
        yield


def test_each_look_of_each_reading() -> None:
    """EIO in any call of any reading is StoreUnavailable, and names the file; what came is right."""
    looks = 0
    for reading in [*made()[1], *made()[2]]:
        count = asked(reading, 0).looks
        assert count > 0, reading.name
        for n in range(1, count + 1):
            asked(reading, n)
        looks += count
    assert looks > 500


def test_each_look_at_opening() -> None:
    """The same for what opens a store in another boot, and recovers it."""

    def opened(n: int) -> Nth:
        disk = made()[0].killed()
        disk.boots += 1
        disk.fault = nth = Nth(n)
        CHANCE.restart(1)
        told = None
        try:
            LaboratoryStore(disk, None).get_stats()
        except StoreUnavailable as error:
            told = error
        check(told, nth)
        return nth

    count = opened(0).looks
    assert count > 20
    for n in range(1, count + 1):
        opened(n)


def test_a_look_that_works_again() -> None:
    """After an error of the disk has passed, the same store object gives the right answer."""
    for reading in made()[1]:
        for n in (1, 3, 5):
            disk, store = fresh()
            disk.fault = Nth(n)
            with suppress(StoreUnavailable):
                list(reading.ask(store))
            disk.fault = None
            ask(reading, store, ())
