"""scripts/scale builds what it says, and sees what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmark import huge, scale, show
from benchmark.stores import Cache, build_store, size_of
from msgstore import FileMessageStore


def test_scale_builds_and_checks(tmp_path: Path) -> None:
    """All three stores hold what was put in, and stay where they were asked to."""
    for scenario in huge.scenarios(400, 30):
        told = {one.what: one.value for one in huge.build(scenario, Cache(tmp_path))}
        assert told["bytes, apparent"] > 0
        assert told["inodes"] > 8
        assert list(huge.check(scenario, Cache(tmp_path).store_path(*scenario[1:])))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["store-30-in-30-by-1", "store-400-in-1", "store-400-in-80"]


def test_scale_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One column a store; the same from a file; a store that is wrong ends with 1."""
    figures = [{"what": "inodes", "value": 12, "unit": ""}]
    stores = [
        {"name": "streams", "store": "30 in 30 streams", "figures": figures},
        {"name": "stream", "store": "400 in one stream", "figures": [], "wrong": "no position 7"},
    ]
    facts: dict[str, object] = dict.fromkeys(
        ("processor", "cores", "memory GiB", "file system"), "?"
    )
    facts |= dict.fromkeys(("system", "python", "date"), "?") | {"load before": 2.5}
    saved, page = tmp_path / "scale.json", tmp_path / "page.md"
    saved.write_text(json.dumps({"machine": facts, "stores": stores}), encoding="utf-8")
    page.write_text(f"{show.BEGIN_SCALE}{show.END}", encoding="utf-8")
    assert scale.main(["--from", str(saved), "--page", str(page), "--markdown"]) == 1
    printed = capsys.readouterr().out
    assert printed == (
        "Machine: ?, ? cores, ? GiB, ?, ?, ?, ?.\n"
        "\n"
        "|  | 30 in 30 streams | 400 in one stream |\n"
        "| --- | --- | --- |\n"
        "| inodes | 12 |  |\n"
        "\n"
        "- something else was running: load 2.5\n"
        "- 30 in 30 streams: every message is what was put in\n"
        "- WRONG: 400 in one stream: no position 7\n"
    )
    assert page.read_text(encoding="utf-8") == (f"{show.BEGIN_SCALE}\n\n{printed}\n{show.END}")


def test_scale_sees_what_is_wrong(tmp_path: Path) -> None:
    """A store that holds another message, or one too few, is not passed over."""
    path = tmp_path / "store"
    build_store(path, 100, 4)
    with FileMessageStore(path, create=False) as store:
        with pytest.raises(huge.Wrong, match="positions end at 100"):
            huge.check_all(store, huge.Scenario("", 110, 4))
        with pytest.raises(huge.Wrong, match="100 messages in 4 streams"):
            huge.check_counts(store, huge.Scenario("", 101, 4))
        with pytest.raises(huge.Wrong, match="orders-1 5 is not"):
            huge.expect(store.get_message(26), 25, huge.Scenario("", 100, 5))
        with pytest.raises(huge.Wrong, match="position 7 is missing"):
            huge.expect(None, 6, huge.Scenario("", 100, 4))


def test_scale_refuses_what_has_no_room(tmp_path: Path) -> None:
    """A store that the disk cannot hold is skipped with the reason, not begun."""
    reason = huge.no_room(huge.Scenario("huge", 10**10, 10), Cache(tmp_path))
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
