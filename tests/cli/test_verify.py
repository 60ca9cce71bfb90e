"""`msgstore verify`, and reading what is damaged."""

from __future__ import annotations

import re

import pytest

from .harness import Cli, plain


@pytest.fixture
def store(cli: Cli) -> Cli:
    cli.save(
        *(
            {"streamId": f"s-{n % 2}", "type": "T", "data": {"text": "x" * 50, "n": n}}
            for n in range(20)
        )
    )
    return cli


def damage(cli: Cli) -> None:
    """Changes one letter of the text at position 10, which is revision 4 of stream s-1."""
    segment = next(path for path in cli.store.rglob("*.msgpack") if path.name.startswith("s-1"))
    content = bytearray(segment.read_bytes())
    at = [found.start() for found in re.finditer(b"x{50}", content)][4]
    content[at + 10] ^= 1
    segment.write_bytes(content)


def test_a_sound_store(store: Cli) -> None:
    """A sound store is exit 0 and a report without findings."""
    done = store("verify")
    report = done.lines[0]
    assert (done.code, report["messages"], report["streams"], report["findings"]) == (0, 20, 2, [])
    assert report["bytesChecked"] > 0


def test_on_a_terminal(store: Cli) -> None:
    """On a terminal the report is facts."""
    shown = plain(store.terminal("verify").out)
    assert "damage" in shown
    assert "none found" in shown


def test_damage_is_exit_3(store: Cli) -> None:
    """Damage is exit 3, with file, stream and position of the damaged place."""
    damage(store)
    done = store("verify")
    assert done.code == 3
    [finding] = done.lines[0]["findings"]
    assert (finding["streamId"], finding["position"]) == ("s-1", 10)
    assert plain(store.terminal("verify").out).count("s-1") >= 1


def test_one_stream(store: Cli) -> None:
    """--stream looks at one stream only."""
    damage(store)
    assert store("verify", "--stream", "s-0").code == 0
    assert store("verify", "--stream", "s-1").code == 3


def test_quick(store: Cli) -> None:
    """--quick passes over the messages themselves."""
    assert store("verify", "--quick").code == 0


def test_the_modes(store: Cli) -> None:
    """Quick and full, of everything and of one stream; full is what is done unasked."""
    damage(store)
    codes = {
        flags: store("verify", *flags).code
        for flags in [(), ("--full",), ("--quick",), ("--stream", "s-1")]
    }
    assert list(codes.values()) == [3, 3, 0, 3]
    quick, full = (store("verify", "--stream", "s-0", f"--{mode}") for mode in ("quick", "full"))
    assert (quick.lines[0]["messages"], full.lines[0]["messages"]) == (10, 10)
    assert quick.lines[0]["bytesChecked"] < full.lines[0]["bytesChecked"]


@pytest.mark.parametrize("mode", ["--quick", "--full"])
@pytest.mark.parametrize("size", [None, 10])
def test_a_stream_that_ends_too_early(store: Cli, mode: str, size: int | None) -> None:
    """A segment that is gone, or lost its end, is damage of the stream in either mode."""
    segment = next(path for path in store.store.rglob("*.msgpack") if path.name.startswith("s-1"))
    content = segment.read_bytes()
    segment.unlink()
    if size is not None:
        starts = [found.start() for found in re.finditer(b"\xdc\x00\x10\xce", content)]
        segment.write_bytes(content[: starts[5]])
    done = store("verify", "--stream", "s-1", mode)
    assert (done.code, len(done.lines[0]["findings"])) == (3, 1)
    assert done.lines[0]["findings"][0]["streamId"] == "s-1"


def test_a_row_in_the_middle_of_a_stream(store: Cli) -> None:
    """A damaged row is found by --quick, of everything and of the stream."""
    index = store.store / "index"
    content = bytearray(index.read_bytes())
    content[10 * 96 + 50] ^= 1
    index.write_bytes(content)
    assert store("verify", "--quick").code == 3
    assert store("verify", "--quick", "--stream", "s-1").code == 3
    assert store("verify", "--quick", "--stream", "s-0").code == 0


def test_reading_damage_is_exit_3(store: Cli) -> None:
    """A read that meets damage prints what is sound before it, says where, and is exit 3."""
    damage(store)
    done = store("read", "s-1")
    assert done.code == 3
    assert [m["revision"] for m in done.lines] == [0, 1, 2, 3]
    said = done.err.splitlines()
    assert (len(said), "s-1" in said[0], said[1].startswith("  try: run `msgstore verify`")) == (
        2,
        True,
        True,
    )


def test_a_missing_store(cli: Cli) -> None:
    """verify does not make a store."""
    assert cli("verify").code == 5
