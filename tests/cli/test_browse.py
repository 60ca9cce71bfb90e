"""msgstore browse: what the screen shows, and what the keys do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from queue import Queue

import pytest

from msgstore import FileMessageStore, Message
from msgstore.cli.browser import messages as message_list
from msgstore.cli.browser import side
from msgstore.cli.browser.source import Follower, News

from .browsing import MIDDLE, NARROW, WIDE, Screen, browse
from .harness import Cli, open_terminal, read_terminal


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two runs of 30 and 20 messages, orders and payments in turn."""
    path = tmp_path / "store"
    with FileMessageStore(path) as opened:
        for name, count in (("first", 30), ("second", 20)):
            with opened.session(name=name):
                for number in range(count):
                    stream = "orders-1" if number % 2 else "payments-1"
                    opened.save_message(stream, Message("Placed" if number % 2 else "Paid"))
    return path


def large(tmp_path: Path, count: int) -> Path:
    path = tmp_path / "large"
    with FileMessageStore(path) as opened:
        opened.save_messages("s", [Message("T", {"n": n}) for n in range(count)])
    return path


# ---------------------------------------------------------------- looking


def test_it_begins_with_the_newest(store: Path) -> None:
    """The cursor is on the last message; the title says how many there are."""

    async def act(screen: Screen) -> None:
        assert screen.position == 50
        assert "50 messages" in screen.title
        assert "● live" in screen.title
        await screen.press("g")
        await screen.until(lambda: screen.position == 1)
        assert "○ held" in screen.title

    browse(store, act)


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("size", [WIDE, MIDDLE, NARROW])
def test_no_line_is_wider_than_the_screen(store: Path, size: tuple[int, int], theme: str) -> None:
    """At 60, 80 and 140 columns the list, a message and the help fit, in both themes."""

    async def act(screen: Screen) -> None:
        for keys in (("enter",), ("escape", "r"), ("s",), ("question_mark",)):
            await screen.press(*keys)
            await screen.pilot.pause()
            assert {len(line) for line in screen.lines} == {size[0]}
        assert "this page, leave" in screen.text or size == NARROW
        assert "the newest" in screen.text

    browse(store, act, size=size, theme=theme)


def test_a_message_is_opened_and_closed(store: Path) -> None:
    """Enter shows the message as JSON, Esc the list alone."""

    async def act(screen: Screen) -> None:
        await screen.press("up", "enter")
        await screen.until_shown('"position": 49')
        await screen.press("escape")
        await screen.until(lambda: '"position"' not in screen.text)
        assert screen.app.messages.has_focus

    browse(store, act, size=(80, 60))


def test_a_wide_screen_shows_all_at_once(store: Path) -> None:
    """At 140 columns runs, streams, the list and the message of the cursor stand side by side."""

    async def act(screen: Screen) -> None:
        for text in ("all runs", "second", "all streams", "payments-1", '"revision": '):
            await screen.until_shown(text)

    browse(store, act, size=WIDE)


def test_runs_narrow_the_list(store: Path) -> None:
    """Enter on a run shows its messages; Esc goes back to all."""

    async def act(screen: Screen) -> None:
        await screen.press("r")
        await screen.until_shown("second")
        await screen.press("down", "down", "enter")
        await screen.until(lambda: screen.positions == list(range(1, 31)))
        await screen.until(lambda: "30 of 50" in screen.title)
        await screen.press("escape")
        await screen.until(lambda: len(screen.positions) == 50)

    browse(store, act)


def test_streams_narrow_the_list(store: Path) -> None:
    """Enter on a stream shows its messages; with a run before it, both hold."""

    async def act(screen: Screen) -> None:
        await screen.press("s")
        await screen.until_shown("payments-1")
        await screen.press("down", "down", "enter")
        await screen.until(lambda: screen.positions == list(range(2, 51, 2)))
        await screen.press("r", "down", "enter")
        await screen.until(lambda: screen.positions == list(range(32, 51, 2)))

    browse(store, act)


def test_filters_are_the_flags_of_query(store: Path) -> None:
    """What is typed after / is read as flags; a wrong one is said to be wrong and changes nothing."""

    async def act(screen: Screen) -> None:
        await screen.press("slash")
        await screen.type("-t Placed --session last")
        await screen.press("enter")
        await screen.until(lambda: screen.positions == list(range(32, 51, 2)))
        await screen.press("slash")
        await screen.type("--nonsense")
        await screen.press("enter")
        await screen.until(lambda: "nonsense" in screen.status)
        assert len(screen.positions) == 10
        await screen.press("escape", "c")
        await screen.until(lambda: len(screen.positions) == 50)

    browse(store, act)


def test_nothing_that_matches_is_said(store: Path) -> None:
    """An empty list says that it is one, and the keys do no harm."""

    async def act(screen: Screen) -> None:
        await screen.until_shown("no messages")
        await screen.press("down", "up", "g", "G", "enter", "y", "pagedown")
        await screen.until(lambda: "copied" in screen.status)

    browse(store, act, flags="-t Nothing")


def test_an_empty_store_can_be_looked_at(tmp_path: Path) -> None:
    """A store without a message opens, and shows the first one that comes."""
    with FileMessageStore(tmp_path / "store") as opened:
        opened.create_session()

        async def act(screen: Screen) -> None:
            await screen.until_shown("no messages")
            opened.save_message("s", Message("First"))
            await screen.until(lambda: screen.positions == [1])

        browse(tmp_path / "store", act)


def test_p_goes_to_a_position(store: Path) -> None:
    """The cursor is on the message at the position that is typed."""

    async def act(screen: Screen) -> None:
        await screen.press("p", "1", "7", "enter")
        await screen.until(lambda: screen.position == 17)

    browse(store, act)


# ---------------------------------------------------------------- the equivalent command


def test_y_copies_the_equivalent_command(store: Path) -> None:
    """query for the list, show for a message, sessions show for a run, read for a stream."""

    async def act(screen: Screen) -> None:
        prefix = f"msgstore --store {store}"

        async def copied(command: str) -> None:
            await screen.press("y")
            await screen.until(lambda: screen.app.clipboard == f"{prefix} {command}")
            assert screen.status == f"copied: {prefix} {command}"

        await copied("query --type Paid --where 'a>1'")
        await screen.press("c")
        await screen.until(lambda: screen.position == 50)
        await screen.press("enter")
        await copied("show 50")
        await screen.press("s")
        await screen.until_shown("payments-1")
        await screen.press("down")
        await copied("read payments-1")
        await screen.press("r", "down", "down", "down")
        await copied("query --session no-session")

    browse(store, act, flags="-t Paid --where 'a>1'")


def test_the_copied_command_prints_what_is_shown(store: Path, cli: Cli) -> None:
    """Run in a shell, it gives the messages of the list."""
    copied = []

    async def act(screen: Screen) -> None:
        await screen.press("y")
        copied.append((screen.app.clipboard, screen.positions))

    browse(store, act, flags="--stream 'orders-*' --session last", size=WIDE)
    [(command, positions)] = copied
    assert [line["position"] for line in cli.shell(command).lines] == positions


# ---------------------------------------------------------------- large stores


def test_only_a_window_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However far one scrolls, no more messages are held than the window's size."""
    monkeypatch.setattr(message_list, "HELD", 400)
    path = large(tmp_path, 900)

    async def act(screen: Screen) -> None:
        assert len(screen.positions) == message_list.PAGE
        window = screen.app.messages.window
        while screen.position != 1:
            before = screen.position or 0
            await screen.until(screen.can_go_back)
            await screen.press("pageup")
            assert (screen.position or 0) < before
            assert len(screen.positions) <= window.size == 400
        assert screen.positions[0] == 1
        await screen.press("G")
        await screen.until(lambda: screen.position == 900)

    browse(path, act)


def test_streams_come_in_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list of streams asks for more when its end comes near."""
    monkeypatch.setattr(side, "STREAMS_PAGE", 10)
    with FileMessageStore(tmp_path / "store") as opened, opened.transaction() as transaction:
        for number in range(35):
            transaction.save_message(f"s-{number:02}", Message("T"))

    async def act(screen: Screen) -> None:
        rows = screen.rows("streams")
        await screen.until(lambda: len(rows.items) == 10)
        await screen.press("s")
        for known in (20, 30, 35):
            await screen.press("end")
            await screen.until(lambda known=known: len(rows.items) == known)
        await screen.press("end")
        await screen.until_shown("s-34")

    browse(tmp_path / "store", act)


# ---------------------------------------------------------------- what arrives


def test_what_arrives_is_shown(store: Path) -> None:
    """At the newest the list goes on by itself, and so do counts, runs and streams."""

    async def act(screen: Screen) -> None:
        with FileMessageStore(store) as other, other.session(name="third"):
            other.save_message("late-1", Message("Late"))
            await screen.until(lambda: screen.position == 51)
            await screen.until(lambda: "51 messages" in screen.title)
            await screen.until_shown("third")
            await screen.until_shown("late-1")

    browse(store, act, size=WIDE)


def test_who_looks_back_is_left_alone(store: Path) -> None:
    """Away from the newest the cursor stays; End and f lead to what came meanwhile."""

    async def act(screen: Screen) -> None:
        await screen.press("up", "up")
        with FileMessageStore(store) as other:
            other.save_message("s", Message("Late"))
            await screen.until(lambda: "51 messages" in screen.title)
            assert screen.position == 48
            await screen.press("f")
            await screen.until(lambda: screen.position == 51)
            assert "● live" in screen.title

    browse(store, act)


def test_more_than_a_page_may_arrive(store: Path) -> None:
    """Thousands at once: the newest are shown, and nothing between them is missing."""

    async def act(screen: Screen) -> None:
        with FileMessageStore(store) as other:
            other.save_messages("s", [Message("Late")] * 1500)
        await screen.until(lambda: screen.position == 1550)
        held = screen.positions
        assert held == list(range(held[0], 1551))

    browse(store, act)


def test_only_what_matches_arrives(store: Path) -> None:
    """A filter holds for what comes, and its count goes on."""

    async def act(screen: Screen) -> None:
        with FileMessageStore(store) as other:
            other.save_messages("s", [Message("Late"), Message("Paid"), Message("Late")])
        await screen.until(lambda: screen.position == 52)
        await screen.until(lambda: "26 of 53" in screen.title)

    browse(store, act, flags="-t Paid")


# ---------------------------------------------------------------- what goes wrong


def test_a_store_that_was_emptied_is_shown_anew(store: Path) -> None:
    """After a reset the old messages are gone from the screen, and that is said."""

    async def act(screen: Screen) -> None:
        with FileMessageStore(store) as other:
            other.reset()
            other.save_message("s", Message("First"))
        await screen.until(lambda: screen.positions == [1])
        await screen.until(lambda: "emptied" in screen.status)

    browse(store, act)


def test_a_reset_before_the_follower_has_looked(store: Path) -> None:
    """Whoever follows the old store's end would wait for ever: it is told that the store is another."""
    seen: Queue[object] = Queue()
    with FileMessageStore(store) as opened, FileMessageStore(store) as other:
        old = opened.store_id

        def find_end() -> int:
            end = opened.get_stats().total_messages
            other.reset()
            other.save_message("s", Message("First"))
            return end

        follower = Follower(
            opened, lambda deed: deed(), seen.put, seen.put, lambda: opened.store_id, seen.put
        )
        follower.start(find_end)
        assert seen.get() == other.store_id != old
        assert seen.get() == News(1, was_reset=False)
        follower.close()


def test_a_reset_is_seen_while_scrolling(tmp_path: Path) -> None:
    """Pages of two stores are never mixed, even where nothing was saved after the reset."""
    path = large(tmp_path, 1000)

    async def act(screen: Screen) -> None:
        with FileMessageStore(path) as other:
            other.reset()
            other.create_session()
        for _ in range(10):
            await screen.press("pageup")
        await screen.until(lambda: screen.positions == [])
        await screen.until(lambda: "emptied" in screen.status)

    browse(path, act)


def test_damage_is_shown_in_its_place(tmp_path: Path) -> None:
    """A damaged message is a line that says so; those around it are shown."""
    with FileMessageStore(tmp_path / "store") as opened:
        for number in range(1, 21):
            opened.save_message("s", Message("T", {"text": f"number-{number:02}-"}))
    for path in (tmp_path / "store" / "streams").rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes().replace(b"number-07-", b"number-XX-"))

    async def act(screen: Screen) -> None:
        await screen.until(lambda: screen.positions == list(range(1, 21)))
        await screen.until_shown("7  cannot be read")
        await screen.press("p", "7", "enter")
        await screen.until(lambda: screen.position == 7)
        await screen.press("enter")
        await screen.until_shown("try: msgstore verify")

    browse(tmp_path / "store", act, size=(100, 40))


def test_a_store_that_is_gone_is_an_error_on_the_screen(store: Path) -> None:
    """Reading fails: one line says why, and the program goes on."""

    async def act(screen: Screen) -> None:
        for name in ("index", "journal", "catalog"):
            (store / name).write_bytes(b"")
        await screen.press("ctrl+r")
        await screen.until(lambda: "try: " in screen.status)
        await screen.press("question_mark")
        await screen.until_shown("the newest")

    browse(store, act)


def test_nothing_stored_acts_on_the_screen(tmp_path: Path) -> None:
    """Escape sequences are shown as escapes, and markup as the characters that it is."""
    evil = "[bold red]x[/]\u202e[link=https://a.b]y[/link]"
    with FileMessageStore(tmp_path / "store") as opened:
        opened.create_session("[blink]r\u202e")
        data = {"[red]key": "\x1b[31m[bold]\x07\x9b"}
        opened.save_message(evil, Message("[reverse]T[/reverse]\u200b", data))

    async def act(screen: Screen) -> None:
        await screen.press("enter")
        await screen.until_shown("[reverse]T[/reverse]\\u200b")
        await screen.until_shown("[blink]r\\u202e")
        await screen.until_shown("\\u001b[31m[bold]\\u0007\\u009b")
        await screen.press("s", "down", "y")
        await screen.until(lambda: "copied" in screen.status)
        await screen.press("enter")
        await screen.until(lambda: screen.positions == [1])
        shown = "".join(screen.lines)
        assert not set("\x1b\x07\x9b\u202e\u200b") & set(shown)
        styles = [part.style for strip in screen.strips() for part in strip if part.style]
        assert not any(style.blink or style.reverse or style.link for style in styles)

    browse(tmp_path / "store", act, size=(160, 40))


# ---------------------------------------------------------------- a pack


def test_a_pack_is_looked_at_like_a_store(store: Path, cli: Cli) -> None:
    """Runs, streams and messages of a pack are shown; nothing is followed, and that is no error."""
    pack = store.parent / "run.msgpack"
    done = cli("--store", str(store), "export", "last", str(pack))
    assert done.code == 0, done.err

    async def act(screen: Screen) -> None:
        await screen.until(lambda: screen.positions == list(range(31, 51)))
        await screen.until_shown("second")
        await screen.until_shown("orders-1")
        await screen.until(lambda: "not followed" in screen.title)
        assert screen.status == ""

    browse(pack, act, size=WIDE)


# ---------------------------------------------------------------- the command


def test_it_needs_a_terminal(store: Path, cli: Cli) -> None:
    """In a pipe it is a usage error that names what to use instead."""
    done = cli("--store", str(store), "browse")
    assert (done.code, done.out) == (2, "")
    assert "try: msgstore query" in done.err


def test_it_has_no_output(store: Path, cli: Cli) -> None:
    """-o and --fields are refused."""
    assert cli("--store", str(store), "browse", "-o", "json").code == 2
    assert cli("--store", str(store), "browse", "--fields", "type").code == 2


def test_without_textual_it_says_how_to_get_it(store: Path, cli: Cli) -> None:
    """Exit code 5, and the line that installs it."""
    code = "import sys; sys.modules['textual'] = None; sys.argv[0] = 'msgstore'\n"
    code += "from msgstore.cli.app import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "--store", str(store), "browse"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (5, "")
    assert "try: pip install 'msgstore[tui]'" in done.stderr


def test_a_missing_store_and_a_wrong_filter_are_told_before_the_screen(cli: Cli) -> None:
    """Errors of the call are those of query, and nothing is drawn."""
    for arguments, code in (([], 5), (["--since", "nonsense"], 2)):
        if code == 2:
            cli("save", "s", "-t", "T")
        ours, theirs = open_terminal(80)
        process = cli.start("browse", *arguments, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        shown = read_terminal(ours)
        assert process.wait() == code
        assert "try: " in shown
        assert "\x1b" not in shown


def test_a_real_terminal(store: Path, cli: Cli) -> None:
    """It draws, copies with OSC 52, leaves with q and exit code 0, and puts the terminal back."""
    import base64

    ours, theirs = open_terminal(100)
    process = cli.start("--store", str(store), "browse", stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""

    def read_until(wanted: bytes) -> None:
        nonlocal shown
        while wanted not in shown:
            shown += os.read(ours, 1 << 16)

    read_until(b"50 messages")
    os.write(ours, b"y")
    command = f"msgstore --store {store} query"
    read_until(b"\x1b]52;c;" + base64.b64encode(command.encode()) + b"\a")
    os.write(ours, b"q")
    read_until(b"\x1b[?1049l")
    assert process.wait() == 0
    os.close(ours)


def test_a_terminal_that_is_gone(store: Path, cli: Cli) -> None:
    """A program whose terminal was closed ends, also where nobody sends it a signal."""
    ours, theirs = open_terminal(100)
    process = cli.start("--store", str(store), "browse", stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    while b"50 messages" not in shown:
        shown += os.read(ours, 1 << 16)
    os.close(ours)
    process.wait()
