"""scripts/scale builds what it says, and sees what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark import scale
from benchmark.stores import Cache, build_store, size_of
from msgstore import FileMessageStore


def test_scale_builds_and_checks(tmp_path: Path) -> None:
    """All three stores hold what was put in, and stay where they were asked to."""
    for scenario in scale.scenarios(400, 30):
        told = {one.what: one.value for one in scale.build(scenario, Cache(tmp_path))}
        assert told["bytes, apparent"] > 0
        assert told["inodes"] > 8
        assert list(scale.check(scenario, Cache(tmp_path).store_path(*scenario[1:])))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["store-30-in-30-by-1", "store-400-in-1", "store-400-in-80"]


def test_scale_sees_what_is_wrong(tmp_path: Path) -> None:
    """A store that holds another message, or one too few, is not passed over."""
    path = tmp_path / "store"
    build_store(path, 100, 4)
    with FileMessageStore(path, create=False) as store:
        with pytest.raises(scale.Wrong, match="positions end at 100"):
            scale.check_all(store, scale.Scenario("", 110, 4))
        with pytest.raises(scale.Wrong, match="100 messages in 4 streams"):
            scale.check_counts(store, scale.Scenario("", 101, 4))
        with pytest.raises(scale.Wrong, match="orders-1 5 is not"):
            scale.expect(store.get_message(26), 25, scale.Scenario("", 100, 5))
        with pytest.raises(scale.Wrong, match="position 7 is missing"):
            scale.expect(None, 6, scale.Scenario("", 100, 4))


def test_scale_refuses_what_has_no_room(tmp_path: Path) -> None:
    """A store that the disk cannot hold is skipped with the reason, not begun."""
    reason = scale.no_room(scale.Scenario("huge", 10**10, 10), Cache(tmp_path))
    assert reason.startswith("it needs some 6000.0 GB")


def test_sizes_count_everything(tmp_path: Path) -> None:
    """Bytes of files, and files and folders with the one they are in."""
    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "file").write_bytes(bytes(1000))
    apparent, allocated, inodes = size_of(folder)
    assert inodes == 3
    assert apparent >= 1000
    assert allocated >= 1000
