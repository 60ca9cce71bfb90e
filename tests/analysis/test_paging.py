"""Pages and windows: what is shown is always a stretch of what matches, without a gap."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgstore import FileMessageStore, MemoryMessageStore, Message, MessageFilter
from msgstore.analysis.paging import Lost, Page, Pager, Window
from msgstore.model.filter import EVERYTHING


def filled(count: int) -> MemoryMessageStore:
    """Positions 1 to `count`, of which every third is a T3."""
    store = MemoryMessageStore()
    for number in range(1, count + 1):
        store.save_message("s", Message("T3" if number % 3 == 0 else "T"))
    return store


def positions(page: Page | Window) -> list[int]:
    return [entry.position for entry in page.entries]


def test_pages_go_on_where_the_last_one_ended() -> None:
    """after and before give neighbours in order, and say where nothing follows."""
    pager = Pager(filled(10), EVERYTHING)
    assert positions(pager.after(0, 4)) == [1, 2, 3, 4]
    assert positions(pager.after(4, 4)) == [5, 6, 7, 8]
    assert pager.after(8, 4).is_last
    assert positions(pager.before(None, 4)) == [7, 8, 9, 10]
    assert positions(pager.before(7, 4)) == [3, 4, 5, 6]
    assert positions(pager.before(3, 4)) == [1, 2]
    assert pager.before(1, 4) == Page((), True)


def test_pages_keep_to_the_filter() -> None:
    """Bounds of the filter and bounds of the page both hold."""
    pager = Pager(filled(12), MessageFilter(message_names="T3", from_position=4, to_position=11))
    assert positions(pager.after(0, 9)) == [6, 9]
    assert positions(pager.before(None, 1)) == [9]
    assert pager.after(11, 9) == Page((), True)
    assert pager.before(4, 9) == Page((), True)


steps = st.lists(st.sampled_from(["after", "before"]), max_size=30)


@given(
    count=st.integers(0, 60),
    at=st.integers(0, 60),
    page=st.integers(1, 9),
    steps=steps,
    data=st.data(),
)
def test_a_window_is_a_stretch_of_what_matches(
    count: int, at: int, page: int, steps: list[str], data: st.DataObject
) -> None:
    """However pages are added, the window has no gap, is not too large, and knows the two ends."""
    pager = Pager(filled(count), EVERYTHING)
    size = data.draw(st.integers(page, 25))
    window = Window(size)
    before, after = pager.before(at + 1, page), pager.after(at, page)
    window.show(
        Page(before.entries + after.entries, True)
        if size >= 2 * page
        else Page(after.entries, True),
        is_at_start=before.is_last and size >= 2 * page,
        is_at_end=after.is_last,
    )
    for step in steps:
        if not window.entries:
            break
        held = positions(window)
        if step == "after":
            let_go = window.append(pager.after(held[-1], page))
            assert positions(window)[: len(held) - let_go] == held[let_go:]
        else:
            shift = window.prepend(pager.before(held[0], page))
            assert positions(window)[shift:] == held[: len(positions(window)) - shift]
        shown = positions(window)
        assert shown == list(range(shown[0], shown[0] + len(shown)))
        assert len(shown) <= size
        assert not window.is_at_start or shown[0] == 1
        assert not window.is_at_end or shown[-1] == count


def test_a_page_that_comes_twice_counts_once() -> None:
    """What is held already is not added again."""
    pager = Pager(filled(6), EVERYTHING)
    window = Window(10)
    window.show(pager.before(None, 4), is_at_start=False, is_at_end=True)
    window.append(pager.after(4, 4))
    assert positions(window) == [3, 4, 5, 6]


def test_a_position_is_found_or_the_next_one() -> None:
    """index_of gives the first entry at or behind a position, else the last."""
    pager = Pager(filled(9), MessageFilter(message_names="T3"))
    window = Window(10)
    window.show(pager.after(0, 9), is_at_start=True, is_at_end=True)
    assert [window.index_of(position) for position in (1, 3, 4, 9, 10)] == [0, 0, 1, 2, 2]


@pytest.fixture
def damaged(tmp_path: Path) -> FileMessageStore:
    """20 messages, of which the record of the 7th is damaged."""
    with FileMessageStore(tmp_path / "store") as store:
        for number in range(1, 21):
            store.save_message("s", Message("T", {"text": f"number-{number:02}-"}))
    [segment] = (
        path
        for path in (tmp_path / "store").rglob("*")
        if path.is_file() and "streams" in path.parts and b"number-07-" in path.read_bytes()
    )
    segment.write_bytes(segment.read_bytes().replace(b"number-07-", b"number-XX-"))
    return FileMessageStore(tmp_path / "store")


def test_damage_stands_in_its_place(damaged: FileMessageStore) -> None:
    """A message that cannot be read is an entry too, and what is behind it is read."""
    pager = Pager(damaged, EVERYTHING)
    page = pager.after(4, 5)
    assert positions(page) == [5, 6, 7, 8, 9]
    assert isinstance(page.entries[2], Lost)
    assert positions(pager.before(10, 5)) == [5, 6, 7, 8, 9]
    assert pager.after(0, 30).is_last
    assert positions(pager.after(0, 30)) == list(range(1, 21))
