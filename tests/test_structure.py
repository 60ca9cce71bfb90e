"""The house: each folder is a floor, and imports only from the floors below it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "msgstore"

FLOORS = (
    *("model", "format", "disk", "engine", "backends", "aio", "analysis", "runs", "exchange"),
    *("", "cli", "testing"),
)
"""From the ground up. `""` is the package itself: `msgstore/__init__.py`, what users import from."""

LINES_MAX = 400
FUNCTION_LINES_MAX = 60
LONGER_MODULES = {
    "backends/file.py": 460,
    "disk/files.py": 440,
    "testing/crashing_disk.py": 470,
}
"""Where cutting would hide the thought; these only ever get shorter."""


@dataclass(frozen=True, slots=True)
class Module:
    """One module of the package: `name` is its path inside it."""

    name: str
    text: str
    tree: ast.Module

    @property
    def floor(self) -> str:
        return self.name.split("/")[0] if "/" in self.name else ""

    def imports(self) -> Iterator[tuple[int, str]]:
        """Line and dotted name of everything imported, inside functions and for types as well."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.name}:{node.lineno}: a relative import"
                yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


@cache
def modules() -> tuple[Module, ...]:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        found.append(Module(path.relative_to(PACKAGE).as_posix(), text, ast.parse(text)))
    return tuple(found)


def floor_of(dotted: str) -> str | None:
    """The floor that an imported name is on, None outside the package."""
    package, _, rest = dotted.partition(".")
    if package != "msgstore":
        return None
    first = rest.split(".")[0]
    return first if (PACKAGE / first).is_dir() else ""


def test_every_folder_is_a_floor() -> None:
    """There is no folder in the package that is not one of the known floors."""
    assert {module.floor for module in modules()} == set(FLOORS)


def test_no_arrow_runs_up() -> None:
    """A module imports from its own floor and from those below, never from one above."""
    up = []
    for module in modules():
        for line, dotted in module.imports():
            floor = floor_of(dotted)
            is_door = module.name in ("__init__.py", "__main__.py")
            if floor is None or module.floor == floor == "" or is_door:
                continue
            if FLOORS.index(floor) > FLOORS.index(module.floor):
                up.append(f"{module.name}:{line} imports {dotted}")
    assert up == []


def test_the_ground_floors_do_not_know_each_other() -> None:
    """Format and disk are side by side: bytes know no files, and files know no bytes."""
    across = [
        f"{module.name}:{line} imports {dotted}"
        for module in modules()
        for line, dotted in module.imports()
        if {module.floor, floor_of(dotted)} == {"format", "disk"}
    ]
    assert across == []


@pytest.mark.parametrize(
    ("package", "rooms"),
    [
        ("rich", ("cli/render/", "cli/browser/")),
        ("textual", ("cli/browser/",)),
        ("typer", ("cli/",)),
        ("portalocker", ("disk/",)),
        ("msgpack", ("format/", "backends/memory_content.py")),
    ],
)
def test_each_library_has_its_room(package: str, rooms: tuple[str, ...]) -> None:
    """A library that msgstore is built on is known in one place: rich in cli/render only."""
    elsewhere = [
        f"{module.name}:{line}"
        for module in modules()
        for line, dotted in module.imports()
        if dotted.split(".")[0] == package and not module.name.startswith(rooms)
    ]
    assert elsewhere == []


OS_ALLOWED = {
    "path",
    "urandom",
    "uname",
    "getpid",
    "environ",
    "fspath",
    "PathLike",
    "register_at_fork",
}
"""What of `os` makes no call on a file; `os.path` only by the functions below."""
OS_PATH_ALLOWED = {"abspath", "dirname", "join", "basename"}
FORBIDDEN_IMPORTS = {
    "fcntl",
    "fileinput",
    "glob",
    "io",
    "mmap",
    "pathlib",
    "posix",
    "shutil",
    "tempfile",
}


def file_calls(module: Module) -> Iterator[str]:
    """Every way past `disk/` that a module takes to a file."""
    for line, dotted in module.imports():
        first, _, second = dotted.partition(".")
        if first in FORBIDDEN_IMPORTS or (first == "os" and second and second not in OS_ALLOWED):
            yield f"{module.name}:{line} imports {dotted}"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id == "open":
                yield f"{module.name}:{node.lineno} calls open"
        elif isinstance(node, ast.Attribute):
            allowed = {"os": OS_ALLOWED, "os.path": OS_PATH_ALLOWED}.get(ast.unparse(node.value))
            if allowed is not None and node.attr not in allowed:
                yield f"{module.name}:{node.lineno} uses {ast.unparse(node)}"


def test_only_disk_calls_the_operating_system() -> None:
    """No floor from the ground to the backends but `disk` opens, reads or changes a file."""
    past = [
        found
        for module in modules()
        if module.floor in ("model", "format", "engine", "backends", "aio", "analysis")
        for found in file_calls(module)
    ]
    assert past == []


@pytest.mark.parametrize(
    "code",
    [
        "open('index')",
        "import os\nos.open('index', 0)",
        "import os\nos.path.exists('index')",
        "import os\nread = os.pread",
        "from os import unlink",
        "from os.path import exists\nimport mmap",
        "from pathlib import Path",
        "def f():\n    import shutil",
    ],
)
def test_a_way_past_the_disk_is_seen(code: str) -> None:
    """The test above sees a call in any of these dresses."""
    assert list(file_calls(Module("engine/x.py", code, ast.parse(code))))


def test_format_and_model_read_no_clock_but_the_one() -> None:
    """Time and chance enter through model/clock.py only, so that a test can hold them still."""
    elsewhere = [
        f"{module.name}:{line} imports {dotted}"
        for module in modules()
        if module.floor in ("model", "format") and module.name != "model/clock.py"
        for line, dotted in module.imports()
        if dotted.split(".")[0] in ("time", "random", "secrets", "uuid", "os")
    ]
    assert elsewhere == []


def test_modules_are_short() -> None:
    """A module has at most 400 lines, but for the few that are known to be longer."""
    lengths = {module.name: len(module.text.splitlines()) for module in modules()}
    too_long = {
        name: length
        for name, length in lengths.items()
        if length > LONGER_MODULES.get(name, LINES_MAX)
    }
    assert too_long == {}
    assert all(lengths[name] > LINES_MAX for name in LONGER_MODULES), "no exception is needed now"


def test_functions_are_short() -> None:
    """A function has at most 60 lines below its parameters, which for a command are its options."""
    too_long = [
        f"{module.name}:{node.lineno} {node.name}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.body[0].lineno + 1 > FUNCTION_LINES_MAX
    ]
    assert too_long == []


def test_importing_msgstore_imports_no_library() -> None:
    """`import msgstore` costs nothing: names are fetched when they are first used."""
    import subprocess

    code = "import sys, msgstore; print(*(m for m in ('rich', 'typer', 'msgpack', 'portalocker',"
    code += " 'orjson', 'msgstore.model') if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
