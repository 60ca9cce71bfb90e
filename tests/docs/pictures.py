"""The pictures of the README: a report in Chromium, and the screen of `browse`, over the sample run.

PYTHONPATH=tests python -m docs.pictures docs
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from contextlib import chdir
from pathlib import Path

from cli.browser import Browser
from cli.browsing import Screen, browse

SAMPLE = Path(__file__).parents[2] / "examples" / "permits.ndjson"
STORE = Path("permits")
_SCREEN = (118, 30)


def main(folder: Path) -> None:
    folder = folder.absolute()
    with tempfile.TemporaryDirectory() as scratch, chdir(scratch):
        record(STORE)
        msgstore(STORE, "report", "last", "--produced", "-o", "run.html")
        Path("browse.svg").write_text(screen_of(STORE))
        with Browser(Path("chromium").absolute()) as browser:
            take(browser, Path("run.html"), folder / "report.png", 1280, 860)
            take(browser, Path("browse.svg"), folder / "browse.png", *size_of(Path("browse.svg")))


def record(store: Path) -> None:
    """The sample as a session, as scripts/demo records it."""
    msgstore(store, "sessions", "start", "--name", "permits", "--label", f"file={SAMPLE.name}")
    msgstore(store, "save", "-", stdin=SAMPLE)
    msgstore(store, "sessions", "end", "--status", "ok")


def msgstore(store: Path, *arguments: str, stdin: Path | None = None) -> None:
    command = [Path(sys.executable).with_name("msgstore"), "--store", store, "-q", *arguments]
    with (stdin or Path("/dev/null")).open() as lines:
        subprocess.run(command, stdin=lines, stdout=subprocess.DEVNULL, check=True)


def screen_of(store: Path) -> str:
    """The list with one message open, as SVG that asks no network for a font."""
    drawn: list[str] = []

    async def act(screen: Screen) -> None:
        await screen.press("up", "up", "enter")
        await screen.pilot.pause()
        drawn.append(screen.app.export_screenshot(title="msgstore browse"))

    browse(store, act, size=_SCREEN)
    return re.sub(r"@font-face \{.*?\}", "", drawn[0], flags=re.DOTALL)


def size_of(svg: Path) -> tuple[int, int]:
    found = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg.read_text())
    assert found is not None
    return round(float(found[1])), round(float(found[2]))


def take(browser: Browser, page: Path, picture: Path, width: int, height: int) -> None:
    browser.size(width, height)
    browser.open(page.absolute())
    browser.prefer("light")
    browser.picture(picture)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
