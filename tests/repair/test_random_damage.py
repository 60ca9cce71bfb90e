"""Whatever happens to the files of a store: a repair sets it right, or refuses and changes nothing."""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from golden.recipes import RECIPES
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from msgstore import CorruptStore, FileMessageStore, Message
from msgstore.backends.repairing import repair_store
from msgstore.format.names import segment_path
from msgstore.model.repairs import RepairReport

from .stores import contents, copy, files_of, forget_hint, make

GOLDEN = Path(__file__).parents[1] / "golden" / "v1"
RECORD = b"\xdc\x00\x10\xce"
NAMES = ["made", "mixed", "rolled", "stale", "killed"]

fractions = st.floats(0, 1, exclude_max=True)
changes = st.lists(
    st.tuples(
        fractions,  # which file
        st.sampled_from(["flip", "zero", "cut", "delete", "append", "swap", "copy"]),
        fractions,  # where in it
        st.integers(1, 200),
    ),
    min_size=1,
    max_size=4,
)
Change = tuple[float, str, float, int]


class Sound:
    """A sound store, made or copied once, and what is in it."""

    def __init__(self, name: str) -> None:
        self._folder = TemporaryDirectory()
        folder = Path(self._folder.name)
        self.path = folder / "store"
        if name == "made":
            copy(make(folder / "making"), self.path)
        else:
            shutil.copytree(GOLDEN / name, self.path)
            with FileMessageStore(self.path) as store:
                assert store.verify().findings == ()
        self.content = contents(self.path)
        self.files = files_of(self.path)


@cache
def sound(name: str) -> Sound:
    return Sound(name)


def pick(fraction: float, size: int) -> int:
    return int(fraction * size)


def damage(path: Path, change: Change) -> None:
    which, how, where, length = change
    files = sorted(f for f in path.rglob("*") if f.is_file() and f.name != "write.lock")
    if not files:
        return
    file = files[pick(which, len(files))]
    content = bytearray(file.read_bytes())
    at = pick(where, len(content))
    if how == "flip" and content:
        content[at] ^= 1 << length % 8
    elif how == "zero":
        content[at : at + length] = bytes(len(content[at : at + length]))
    elif how == "cut":
        del content[at:]
    elif how == "append":
        content += bytes(content[at : at + length])
    elif how == "swap":
        other = files[pick(where, len(files))]
        other_content = other.read_bytes()
        other.write_bytes(content)
        content = bytearray(other_content)
    elif how == "copy":
        file.with_name(f"{file.name}~").write_bytes(content)
    file.write_bytes(content)
    if how == "delete":
        file.unlink()


@settings(max_examples=120)
@given(name=st.sampled_from(NAMES), done=changes, boots=st.booleans())
@example("mixed", [(0.0, "cut", 0.0, 1), (0.25, "flip", 0.0, 1)], False)
@example("rolled", [(0.5, "flip", 0.0, 1), (0.5, "swap", 0.75, 1)], False)
@example("made", [(0.25, "flip", 0.0, 1)], False)
def test_random_damage(name: str, done: list[Change], boots: bool) -> None:
    """Survivors keep bytes, position and revision; the store is sound, and takes saves."""
    limits = RECIPES[name].limits() if name in RECIPES else nullcontext()
    with TemporaryDirectory() as folder, limits:
        made = sound(name)
        path = Path(folder) / "store"
        shutil.copytree(made.path, path)
        FileMessageStore(path).close()
        for change in done:
            damage(path, change)
        if boots:
            forget_hint(path)
        damaged = files_of(path)
        try:
            report = repair_store(path, apply=True)
        except CorruptStore as error:
            event(f"refused: {type(error).__name__}")
            assert files_of(path) == damaged
            return
        event(f"lost some: {report.lost_count > 0}, applied: {report.applied}")
        check(path, made, damaged, report)


def check(path: Path, made: Sound, damaged: dict[str, bytes], report: RepairReport) -> None:
    before, after = made.content, contents(path)
    whole = {position for position, one in after.items() if one == before.get(position)}
    markers = {position for position, one in after.items() if b"\xadmsgstore.Lost" in one[2]}
    found = Legible(made, damaged)
    assert set(after) - whole - markers <= found.misnamed
    assert len(markers) == report.lost_count
    if not found.misnamed:
        assert {p for p in found.positions if p <= len(after)} <= whole
    with FileMessageStore(path, create=False) as store:
        assert store.verify().findings == ()
        assert store.save_message("more", Message("More")).first_position == len(after) + 1
    again = repair_store(path)
    assert (again.damage, again.rebuilt) == ((), ())
    if report.quarantine is not None:
        kept, now = files_of(path / report.quarantine), files_of(path)
        later = ("journal", "catalog", "index")
        for name, data in damaged.items():
            assert name in later or data in (kept.get(name), now.get(name)), name


class Legible:
    """`positions` whose records are whole in a file of `streams/`, where anything tells whose they
    are; `misnamed` those for which only the name of the file does, and is wrong.

    A segment that lost its header is what its name says: no more can be known of one whose header
    rotted before it was given the name of another, unless the rows are there. A name of which not
    every character stands in the file's name is only found out where it is known from elsewhere.
    """

    def __init__(self, made: Sound, damaged: dict[str, bytes]) -> None:
        self.positions: set[int] = set()
        self.misnamed: set[int] = set()
        rows_tell = all(damaged.get(name) == made.files[name] for name in ("index", "catalog"))
        headers = {
            made.files[path][: made.files[path].find(RECORD)]: stream_id
            for stream_id in {one[0] for one in made.content.values()}
            for path in (segment_path(stream_id, number) for number in range(20))
            if path in made.files
        }
        told = damaged.get("catalog") == made.files["catalog"]
        for path, content in damaged.items():
            if not path.startswith("streams/"):
                continue
            said = {
                stream_id for header, stream_id in headers.items() if content.startswith(header)
            }
            for position, (stream_id, _, record) in made.content.items():
                if record not in content:
                    continue
                stem = segment_path(stream_id, 0).removesuffix(".msgpack")
                is_named = not said and path.startswith(stem)
                is_readable = told or stem.rpartition("/")[2].startswith(f"{stream_id}~")
                if rows_tell or stream_id in said or (is_named and is_readable):
                    self.positions.add(position)
                elif not said and not is_named:
                    self.misnamed.add(position)
