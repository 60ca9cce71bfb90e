"""What the laboratory once found, made by hand: random runs pass by such a place once in a while."""

from __future__ import annotations

from laboratory.actions import begun, continued
from laboratory.bench import CHANCE, LaboratoryStore, full_journal, laboratory
from laboratory.claims import Claims
from msgstore.testing.crashing_disk import Piece


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
