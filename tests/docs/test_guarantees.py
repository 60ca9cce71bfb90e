"""What docs/guarantees.md says was shown can be looked up."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "guarantees.md").read_text(encoding="utf-8")


def test_every_test_that_is_named() -> None:
    """Each defect's test is there, as a function or a file."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in TESTS.rglob("*.py"))
    names = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(names) > 20
    assert {name for name in names if f"def {name}(" not in code} == set()
    files = set(re.findall(r"`((?:tests/[\w/]+/)?\w+\.py)`", PAGE))
    assert {name for name in files if not list(TESTS.rglob(Path(name).name))} == set()


def test_the_long_run_found_nothing() -> None:
    """The table of the last long run is there, with its command, and ends without a violation."""
    assert re.search(r"^scripts/torture .*--seed \d+$", PAGE, re.MULTILINE)
    assert re.search(r"^violations: 0$", PAGE, re.MULTILINE)
    assert re.search(r"[\d,]+ crash states", PAGE)
