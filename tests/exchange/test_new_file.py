"""A new file is there whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from msgstore.exchange.new_file import FileExists, NotWritten, new_file


def fill(temporary: str) -> None:
    Path(temporary).write_text("new")


def write(path: Path, replace: bool, meanwhile: Callable[[], object]) -> None:
    with new_file(str(path), replace) as temporary:
        fill(temporary)
        meanwhile()


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, BrokenPipeError])
@pytest.mark.parametrize("replace", [False, True])
def test_an_error_leaves_nothing(tmp_path: Path, error: type[BaseException], replace: bool) -> None:
    """Whatever ends the filling: the folder is as it was before."""
    if replace:
        (tmp_path / "file").write_text("old")

    def fail() -> None:
        raise error

    with pytest.raises((error, NotWritten)):
        write(tmp_path / "file", replace, fail)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"] * replace


def test_it_has_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    """Until the block ends it stands under another name in the same folder."""
    path = tmp_path / "file"
    with new_file(str(path), False) as temporary:
        fill(temporary)
        assert not path.exists()
        assert Path(temporary).parent == tmp_path
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_what_comes_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    """A file that somebody puts there while it is written stays, unless it may be replaced."""
    path = tmp_path / "file"
    with pytest.raises(FileExists):
        write(path, False, lambda: path.write_text("theirs"))
    assert path.read_text() == "theirs"
    assert list(tmp_path.iterdir()) == [path]
    write(path, True, lambda: None)
    assert path.read_text() == "new"
