"""Ctrl-C at every point of a change: the object that was interrupted goes on, and nothing is lost.

Python handles a signal when a function begins, after a call, and before it goes back in a loop. An
interrupt is raised at each such point of msgstore that a change passes, one after the other. What an
object keeps in memory must fit the store afterwards, whatever it was in the middle of noting, and no
lock may stay behind.
"""

from __future__ import annotations

import dis
import fcntl
import inspect
import sys
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

import msgstore
from msgstore import FileMessageStore, Message, MessageFilter, SaveRequest

Change = Callable[[FileMessageStore, int], object]
PACKAGE = str(Path(msgstore.__file__).parent)
_HANDLED_AFTER = ("CALL", "JUMP_BACKWARD", "POP_JUMP_BACKWARD", "RESUME")


class Interrupter:
    """Raises KeyboardInterrupt at the `at`-th point of msgstore that is passed."""

    def __init__(self, at: int) -> None:
        self._left = at
        self._last: dict[int, int] = {}
        """The instruction that each frame ran last, by the frame's id."""
        self.has_raised = False

    def __enter__(self) -> Interrupter:
        sys.settrace(self._call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _call(self, frame: FrameType, event: str, argument: Any) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        self._last.pop(id(frame), None)
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return self._step

    def _step(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "exception":
            self._last.pop(id(frame), None)  # the call did not end, and no signal is looked for
        elif event == "opcode" and not self.has_raised:
            last, self._last[id(frame)] = self._last.get(id(frame)), frame.f_lasti
            if last is not None and last in points(frame.f_code):
                self._left -= 1
                if self._left < 0:
                    self.has_raised = True
                    raise KeyboardInterrupt
        return self._step


_points: dict[CodeType, set[int]] = {}


def points(code: CodeType) -> set[int]:
    """Offsets of the instructions after which Python looks for signals.

    Not the beginning of a generator: a trace function that raises there confuses Python 3.11.
    """
    if code not in _points:
        is_generator = bool(code.co_flags & inspect.CO_GENERATOR)
        _points[code] = {
            instruction.offset
            for instruction in dis.get_instructions(code)
            if instruction.opname.startswith(_HANDLED_AFTER)
            and not (is_generator and instruction.opname == "RESUME")
        }
    return _points[code]


def save_one(store: FileMessageStore, turn: int) -> None:
    store.save_message("known", Message("Changed", {"turn": turn}))


def save_with_id(store: FileMessageStore, turn: int) -> None:
    store.save_message("known", Message("Changed", {"turn": turn}, id=f"m{turn}"))


def save_to_new_stream(store: FileMessageStore, turn: int) -> None:
    messages = [Message("Changed", {"turn": turn, "n": n}) for n in range(3)]
    store.save_each(
        [SaveRequest("known", (*messages[:2],)), SaveRequest(f"new{turn}", (*messages[2:],))]
    )


def begin_session(store: FileMessageStore, turn: int) -> None:
    store.create_session(f"session {turn}")


def ask_by_id(store: FileMessageStore, turn: int) -> None:
    list(store.get_all_messages(MessageFilter(correlation_id=f"c{turn - 1}")))


CHANGES: list[Change] = [save_one, save_with_id, save_to_new_stream, begin_session, ask_by_id]


def check_last(stores: tuple[FileMessageStore, ...], turn: int) -> None:
    """The last messages, as each object sees them: no gap, no message twice, none unknown to queries."""
    for store in stores:
        last = list(store.get_all_messages(count=12, direction="backwards"))
        positions = [stored.position for stored in last]
        assert positions == list(range(positions[0], positions[0] - len(last), -1))
        revisions: dict[str, int] = {}
        for stored in last:
            wanted = revisions.get(stored.stream_id, stored.revision + 1) - 1
            assert stored.revision == wanted, stored
            revisions[stored.stream_id] = stored.revision
        ids = [stored.message.id for stored in last]
        assert len(ids) == len(set(ids))
        found = list(store.get_all_messages(MessageFilter(correlation_id=f"c{turn}")))
        assert [stored.message.data for stored in found] == [
            {"after": "mine"},
            {"after": "other's"},
        ]


def go_on(store: FileMessageStore, other: FileMessageStore, turn: int) -> None:
    """Saves with both objects, as if nothing had been."""
    check_lock_is_free(store)
    after = Message("After", {"after": "mine"}, correlation_id=f"c{turn}")
    save_with_id(store, turn)
    store.save_message("known", after)
    store.save_message(f"new{turn}", Message("After", {}))
    other.save_message("known", Message("After", {"after": "other's"}, correlation_id=f"c{turn}"))
    save_with_id(other, turn)
    save_with_id(store, turn)


def check_lock_is_free(store: FileMessageStore) -> None:
    with suppress(FileNotFoundError), open(Path(store.path, "write.lock"), "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_an_interrupt_at_each_point(tmp_path: Path, change: Change) -> None:
    store = FileMessageStore(tmp_path / "store", durability="os")
    other = FileMessageStore(tmp_path / "store", durability="os", lock_timeout_s=0)
    save_one(store, -1)
    for turn in count():
        if turn % 2:
            save_one(other, turn)  # something to catch up with
        with Interrupter(turn) as interrupter, suppress(KeyboardInterrupt):
            change(store, turn)
        go_on(store, other, turn)
        check_last((store, other), turn)
        if not interrupter.has_raised:
            break
    assert turn > 20
    assert other.verify().findings == ()
    store.close()
    other.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_at_each_point_of_the_first_save(tmp_path: Path) -> None:
    """The store is made by it, or by the next one. There are many points: every fifth is tried."""
    for turn in count(step=5):
        path = tmp_path / f"{turn}"
        store = FileMessageStore(path, durability="os")
        with Interrupter(turn) as interrupter, suppress(KeyboardInterrupt):
            save_one(store, turn)
        with FileMessageStore(path, lock_timeout_s=0) as other:
            go_on(store, other, turn)
            check_last((store, other), turn)
            assert other.verify().findings == ()
        store.close()
        if not interrupter.has_raised:
            break
