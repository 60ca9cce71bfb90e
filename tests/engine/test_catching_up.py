"""A writer that remembers where streams end, while others write: it reads what they did, or all anew."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from msgstore import NO_STREAM, FileMessageStore, Message, SaveRequest
from msgstore.engine import commit, segments, writer

STREAMS = ("a", "b", "c", "d")
SAVE = st.tuples(st.integers(0, 2), st.lists(st.sampled_from(STREAMS), min_size=1, max_size=6))
STEPS = st.lists(SAVE | st.sampled_from(["session", "checkpoint", "reset"]), max_size=40)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments that are soon full, and few rows that are caught up with."""
    for module in (commit, segments):
        monkeypatch.setattr(module, "SEGMENT_BYTES_ROLL", 700)
    monkeypatch.setattr(writer, "_CAUGHT_UP_ROWS_MAX", 12)


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Path]:
    return (tmp_path / str(number) for number in range(1_000_000))


@pytest.mark.usefixtures("small_parts")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(steps=STEPS)
def test_objects_that_take_turns(folders: Iterator[Path], steps: list[object]) -> None:
    """Whoever saves, each stream goes on where it ended, and all is found again."""
    path = next(folders)
    expected: dict[str, list[int]] = {}
    number = 0
    with ExitStack() as stack:
        stores = [stack.enter_context(FileMessageStore(path, durability="os")) for _ in range(3)]
        for step in steps:
            if step == "session":
                stores[number % 3].end_session(stores[(number + 1) % 3].create_session())
                stores[(number + 1) % 3].use_session(None)
            elif step == "checkpoint":
                stores[number % 3].flush()
            elif step == "reset":
                stores[number % 3].reset()
                expected.clear()
            else:
                which, names = step
                requests = []
                for name in names:
                    expected.setdefault(name, []).append(number)
                    requests.append(
                        SaveRequest.of(
                            name,
                            [Message("T", {"n": number})],
                            len(expected[name]) - 2 if len(expected[name]) > 1 else NO_STREAM,
                        )
                    )
                    number += 1
                stores[which].save_each(requests)
        for store in stores:
            found = {
                name: [stored.message.data["n"] for stored in store.get_messages(name)]
                for name in expected
            }
            assert found == expected
            assert store.get_stats().total_messages == sum(map(len, expected.values()))
        if expected:
            assert stores[0].verify().findings == ()


def test_messages_that_were_lost_are_not_counted(tmp_path: Path) -> None:
    """An I/O error can take away what was saved without a sync, and others save in its place."""
    path = tmp_path / "store"
    with FileMessageStore(path, durability="os") as store:
        store.save_messages("s", [Message("T", {"n": n}) for n in range(8)])
        before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
        store.save_messages("s", [Message("T", {"n": n}) for n in (98, 99)])
        for file, content in before.items():
            with file.open("r+b") as opened:
                opened.write(content)
                opened.truncate()
        with FileMessageStore(path, durability="os") as other:
            other.save_messages("t", [Message("T") for _ in range(3)])
        assert store.save_message("s", Message("T", {"n": 8})).first_revision == 8
        assert [stored.message.data["n"] for stored in store.get_messages("s")] == list(range(9))
        assert store.verify().findings == ()
