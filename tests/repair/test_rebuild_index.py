"""`rebuild_index`: the segments alone hold everything, or it refuses and changes nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from golden.reading import all_of, to_text
from golden.recipes import RECIPES, Recipe

from msgstore import CorruptStore, FileMessageStore, Message
from msgstore.backends.repairing import rebuild_index, repair_store

from .stores import (
    MESSAGES,
    ROW_BYTES,
    checkpoints,
    contents,
    copy,
    files_of,
    flip,
    forget_hint,
    make,
    record_at,
    segment,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "v1"
DERIVED = ("index", "catalog", "journal", "lookup")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("made") / "store")


@pytest.fixture
def path(made: Path, tmp_path: Path) -> Path:
    return copy(made, tmp_path / "store")


@pytest.fixture(params=list(RECIPES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def recipe(name: str) -> Iterator[Recipe]:
    with RECIPES[name].limits():
        yield RECIPES[name]


@pytest.fixture
def golden(name: str, recipe: Recipe, tmp_path: Path) -> Path:
    """A copy of a golden store."""
    path = tmp_path / "golden"
    shutil.copytree(GOLDEN / name, path)
    for file in (path, *path.rglob("*")):
        file.chmod(0o700 if file.is_dir() else 0o600)
    return path


def remove_derived(path: Path) -> None:
    for name in DERIVED:
        target = path / name
        shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)


def expected_text(name: str) -> str:
    return (GOLDEN / f"{name}.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("gone", [False, True], ids=["kept", "deleted"])
def test_every_golden_store(name: str, recipe: Recipe, golden: Path, gone: bool) -> None:
    """With index, catalog and journal deleted, or there, the answers afterwards are identical."""
    if recipe.is_cut_short:
        FileMessageStore(golden).close()  # what stands in the journal only goes with the journal
    segments = {str(file): file.read_bytes() for file in golden.rglob("*.msgpack")}
    if gone:
        remove_derived(golden)
    report = rebuild_index(golden)
    assert {"index", "catalog", "journal"} <= set(report.rebuilt)
    assert {
        str(file): file.read_bytes() for file in golden.glob("streams/**/*.msgpack")
    } == segments
    with FileMessageStore(golden, create=False) as store:
        assert to_text(all_of(store)) == expected_text(name)
        assert store.verify().findings == ()
        store.save_message("golden/new", Message("Added"))
    assert repair_store(golden).damage == ()


def test_it_hears_the_journal(golden: Path, name: str) -> None:
    """A commit that stands in the journal only is carried over into the files."""
    rebuild_index(golden)
    with FileMessageStore(golden, create=False) as store:
        assert to_text(all_of(store)) == expected_text(name)


@pytest.mark.parametrize("stream", ["long", "batch", "full", "short"])
def test_a_golden_store_of_many_segments(tmp_path: Path, stream: str) -> None:
    """With a record in the middle of many segments lost, the other ones are read from either end."""
    path = tmp_path / "store"
    shutil.copytree(GOLDEN / "rolled", path)
    with RECIPES["rolled"].limits():
        with FileMessageStore(path) as store:
            expected = [m.to_json() for m in store.get_messages(stream)]
        files = sorted(path.glob(f"streams/*/{stream}~*.msgpack"))
        flip(files[len(files) // 2], -20)
        [run] = repair_store(path, apply=True).lost
        lost = run.first_revision
        with FileMessageStore(path) as store:
            assert store.verify().findings == ()
            found = [m.to_json() for m in store.get_messages(stream)]
            assert found[lost]["message"]["type"] == "msgstore.Lost"
            backwards = store.get_messages(stream, direction="backwards")
            assert [m.to_json() for m in backwards] == found[::-1]
            assert store.save_message(stream, Message("More")).first_revision == len(expected)
        del found[lost], expected[lost]
        assert found == expected


def test_sessions_are_made_from_messages(path: Path) -> None:
    """Without the session log every session that a message names is there again, without a name."""
    with FileMessageStore(path) as store:
        counts = {s.session_id: s.message_count for s in store.get_sessions() if s.message_count}
    remove_derived(path)
    (path / "sessions").unlink()
    rebuild_index(path)
    with FileMessageStore(path) as store:
        assert {s.session_id: s.message_count for s in store.get_sessions()} == counts
        assert store.active_session() is None
        assert store.verify().findings == ()


REFUSED: dict[str, Callable[[Path], object]] = {
    "a damaged record": lambda p: flip(segment(p, "a"), record_at(p, "a", 4)[0] + 60),
    "a damaged last record": lambda p: flip(segment(p, "a"), -9),
    "a damaged header": lambda p: flip(segment(p, "a"), 20),
    "a missing segment": lambda p: segment(p, "a").unlink(),
    "an empty segment": lambda p: segment(p, "a").write_bytes(b""),
    "a damaged store.json": lambda p: (p / "store.json").write_bytes(b"{}"),
}


@pytest.mark.parametrize("with_index", [False, True], ids=["without index", "with index"])
@pytest.mark.parametrize("damage", REFUSED.values(), ids=REFUSED.keys())
def test_it_refuses(path: Path, damage: Callable[[Path], object], with_index: bool) -> None:
    """Unless every message is there, whole and once, it changes nothing and points to repair."""
    damage(path)
    if not with_index:
        (path / "index").unlink()
    before = files_of(path)
    with pytest.raises(CorruptStore) as caught:
        rebuild_index(path)
    assert "msgstore repair" in caught.value.__notes__[0]
    assert files_of(path) == before
    repair_store(path, apply=True)
    rebuild_index(path)


@pytest.fixture
def undone(path: Path, tmp_path: Path) -> Path:
    """In b stands a record of a save that a power loss undid; its position, 27, was given out again
    to a message in a."""
    other = tmp_path / "other"
    shutil.copytree(path, other)
    with FileMessageStore(other) as store:
        store.save_message("b", Message("Never", id="never"))
    with checkpoints(), FileMessageStore(path) as store:
        store.save_message("a", Message("Stood", "z" * 40))
        store.save_message("last", Message("Stood"))
    shutil.copy(segment(other, "b"), segment(path, "b"))
    return path


def test_the_index_tells_what_never_stood(undone: Path) -> None:
    """Of two records for one position that holds which the row means; the other is put aside."""
    after = contents(undone)
    assert after[27][:2] == ("a", 10)
    flip(undone / "index", 3 * ROW_BYTES + 20)
    report = repair_store(undone, apply=True)
    assert report.lost == ()
    assert contents(undone) == after
    assert b"Never" not in segment(undone, "b").read_bytes()
    assert b"Never" in segment(undone / str(report.quarantine), "b").read_bytes()
    rebuild_index(undone)


def test_what_never_stood_takes_no_place(undone: Path) -> None:
    """Not even where the message that the row means is lost."""
    flip(segment(undone, "a"), segment(undone, "a").read_bytes().index(b"z" * 40))
    [run] = repair_store(undone, apply=True).lost
    assert (run.stream_id, run.first_revision, run.first_position) == ("a", 10, 27)
    assert contents(undone)[20][:2] == ("b", 9)
    with FileMessageStore(undone) as store:
        assert len(list(store.get_messages("b"))) == 10


@pytest.fixture(params=[("a", "b"), ("b", "a")], ids=["after", "before"])
def pair(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Two streams of eleven revisions; the one's segment is looked at before the other's, or after."""
    wrong, right = request.param
    return str(wrong), str(right)


@pytest.fixture
def strayed(path: Path, pair: tuple[str, str]) -> Path:
    """A copy of the last record of the right stream, position 27, stands in the wrong one's segment."""
    wrong, right = pair
    with checkpoints(), FileMessageStore(path) as store:
        store.save_message(right, Message("Right"))
        store.save_message("last", Message("Last"))
    start, end = record_at(path, right, 10)
    record = segment(path, right).read_bytes()[start:end]
    with segment(path, wrong).open("ab") as file:
        file.write(record)
    return path


def test_a_record_in_the_segment_of_another_stream(strayed: Path) -> None:
    """Where the index knows whose it is, its copy in a foreign segment counts for nothing."""
    after = contents(strayed)
    flip(strayed / "index", 3 * ROW_BYTES + 20)
    assert repair_store(strayed, apply=True).lost == ()
    assert contents(strayed) == after


def test_a_record_that_only_a_foreign_segment_has(strayed: Path, pair: tuple[str, str]) -> None:
    """It is the message that the index means, wherever it stands."""
    after = contents(strayed)
    flip(segment(strayed, pair[1]), record_at(strayed, pair[1], 10)[0] + 50)
    assert repair_store(strayed, apply=True).lost == ()
    assert contents(strayed) == after


def test_without_an_index_nobody_knows_whose_it_is(strayed: Path) -> None:
    """Two segments have the record, and each says that it is of its stream: nothing is guessed."""
    (strayed / "index").unlink()
    with pytest.raises(CorruptStore, match="ambiguous"):
        rebuild_index(strayed)


def test_a_copy_of_a_segment_beside_it(path: Path) -> None:
    """Is no second message for anything, and goes."""
    before = contents(path)
    spare = shutil.copy(segment(path, "a"), segment(path, "a").with_suffix(".bak"))
    (path / "index").unlink()
    rebuild_index(path)
    assert contents(path) == before
    assert not Path(spare).exists()


def test_without_an_index_the_later_one_stood(undone: Path) -> None:
    """rebuild-index does not guess; repair takes the record of the later time."""
    after = contents(undone)
    remove_derived(undone)
    with pytest.raises(CorruptStore, match="ambiguous"):
        rebuild_index(undone)
    assert repair_store(undone, apply=True).lost == ()
    assert contents(undone) == after


def test_it_is_done_under_the_hint_of_another_boot(path: Path) -> None:
    """What was rebuilt is what a machine that has booted since finds as well."""
    before = contents(path)
    rebuild_index(path)
    forget_hint(path)
    with FileMessageStore(path) as store:
        assert len(list(store.get_all_messages())) == MESSAGES
    assert contents(path) == before
