"""What the laboratory once found, made by hand: random runs pass by such a place once in a while."""

from __future__ import annotations

import errno

import pytest

from laboratory.actions import begun, continued
from laboratory.bench import CHANCE, LaboratoryStore, full_journal, laboratory
from laboratory.claims import Claims, look
from msgstore import Message, OutcomeUnknown, StoreUnavailable
from msgstore.format.names import CATALOG, JOURNAL, LOCK
from msgstore.testing.crashing_disk import Fault, Killed, Operation, Piece, keep_nothing


def test_a_segment_of_no_commit_outlives_the_one_before_it() -> None:
    """Of two segments that a lost save began, a power loss keeps the second: the stream goes on."""

    def keep(piece: Piece) -> bool:
        return piece.path != "journal" and not piece.path.endswith(".2.msgpack")

    with laboratory():
        world = continued(begun("os"))
        world.save("a", 1600, 1600)
        with full_journal():
            world.save("b:command", 10)
        world.flush()
        world.save("a", 1600, 1600)
        disk = world.disk.power_loss(keep)
        names = [path.partition(".")[2] for path in disk.content() if "/a~" in path]
        assert sorted(names) == ["1.msgpack", "3.msgpack", "msgpack"]
        found = Claims("os").check(disk, world.expected(), power=True)
        assert found == world.states[-2]
        CHANCE.restart(50)
        info = LaboratoryStore(disk, "os").get_stream_info("a")
    assert info is not None
    assert info.revision == 2


def test_what_the_next_writer_found_outlives_a_power_loss() -> None:
    """A save fails behind its commit point, its entry is struck out, and the disk refuses to sync that.

    Whoever comes next finds it standing or not, and decides by that: it must stay so.
    """
    has_failed = False

    def refuses(operation: Operation) -> Fault | None:
        nonlocal has_failed
        what = (operation.kind, operation.path)
        has_failed = has_failed or what == ("write", CATALOG)
        late = (("write", CATALOG), ("sync", JOURNAL), ("write", LOCK))
        return Fault(errno.EIO) if has_failed and what in late else None

    with laboratory():
        world = continued(begun("always"))
        world.disk.fault = refuses
        with pytest.raises(OutcomeUnknown):
            world.save("new", 10)
        world.disk.fault = None
        CHANCE.restart(50)
        next_one = LaboratoryStore(world.disk, "always")
        next_one.enter()
        found = look(next_one)
        CHANCE.restart(60)
        later = look(LaboratoryStore(world.disk.power_loss(keep_nothing), "always"))
    assert found in (world.states[-1], world.under_way)
    assert later == found


def test_a_save_that_was_not_synced_is_carried_out_by_a_writer_that_does_not_sync() -> None:
    """Its rows say that it was synced. A power loss that keeps them must find it in the journal."""

    def keep(piece: Piece) -> bool:
        return piece.path != JOURNAL

    with laboratory():
        world = continued(begun("always"))
        world.disk.kill_after(1)  # the journal's entry is written, and not synced
        with pytest.raises(Killed):
            world.save("a", 10)
        disk = world.disk.killed()
        CHANCE.restart(50)
        LaboratoryStore(disk, "os").enter()
        CHANCE.restart(60)
        found = look(LaboratoryStore(disk.power_loss(keep), "os"))
    assert found == world.under_way


def test_a_sync_that_fails_as_a_writer_enters() -> None:
    """It may lose what others saved without a sync: the next to enter writes that again, too."""
    with laboratory():
        world = continued(begun("os"))
        world.flush()
        world.save("a", 10)
        disk = world.disk.killed()
        disk.kill_after(1)
        with pytest.raises(Killed):
            LaboratoryStore(disk, "always").save_message("a", Message("Lost"))
        disk = disk.killed()
        disk.fault = lambda operation: Fault(errno.EIO) if operation.kind == "sync" else None
        CHANCE.restart(50)
        with pytest.raises(StoreUnavailable):
            LaboratoryStore(disk, "always").enter()
        disk.fault = None
        CHANCE.restart(60)
        LaboratoryStore(disk, "always").save_message("a", Message("Safe"))
        CHANCE.restart(70)
        found = LaboratoryStore(disk.power_loss(keep_nothing), "always").get_messages("a")
        assert [stored.message.type for stored in found][-2:] == ["Lost", "Safe"]
