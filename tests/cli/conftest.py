"""Every test has a folder and a clean environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .harness import Cli


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return _clean(tmp_path)


@pytest.fixture(scope="module")
def shared_cli(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """For tests that only look: one folder for all of a module."""
    return _clean(tmp_path_factory.mktemp("shared"))


def _clean(folder: Path) -> Cli:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "TZ": "Europe/Amsterdam",
        "PYTHONPYCACHEPREFIX": os.environ.get("PYTHONPYCACHEPREFIX", ""),
    }
    return Cli(folder, {name: value for name, value in environment.items() if value})
