"""`reset` cut off anywhere: the store is as it was or empty, and what is saved next stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from msgstore import FileMessageStore, Message, MsgStoreError
from msgstore.disk.files import RealDisk

CALLS = ("write", "truncate", "sync", "sync_folder", "remove", "replace", "make_folder")


class Killed(BaseException):
    """The process ended here."""


def fail_at(monkeypatch: pytest.MonkeyPatch, at: int, error: BaseException) -> Iterator[int]:
    """The `at`-th change of the disk raises; yields how many there have been."""
    numbers = count(1)

    def failing(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            if next(numbers) == at:
                raise error
            return real(*arguments)

        return call

    for name in CALLS:
        monkeypatch.setattr(RealDisk, name, failing(getattr(RealDisk, name)))
    return numbers


def types_in(store: FileMessageStore) -> list[str]:
    return [stored.message.type for stored in store.get_all_messages()]


@pytest.mark.parametrize(
    "error", [OSError(5, "Input/output error"), Killed()], ids=["refused", "killed"]
)
def test_reset_cut_off(tmp_path: Path, error: BaseException) -> None:
    """After a reset that failed or was killed at any step, nothing saved later is lost with it."""
    for at in count(1):
        path = tmp_path / f"store{at}"
        store, other = FileMessageStore(path), FileMessageStore(path)
        store.save_messages("a", [Message("Old")] * 3)
        assert types_in(other) == ["Old"] * 3
        with pytest.MonkeyPatch.context() as patch:
            numbers = fail_at(patch, at, error)
            with suppress(MsgStoreError, Killed):
                store.reset()
            if next(numbers) <= at:
                break
        if isinstance(error, Killed):
            assert types_in(FileMessageStore(path)) in ([], ["Old"] * 3)
        other.save_message("a", Message("New"))
        store.save_message("a", Message("New"))
        with FileMessageStore(path, create=False) as opened:
            assert types_in(opened) in (["New"] * 2, [*["Old"] * 3, "New", "New"])
            assert opened.verify().findings == ()
        store.close()
        other.close()
    assert at > 20
