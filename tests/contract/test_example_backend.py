"""The example of a backend of one's own: found by its entry point, and true to the contract."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from msgstore import InvalidArgument, Message, open_store
from msgstore.testing import StoreContract

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "sqlite-backend"
CLI = "from msgstore.cli.app import main; main()"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The example as if it was installed: its module, and what its pyproject.toml says of it."""
    import importlib

    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    facts = tmp_path / "site" / "msgstore_sqlite-0.1.0.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 0\n")
    lines = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
        for group, points in project["entry-points"].items()
    ]
    (facts / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(str(EXAMPLE))
    monkeypatch.syspath_prepend(str(facts.parent))
    return importlib.import_module("msgstore_sqlite")


class TestExampleBackend(StoreContract):
    """Every claim of the contract, over the example."""

    @pytest.fixture(autouse=True)
    def _example(self, example: ModuleType) -> None:
        self.example = example

    def make_store(self, tmp_path: Path) -> Any:
        return self.example.SqliteMessageStore(str(tmp_path / "journal.db"))

    def reopen(self, store: Any) -> Any:
        return self.example.SqliteMessageStore(store.path)


def test_an_entry_point(example: ModuleType, tmp_path: Path) -> None:
    """`open_store` opens URLs of a scheme that an installed distribution names."""
    with open_store(f"sqlite:{tmp_path}/journal.db") as store:
        store.save_message("orders", Message("OrderPlaced", {"total": 100}))
        assert type(store).__name__ == "SqliteMessageStore"
        assert store.get_stats().total_messages == 1


def test_a_scheme_that_nobody_serves() -> None:
    """A URL that no installed backend serves is refused, and says what there is."""
    with pytest.raises(InvalidArgument, match=r"no backend serves floppy: URLs"):
        open_store("floppy:a")


def test_the_command_line(example: ModuleType, tmp_path: Path) -> None:
    """The commands take the URL of an installed backend as they take a path."""
    site = tmp_path / "site"
    environment = os.environ | {"PYTHONPATH": f"{site}{os.pathsep}{EXAMPLE}"}

    def run(*arguments: str) -> str:
        command = [sys.executable, "-c", CLI, "--store", f"sqlite:{tmp_path}/j.db"]
        done = subprocess.run(
            [*command, *arguments], capture_output=True, text=True, env=environment, check=True
        )
        return done.stdout

    run("save", "orders", "-t", "OrderPlaced", "total:=100")
    assert run("query", "--count") == "1\n"
    assert '"total":100' in run("read", "orders")
