"""Where things are in a store: no stream id can name a path."""

from __future__ import annotations

import os.path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgstore.format.names import is_data_path, segment_path, split_segment_path, stream_stem

from .values import TEXT

PATHS: dict[str, tuple[str, str]] = {
    "plain": ("orders-1", "streams/2c/orders-1~2ce7cad384e551a8d16eb9ca1bc0d262"),
    "upper case": ("Orders-1", "streams/72/Orders-1~72b251c7eb9978e59ad8e98bf6557a01"),
    "upwards": (
        "../../etc/passwd",
        "streams/03/___.._etc_passwd~03d915744132df301bb7f67f4e92a4e9",
    ),
    "dot": (".", "streams/b5/_~b565733a976d00344ccc9316f8910e40"),
    "two dots in front": ("..foo", "streams/c5/__foo~c5498d6c7b1f39bf297721d36dc3fa83"),
    "hidden": (".hidden", "streams/51/_hidden~5156f73315e6d30fd85890400c6edf14"),
    "a dot inside": ("x.y", "streams/a9/x.y~a965b81a4a172121c187dd014fec8705"),
    "slash": ("a/b", "streams/57/a_b~575aa62220a2c597f5def8d269b6acac"),
    "emoji": ("🚀🚀🚀", "streams/93/___~93ed393920682d683221007cb1e8d424"),
    "1,024 bytes": ("ä" * 512, "streams/7c/" + "_" * 40 + "~7c91f57976c23b5fe440423a934c098c"),
}


@pytest.mark.parametrize("case", PATHS)
def test_the_path_of_a_stream(case: str) -> None:
    """Forty readable characters of the id, and 32 digits of its hash; two of them name the folder."""
    stream_id, stem = PATHS[case]
    assert stream_stem(stream_id) == stem
    assert segment_path(stream_id, 0) == f"{stem}.msgpack"
    assert segment_path(stream_id, 1) == f"{stem}.1.msgpack"
    assert segment_path(stream_id, 65535) == f"{stem}.65535.msgpack"


def assert_safe(path: str) -> None:
    """Three steps down from the store and never up, in plain ASCII, the name not hidden or long."""
    folder, digits, name = path.split("/")
    assert folder == "streams"
    assert name.split("~")[1].startswith(digits)
    assert set(path) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.~/")
    assert not name.startswith(".")
    assert len(name.encode()) <= 100
    assert os.path.normpath(f"/store/{path}") == f"/store/{path}"


@given(TEXT | st.text("./~\\:A*", min_size=1), st.integers(0, 65535))
def test_a_stream_id_cannot_name_a_path(stream_id: str, number: int) -> None:
    """Whatever the id, the file is inside the store, and the journal may write to it."""
    path = segment_path(stream_id, number)
    assert_safe(path)
    assert is_data_path(path)


@pytest.mark.parametrize("case", PATHS)
def test_the_examples_are_safe(case: str) -> None:
    """Names of 100 bytes at most, inside the store, for the longest and the oddest ids."""
    assert_safe(segment_path(PATHS[case][0], 65535))


@given(TEXT)
def test_ids_that_differ_in_case_do_not_meet(stream_id: str) -> None:
    """On a file system without case every stream has a file of its own."""
    ids = {stream_id, stream_id.upper(), stream_id.lower(), stream_id.swapcase()}
    assert len({segment_path(one, 0).casefold() for one in ids}) == len(ids)


def test_ids_with_one_beginning_do_not_meet() -> None:
    """Ids that only differ behind the fortieth character have different files."""
    assert segment_path("x" * 40 + "a", 0) != segment_path("x" * 40 + "b", 0)
    assert segment_path("a/b", 0) != segment_path("a_b", 0)


def test_a_segment_of_one_stream_is_never_another_stream() -> None:
    """The numbered segment of a stream is not the first segment of any other."""
    assert segment_path("x", 1) != segment_path("x.1", 0)
    assert segment_path("x", 1) != segment_path("x.1.msgpack", 0)


HASH = "2ce7cad384e551a8d16eb9ca1bc0d262"
ALLOWED = [
    "index",
    "catalog",
    "sessions",
    f"streams/2c/orders-1~{HASH}.msgpack",
    f"streams/2c/orders-1~{HASH}.1.msgpack",
    f"streams/2c/orders-1~{HASH}.99999.msgpack",
    f"streams/2c/_~{HASH}.msgpack",
]
REFUSED = [
    "",
    ".",
    "..",
    "/",
    "../x",
    "store.json",
    "write.lock",
    "journal",
    "resetting",
    "streams",
    "streams/",
    "streams/2c",
    "quarantine/index.96.0",
    "index/",
    "./index",
    "index\n",
    "index\0",
    "INDEX",
    "/index",
    "streams/../x",
    "streams/../index",
    f"streams/2c/../2c/orders-1~{HASH}.msgpack",
    f"streams/../orders-1~{HASH}.msgpack",
    f"streams/2d/orders-1~{HASH}.msgpack",
    f"streams/2c/~{HASH}.msgpack",
    f"streams/2c/.orders~{HASH}.msgpack",
    f"streams/2c/..~{HASH}.msgpack",
    f"streams/2c/{'x' * 41}~{HASH}.msgpack",
    f"streams/2c/a/b~{HASH}.msgpack",
    f"streams/2c/a b~{HASH}.msgpack",
    f"streams/2c/ä~{HASH}.msgpack",
    f"streams/2c/orders-1~{HASH.upper()}.msgpack",
    f"streams/2C/orders-1~{HASH}.msgpack",
    f"streams/2c/orders-1~{HASH[:-1]}.msgpack",
    f"streams/2c/orders-1~{HASH}0.msgpack",
    f"streams/2c/orders-1~{HASH}.0.msgpack",
    f"streams/2c/orders-1~{HASH}.01.msgpack",
    f"streams/2c/orders-1~{HASH}.-1.msgpack",
    f"streams/2c/orders-1~{HASH}.100000.msgpack",
    f"streams/2c/orders-1~{HASH}.msgpack\n",
    f"streams/2c/orders-1~{HASH}.msgpack.new",
    f"streams/2c/orders-1~{HASH}",
    f"/streams/2c/orders-1~{HASH}.msgpack",
    f"x/streams/2c/orders-1~{HASH}.msgpack",
]


@pytest.mark.parametrize("path", ALLOWED)
def test_a_data_path_is_accepted(path: str) -> None:
    """The journal writes to index, catalog, sessions and segments."""
    assert is_data_path(path)


@pytest.mark.parametrize("path", REFUSED)
def test_any_other_path_is_refused(path: str) -> None:
    """The journal writes to no other path of the store, and to nothing outside it."""
    assert not is_data_path(path)


def test_split_segment_path() -> None:
    """The stem and the number of a segment's path; nothing for any other path."""
    digest = "2ce7cad384e551a8d16eb9ca1bc0d262"
    stem = f"streams/2c/orders-1~{digest}"
    assert split_segment_path(segment_path("orders-1", 0)) == (stem, 0)
    assert split_segment_path(segment_path("orders-1", 12)) == (stem, 12)
    for path in ("index", f"streams/3f/orders-1~{digest}.msgpack", f"{stem}.0.msgpack", stem):
        assert split_segment_path(path) is None
