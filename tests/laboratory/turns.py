"""Two store objects that take turns, in every short order: each knows what the other has saved.

Nothing is crashed here. A state has an id, `turns/os/sxstxs` for the durability and the actions.
"""

from __future__ import annotations

from itertools import product
from unittest.mock import patch

from laboratory import actions
from laboratory.actions import World, begun
from laboratory.bench import CHECKPOINT_BYTES, laboratory
from laboratory.claims import Violation, insist, look
from laboratory.explore import Counts
from msgstore import MsgStoreError

_ACTIONS = {
    "s": lambda world: world.save("a", 10),
    "t": lambda world: world.save("b:command", 10),
    "x": lambda world: world.take_turns(world.durability, CHECKPOINT_BYTES),
}
"""By letter: a save to one stream, one to another, and the other object's turn."""
LENGTH = 6


def take_turns(durability: str) -> Counts:
    """All orders of so many actions that end with a save."""
    counts = Counts()
    with laboratory(), patch.object(actions, "_OBJECTS_MAX", 2):
        for sequence in map("".join, product(_ACTIONS, repeat=LENGTH)):
            if sequence.endswith("x"):
                continue
            world = begun(durability)
            try:
                _go(world, sequence)
            except Violation as violation:
                counts.found(f"turns/{durability}/{sequence}", violation)
            counts.met(f"turns/{durability}/{sequence}", world.disk)
    return counts


def _go(world: World, sequence: str) -> None:
    try:
        for action in sequence:
            _ACTIONS[action](world)
    except MsgStoreError as error:
        raise Violation("goes on", f"{type(error).__name__}: {error}") from error
    insist(look(world.store) == world.state, "seen by all", "it holds something else")
