"""Every row of scripts/bench runs once, tiny, with no word about times."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark import __main__ as command
from benchmark import huge, memory, show
from benchmark.rows import TINY, Row, all_rows, extra_rows
from benchmark.stores import Cache
from benchmark.whole_commands import page_commands
from msgstore.cli.app import run as run_command_line

ROOT = Path(__file__).resolve().parents[2]
ROWS = all_rows()
NAMES = [row.name for row in ROWS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all rows."""
    return tmp_path_factory.mktemp("bench")


def test_the_rows_are_those_of_the_page() -> None:
    """docs/performance.md has every row of scripts/bench in its table, and no others."""
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    _, _, rest = page.partition(show.BEGIN)
    table, end, _ = rest.partition(show.END)
    assert end
    assert list(dict.fromkeys(re.findall(r"^\| (P\d+[ab]?) \|", table, re.MULTILINE))) == NAMES
    assert {re.sub(r"\D", "", name) for name in NAMES} == {str(n) for n in range(1, 16)}


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_every_row_runs(row: Row, folder: Path) -> None:
    """A row yields figures, with peers that did the same work, and all the targets it is named for."""
    measured = command.measure([row], TINY, folder)
    (told,) = measured["rows"]
    assert "broke" not in told, told
    targets = {figure["target"].split()[1] for figure in told["figures"] if "target" in figure}
    named = {f"{target.value:g}" for target in row.targets}
    assert targets == named or (targets < named and "skipped" in str(told["notes"]))
    assert all(figure["here"] >= 0 for figure in told["figures"])
    if row.name == "P10":
        assert [one["here"] for one in told["figures"][1:]] == [0], "refused or lost"
    json.dumps(measured, allow_nan=False)
    assert f"| {row.name} |" in show.markdown(measured)


def test_the_row_of_nats_runs(folder: Path) -> None:
    """One node and three, each of four ways beside files; named, it is the only one that is measured."""
    (row,) = extra_rows()
    assert command._parse(["--only", "nats"]).rows == [row]
    assert row not in command._parse([]).rows
    measured = command.measure([row], TINY, folder)
    (told,) = measured["rows"]
    assert "broke" not in told, told
    if "skipped" not in str(told["notes"]):
        places = [figure["what"].rpartition(", ")[2] for figure in told["figures"]]
        assert places == ["one node", "three nodes"] * 4
        assert all(figure["here"] > 0 < figure["there"] for figure in told["figures"])
    assert "| nats |" in show.markdown(measured)


def test_a_row_that_breaks_says_so(folder: Path) -> None:
    """Its error stands in the table, the command ends with 1, and the rest goes on."""

    def broken(bench: object) -> object:
        raise AssertionError("the peer found six")

    row = Row("P1", "work", "peer", (), broken)  # type: ignore[arg-type]
    measured = command.measure([row, row], TINY, folder)
    assert [one["broke"] for one in measured["rows"]] == ["AssertionError: the peer found six"] * 2
    assert not list(folder.glob("scratch-*"))


def test_commands_are_known(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Each command that P13, P14 and scripts/scale start ends with 0."""
    path = Cache(folder).store(TINY.large, TINY.streams)
    scenario = huge.Scenario("tiny", TINY.large, TINY.streams)
    for words in memory.commands(TINY.large).values():
        assert run_command_line(["--store", str(path), *words]) == 0, words
    for full in huge.main_commands(scenario, path).values():
        assert run_command_line(list(full[1:])) == 0, full
    assert capfd.readouterr().err == ""


def test_pages_are_as_long_in_small_stores_as_in_large(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The commands of P14 print as much at 100 messages as at 600, or the ratio means nothing."""
    lines = []
    for count in (TINY.small, TINY.large):
        path = Cache(folder).store(count, TINY.streams)
        for command_words in page_commands(path, count, TINY.streams).values():
            capfd.readouterr()
            assert run_command_line(list(command_words[1:])) == 0
            lines.append(capfd.readouterr().out.count("\n"))
    assert lines[:7] == lines[7:] == [1, 4, 1, 3, 20, 20, 10]


def test_the_scripts_say_how_they_are_called() -> None:
    """The help of both names every flag that the scripts' own comments name."""
    for name, module in (("bench", "benchmark"), ("scale", "benchmark.scale")):
        script = (ROOT / "scripts" / name).read_text(encoding="utf-8")
        flags = set(re.findall(r"--[a-z]+", script.partition("set -e")[0]))
        done = subprocess.run(
            [sys.executable, "-m", module, "--help"],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT / "tests",
        )
        assert {flag for flag in flags if flag not in done.stdout} == set()


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_the_scripts_are_named(page: str) -> None:
    """Whoever reads the page knows of them."""
    text = (ROOT / page).read_text(encoding="utf-8")
    assert "scripts/bench" in text
    assert "scripts/scale" in text
