"""What programs do to a store, and what must be known of it afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from laboratory.bench import CHANCE, CHECKPOINT_BYTES, LaboratoryStore, full_journal
from laboratory.claims import insist, look
from laboratory.expected import EMPTY, OWN_ID, Expected, Saved, State, content_of
from msgstore import Message, OutcomeUnknown, StoreUnavailable
from msgstore.testing.crashing_disk import CrashingDisk

_OBJECTS_MAX = 3


class World:
    """A disk, a store over it, and everything that was acknowledged.

    `states` are the states after each acknowledged commit. An action that fails leaves
    `under_way` None where the store said that nothing was saved, and set where it does not know.
    """

    def __init__(
        self,
        disk: CrashingDisk,
        durability: str,
        states: tuple[State, ...] = (EMPTY,),
        floor: int = 0,
        checkpoint_bytes: int = CHECKPOINT_BYTES,
    ) -> None:
        self.disk = disk
        self.durability = durability
        self.states = states
        self.floor = floor
        self.under_way: State | None = None
        self.refused: list[State] = []
        self.session: str | None = None
        self._session_id: str | None = None
        self.made = len(states[-1].messages) + 1000 * disk.boots
        self._expected: Expected | None = None
        self._waiting: list[tuple[str, LaboratoryStore]] = []
        self._checkpoint_bytes = checkpoint_bytes
        self.store = LaboratoryStore(disk, durability, checkpoint_bytes)

    # ------------------------------------------------------------ what is known

    @property
    def state(self) -> State:
        return self.states[-1]

    def expected(self) -> Expected:
        if self._expected is None:
            self._expected = Expected(self.states, self.under_way, self.floor)
        return self._expected

    def is_durable(self) -> None:
        """Whatever was acknowledged so far must survive a power loss from now on."""
        self.floor = len(self.states) - 1
        self._expected = None

    def settle(self, state: State) -> None:
        """What a crash or an error left open has been looked at."""
        if state != self.state:
            self.states = (*self.states, state)
        self.under_way = None
        self._expected = None
        if not any(run[:2] == (self.session, None) for run in state.sessions):
            self.store.use_session(None)
            self.session = self._session_id = None

    def commit(self, after: State, call: Callable[[], object]) -> None:
        """Carries out one call that makes one commit."""
        self.under_way, self._expected = after, None
        try:
            call()
        except OutcomeUnknown:
            raise
        except StoreUnavailable:
            self.refused.append(after)
            self.under_way, self._expected = None, None
            raise
        self.states, self.under_way = (*self.states, after), None
        if self.durability == "always":
            self.floor = len(self.states) - 1
        self._expected = None

    # ------------------------------------------------------------ the verbs

    def messages(self, sizes: Sequence[int]) -> list[Message]:
        """New ones, no two alike; every other has an id of its own."""
        made = []
        for size in sizes:
            self.made += 1
            number = self.made
            made.append(
                Message(
                    "Done" if number % 3 else "Begun",
                    {"n": number, "fill": "x" * size},
                    id=f"{OWN_ID}{number}" if number % 2 else None,
                    request_id=f"r-{number}" if number % 4 == 0 else None,
                    correlation_id=f"c-{number // 4}",
                )
            )
        return made

    def _saved(self, stream_id: str, messages: Sequence[Message]) -> tuple[Saved, ...]:
        kinds = ["command" if stream_id.endswith(":command") else "event" for _ in messages]
        return tuple(
            Saved(stream_id, kind, self.session, content_of(message))
            for message, kind in zip(messages, kinds, strict=True)
        )

    def save(self, stream_id: str, *sizes: int) -> None:
        """One save of messages with so many bytes of filling each."""
        messages = self.messages(sizes)
        after = self.state.with_messages(self._saved(stream_id, messages))
        kind = "command" if stream_id.endswith(":command") else "event"
        self.commit(after, lambda: self.store.save_messages(stream_id, messages, message_type=kind))

    def transact(self, *saves: tuple[str, Sequence[int]]) -> None:
        """One transaction over several streams."""
        made = [(stream_id, self.messages(sizes)) for stream_id, sizes in saves]
        after = self.state
        for stream_id, messages in made:
            after = after.with_messages(self._saved(stream_id, messages))

        def call() -> None:
            with self.store.transaction() as transaction:
                for stream_id, messages in made:
                    kind = "command" if stream_id.endswith(":command") else "event"
                    transaction.save_messages(stream_id, messages, message_type=kind)

        self.commit(after, call)

    def new_stream(self) -> str:
        return f"n{self.made}"

    def start(self) -> None:
        name = f"run {len(self.state.sessions)}"

        def call() -> None:
            self._session_id = self.store.create_session(name, {"of": "laboratory"})

        self.commit(self.state.with_start(name), call)
        self.session = name

    def end(self) -> None:
        session_id, name = self._session_id, self.session
        assert session_id is not None
        assert name is not None
        self.commit(
            self.state.with_end(name, "ok"), lambda: self.store.end_session(session_id, "ok")
        )
        self.session = self._session_id = None

    def take_turns(self, durability: str, checkpoint_bytes: int) -> None:
        """The next object takes its turn, or a new one; none of them is closed."""
        self.store.use_session(None)
        self.session = self._session_id = None
        if len(self._waiting) + 1 < _OBJECTS_MAX:
            next_one = durability, LaboratoryStore(self.disk, durability, checkpoint_bytes)
        else:
            next_one = self._waiting.pop(0)
        self._waiting.append((self.durability, self.store))
        self.durability, self.store = next_one

    def look_by_all(self) -> None:
        """Objects that were opened long ago see what the last one has saved."""
        for _, store in [*self._waiting, (self.durability, self.store)]:
            insist(look(store) == self.state, "seen by all", "an older object sees something else")

    def flush(self) -> None:
        self.store.flush()
        self.is_durable()

    def reopen(self) -> None:
        """Another process goes on; where the disk refuses that one, one that comes a moment later."""
        self.store.close()
        try:
            self.store = self._open()
        except StoreUnavailable:
            self.disk.fault = None
            self.store = self._open()
        self.session = self._session_id = None

    def _open(self) -> LaboratoryStore:
        return LaboratoryStore(self.disk, self.durability, self._checkpoint_bytes)


def _end(world: World) -> None:
    if world.session is None:
        world.start()
    world.save("a", 30)
    world.end()


def _checkpoint(world: World) -> None:
    before = len(world.states) - 1
    with full_journal():
        world.save("a", 20)
    world.floor = max(world.floor, before)


ACTIONS: dict[str, Callable[[World], None]] = {
    "s": lambda world: world.save("a", 10),
    "b": lambda world: world.save("a", 5, 60, 5),
    "t": lambda world: world.transact(("a", [5]), ("b:command", [5, 5]), (world.new_stream(), [5])),
    "n": lambda world: world.save(world.new_stream(), 15),
    "S": lambda world: world.start(),
    "E": _end,
    "r": lambda world: world.save("a", 1600, 10),
    "c": _checkpoint,
    "o": lambda world: world.reopen(),
    "f": lambda world: world.flush(),
}
"""By letter: save, batch, transaction over streams, new stream, session start, session end with a
save in it, a save that rolls the segment, a save that ends the journal's generation, reopen, flush."""


def begun(durability: str) -> World:
    """A new store with two streams of one message each."""
    CHANCE.restart(0)
    world = World(CrashingDisk(), durability)
    make(world)
    return world


def make(world: World) -> None:
    """The first saves, which create the store."""
    world.save("a", 10)
    world.save("b:command", 10)


def continued(world: World) -> World:
    """Another process over a copy of the disk, with the same past."""
    CHANCE.restart(100)
    return World(world.disk.killed(), world.durability, world.states, world.floor)
