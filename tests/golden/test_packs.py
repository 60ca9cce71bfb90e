"""Packs that msgstore once wrote are read as they were meant, and written again the same.

`pack-v1/NAME.msgpack` is the pack of all of the golden store `v1/NAME`. It is never made again.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from msgstore import FileMessageStore, open_store
from msgstore.exchange.encoders import Pack

from .reading import to_text

STORES = Path(__file__).parent / "v1"
PACKS = Path(__file__).parent / "pack-v1"
NAMES = ["empty", "mixed", "one-message", "rolled"]


@pytest.mark.parametrize("name", NAMES)
def test_every_golden_pack_is_read(name: str) -> None:
    """Messages, streams and totals are those of the store that was packed; so are the sessions."""
    expected = json.loads((STORES / f"{name}.json").read_text(encoding="utf-8"))
    with open_store(str(PACKS / f"{name}.msgpack")) as store:
        stats = store.get_stats().to_json()
        del stats["diskBytes"]
        found = {
            "stats": stats,
            "sessions": [session.to_json() for session in store.get_sessions()],
            "streams": [stream.to_json() for stream in store.get_streams()],
            "messages": [stored.to_json() for stored in store.get_all_messages()],
        }
        assert store.verify().findings == ()  # type: ignore[attr-defined]
    del expected["activeSession"]
    assert to_text(found) == to_text(expected)


@pytest.mark.parametrize("name", NAMES)
def test_every_golden_pack_is_written_the_same(name: str, tmp_path: Path) -> None:
    """The same messages give the same bytes, today as when the pack was made."""
    shutil.copytree(STORES / name, tmp_path / "store")
    for file in (tmp_path / "store", *(tmp_path / "store").rglob("*")):
        file.chmod(0o700 if file.is_dir() else 0o600)
    with FileMessageStore(tmp_path / "store", create=False) as store:
        pack = Pack(store.get_sessions, None)
        data = b"".join([*map(pack.add, store.get_all_messages()), pack.end()])
    assert data == (PACKS / f"{name}.msgpack").read_bytes()
