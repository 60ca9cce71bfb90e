"""What the pages say is what happens: their Python runs, and their consoles show what they show."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import consoles
import pytest
import python_blocks

import msgstore

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
LIBRARY = ROOT / "docs" / "library.md"


@pytest.mark.parametrize("page", [README, LIBRARY], ids=lambda page: page.name)
def test_python_blocks_run_as_written(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Python of a page, run from top to bottom, does what its comments claim."""
    monkeypatch.chdir(tmp_path)
    assert python_blocks.run_page(page) > 0


@pytest.mark.parametrize(
    ("claim", "holds"),
    [("1 + 1  # -> 2", True), ("1 + 1  # -> 3", False), ("print('a', 1)  # -> a 1", True)],
)
def test_a_claim_that_is_wrong_fails(claim: str, holds: bool, tmp_path: Path) -> None:
    """The runner of Python blocks can tell."""
    page = tmp_path / "page.md"
    page.write_text(f"```python\n{claim}\n```\n")
    if holds:
        assert python_blocks.run_page(page) == 1
    else:
        with pytest.raises(AssertionError, match=r"page\.md:2: the page has 3, it is 2"):
            python_blocks.run_page(page)


def test_consoles_show_what_a_terminal_shows(tmp_path: Path) -> None:
    """Every command of the README prints what stands under it, but for times, ids and sizes."""
    for step in consoles.steps_of(README):
        shown = consoles.run(step.command, tmp_path)
        assert consoles.mask(shown) == consoles.mask(step.output), (
            f"README.md:{step.line}: $ {step.command}"
        )


def test_every_public_name_is_described() -> None:
    """docs/library.md has every name that `msgstore` exports, in code."""
    text = LIBRARY.read_text()
    missing = [name for name in msgstore.__all__ if not re.search(rf"[`.(]{name}\b", text)]
    assert missing == []


def _pages() -> list[Path]:
    return [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", _pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """A link into the project leads to a file that is there, and to a heading in it."""
    lost = []
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", page.read_text()):
        path = page.parent / target if target else page
        if not path.exists() or (anchor and anchor not in _anchors(path)):
            lost.append(f"{target}#{anchor}")
    assert lost == []


def _anchors(page: Path) -> list[str]:
    """The headings of a page as links name them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]


def test_the_sample_is_what_its_script_writes() -> None:
    """examples/permits.ndjson can be made again, byte for byte."""
    script = ROOT / "scripts" / "make-permits"
    made = subprocess.run([sys.executable, script], capture_output=True, check=True).stdout
    assert made == (ROOT / "examples" / "permits.ndjson").read_bytes()
