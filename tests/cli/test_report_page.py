"""The page of `msgstore report` in a real Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .browser import CHROMIUM, Browser
from .harness import Cli

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")

EVIL = "</script><script>window.ran = 1</script><img src=x onerror='window.ran = 2'>"
EVIL += "\"'><svg onload=window.ran=3>{{data}}"
TURNED = "a\u202eb\u2066c\u200bd"
LINES = "Array.from(document.querySelectorAll('.line'))"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture(scope="module")
def run(shared_cli: Cli) -> Path:
    """Sixty orders: a command, the event that answers it, and what that causes."""
    lines: list[dict[str, Any]] = []
    for number in range(60):
        order = f"order-{number}"
        common = {"correlationId": order, "timestamp": f"2026-03-01T10:{number:02}:00Z"}
        lines.append(
            {
                "streamId": "order-commands",
                "type": "Place",
                "requestId": order,
                "data": {"big": 2**53 + 1, "order": order},
                **common,
            }
        )
        lines.append(
            {
                "streamId": "orders",
                "type": "Placed",
                "id": f"id-{number}",
                "requestId": order,
                "messageType": "event",
                "data": {"order": order},
                **common,
            }
        )
        lines.append(
            {
                "streamId": "stock",
                "type": "Reserved",
                "causationId": f"id-{number}",
                "data": {"shelf": number},
                **common,
            }
        )
    shared_cli("sessions", "start", "--name", "nightly", "--label", "host=web-1")
    shared_cli.save(*lines)
    shared_cli("sessions", "end", "--status", "ok")
    return page_of(shared_cli, "last", "--produced")


def page_of(cli: Cli, *arguments: str) -> Path:
    done = cli("report", *arguments, "-o", "run.html", "--force")
    assert done.code == 0, done.err
    return cli.folder / "run.html"


def text(browser: Browser, selector: str) -> str:
    return str(browser.ask(f"document.querySelector({selector!r}).textContent"))


def focus(browser: Browser) -> str:
    """What the focused element says, and what it is."""
    return str(
        browser.ask(
            "document.activeElement.getAttribute('aria-label') || document.activeElement.id"
        )
    )


def click(browser: Browser, selector: str) -> None:
    browser.ask(f"document.querySelector({selector!r}).click()")
    browser.settle()


def types(browser: Browser) -> list[str]:
    found: list[str] = browser.ask(f"{LINES}.map(x => x.querySelector('.type').textContent)")
    return found


def test_it_draws_and_asks_for_nothing(browser: Browser, run: Path) -> None:
    """Head, tiles, tallies and messages are there; no request but the page, no error."""
    browser.open(run)
    assert text(browser, "h1") == "nightly"
    assert text(browser, "#labels") == "ok host=web-1"
    assert browser.ask("document.title") == "nightly – msgstore report"
    assert text(browser, "#tiles div").startswith("Messages180")
    assert text(browser, "#types-count") == text(browser, "#streams-count") == "3"
    assert text(browser, "#found") == "180 messages"
    assert types(browser)[:3] == ["Place", "Placed", "Reserved"]
    assert browser.requests == [run.as_uri()]
    assert browser.complaints == []


def test_the_network_is_closed(browser: Browser, run: Path) -> None:
    """Even a script in the page could fetch nothing, load nothing, make no markup and run no text."""
    browser.open(run)
    refused = browser.ask("fetch('https://example.org/').then(() => false, () => true)")
    assert refused is True
    tried = "(() => { try { %s; return false } catch (e) { return true } })()"
    assert browser.ask(tried % "document.body.innerHTML = '<p>x'") is True
    made = """new Promise(done => {
        const image = new Image();
        image.onload = image.onerror = event => done(event.type);
        image.src = 'https://example.org/x.png';
    })"""
    assert browser.ask(made) == "error"
    blocked = """(() => {
        const style = document.createElement('style');
        style.textContent = 'body { width: 7px }';
        document.head.append(style);
        return getComputedStyle(document.body).width;
    })()"""
    assert browser.ask(blocked) != "7px"


def test_search(browser: Browser, run: Path) -> None:
    """`/` goes there; all words must be found, in any field; Escape ends it."""
    browser.open(run)
    browser.press("/")
    assert focus(browser) == "search"
    browser.type("ORDER-7 plac")
    assert text(browser, "#found") == "2 of 180 messages"
    assert types(browser) == ["Place", "Placed"]
    browser.press("Escape")
    assert text(browser, "#found") == "180 messages"
    browser.type('"shelf":7')
    assert types(browser) == ["Reserved"]
    browser.type(" nothing")
    assert types(browser) == []
    assert browser.ask("document.getElementById('empty').hidden") is False


def test_filters(browser: Browser, run: Path) -> None:
    """By kind, type and stream, together; a tally is a filter; reset ends them all."""
    browser.open(run)
    choose = """(() => {
        const select = document.getElementById(%r);
        select.value = %r;
        select.dispatchEvent(new Event('change'));
    })()"""
    browser.ask(choose % ("kind", "0"))
    assert text(browser, "#found") == "120 of 180 messages"
    click(browser, "#types .tally:nth-child(2)")
    assert text(browser, "#found") == "60 of 180 messages"
    assert set(types(browser)) == {"Placed"}
    assert (
        browser.ask("document.querySelector('#types [aria-pressed=true]').textContent")
        == "Placed60"
    )
    browser.ask(choose % ("stream", "2"))
    assert text(browser, "#found") == "0 of 180 messages"
    click(browser, "[type=reset]")
    assert text(browser, "#found") == "180 messages"


def test_a_message_opens(browser: Browser, run: Path) -> None:
    """Its data is folded until it is opened, and is what was stored, long numbers too."""
    browser.open(run)
    assert browser.ask("document.querySelector('.detail')") is None
    click(browser, ".line")
    assert browser.ask("document.querySelector('.line').getAttribute('aria-expanded')") == "true"
    assert text(browser, ".detail pre") == '{\n  "big": 9007199254740993,\n  "order": "order-0"\n}'
    assert "request idorder-0" in text(browser, ".facts")
    click(browser, ".line")
    assert browser.ask("document.querySelector('.detail')") is None


def test_the_keyboard(browser: Browser, run: Path) -> None:
    """Arrows move, Enter opens, End goes to the last; one line at a time is in the order of Tab."""
    browser.open(run)
    browser.press("/")
    browser.press("ArrowDown")
    assert focus(browser) == "command Place, stream order-commands, position 1"
    browser.press("ArrowDown")
    browser.press("Enter")
    assert text(browser, ".detail .facts dd:nth-of-type(2)") == "Placed"
    browser.press("Enter")
    assert browser.ask("document.querySelector('.detail')") is None
    browser.press("End")
    assert focus(browser) == "event Reserved, stream stock, position 180"
    inside = """(() => {
        const box = document.activeElement.getBoundingClientRect();
        return box.top > 0 && box.bottom <= innerHeight;
    })()"""
    assert browser.ask(inside) is True
    assert browser.ask("document.querySelectorAll('.line[tabindex=\"0\"]').length") == 1
    browser.press("Home")
    assert focus(browser) == "command Place, stream order-commands, position 1"
    browser.press("c")
    assert (
        browser.ask("document.getElementById('view-tree').getAttribute('aria-pressed')") == "true"
    )


def test_causes(browser: Browser, run: Path) -> None:
    """What was caused stands below its cause; what is found keeps what is above it."""
    browser.open(run)
    click(browser, "#view-tree")
    depths = (
        f"{LINES}.slice(0, 3).map(x => x.querySelector('.what').style.getPropertyValue('--depth'))"
    )
    assert browser.ask(depths) == ["0", "1", "2"]
    assert browser.ask(
        f"{LINES}.slice(0, 3).map(x => x.querySelector('.tag')?.textContent ?? '')"
    ) == ["", "request", "cause"]
    browser.press("/")
    browser.type('"shelf":7')
    assert types(browser) == ["Place", "Placed", "Reserved"]
    assert browser.ask("document.querySelectorAll('.only-above').length") == 2
    assert text(browser, "#found") == "1 of 180 messages"
    browser.press("ArrowDown")
    browser.press("Enter")
    [child] = browser.ask(
        "Array.from(document.querySelectorAll('.act'))"
        ".map(x => x.textContent).filter(x => x.startsWith('Led'))"
    )
    assert child == "Led to: #23 Placed"


def test_a_span_of_time_by_the_keyboard(browser: Browser, run: Path) -> None:
    """Arrows move along time, Shift selects, Enter takes it, Escape ends it."""
    browser.open(run)
    browser.ask("document.getElementById('activity').focus()")
    browser.press("ArrowRight")
    browser.press("ArrowRight", shift=True)
    assert "messages" in text(browser, "#bucket")
    browser.press("Enter")
    assert text(browser, "#found") != "180 messages"
    assert types(browser)[0] == "Place"
    assert browser.ask("document.querySelectorAll('.chip').length") == 1
    browser.press("Escape")
    assert text(browser, "#found") == "180 messages"


def test_only_what_is_near_is_drawn(browser: Browser, run: Path) -> None:
    """Of the lines those are in the page that are near the window."""
    browser.open(run)
    assert 0 < len(types(browser)) < 180


@pytest.mark.parametrize("view", ["time", "tree"])
def test_hostile_texts_do_not_run(browser: Browser, cli: Cli, view: str) -> None:
    """Markup in every text that a store takes is shown as text, and nothing of it runs."""
    cli("sessions", "start", "--name", EVIL + TURNED, "--label", f"k{EVIL.replace('=', '')}={EVIL}")
    cli.save(
        {
            "streamId": "s" + EVIL + TURNED,
            "type": EVIL + TURNED,
            "data": {EVIL: [EVIL, TURNED, "\u0000\u001b[31m\u2028", 'a\\"b']},
            "id": EVIL,
            "requestId": EVIL,
            "correlationId": EVIL,
            "causationId": "c" + EVIL,
            "metadata": {EVIL: EVIL},
        }
    )
    browser.open(page_of(cli, "last"))
    click(browser, f"#view-{view}")
    click(browser, ".line")
    assert browser.ask("window.ran === undefined") is True
    assert browser.ask("document.querySelectorAll('img, script:not([type]), body svg').length") == 1
    assert text(browser, "h1") == EVIL + r"a\u202eb\u2066c\u200bd"
    assert text(browser, ".line .type") == EVIL + r"a\u202eb\u2066c\u200bd"
    shown = text(browser, ".detail")
    assert EVIL in shown
    assert r"\u0000\u001b[31m\u2028" in shown
    everything = browser.ask("document.body.innerText + document.title")
    assert not set("\u202e\u2066\u200b\u2028\u0000\u001b") & set(everything)
    hidden = """Array.from(document.querySelectorAll('*'))
        .flatMap(e => Array.from(e.attributes)).some(a => /[\\u202e\\u2066]/.test(a.value))"""
    assert browser.ask(hidden) is False
    assert len(browser.requests) == 1
    assert browser.complaints == []


def contrast(browser: Browser, selector: str) -> float:
    """Of a text with what is behind it, as WCAG counts it."""
    return float(
        browser.ask(
            """(() => {
            const rgb = text => text.match(/[\\d.]+/g).map(Number);
            const linear = v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
            const light = ([r, g, b]) => [r, g, b].map(linear)
                .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
            let at = document.querySelector(SELECTOR);
            const ink = light(rgb(getComputedStyle(at).color));
            while (at && rgb(getComputedStyle(at).backgroundColor)[3] === 0) at = at.parentElement;
            const paper = light(rgb(getComputedStyle(at || document.body).backgroundColor));
            return (Math.max(ink, paper) + .05) / (Math.min(ink, paper) + .05);
            })()""".replace("SELECTOR", repr(selector))
        )
    )


def test_light_and_dark(browser: Browser, run: Path) -> None:
    """The page follows the system; texts have a contrast of at least 4.5 in both."""
    browser.open(run)
    click(browser, ".line")
    papers = []
    for scheme in ("light", "dark"):
        browser.prefer(scheme)
        papers.append(browser.ask("getComputedStyle(document.body).backgroundColor"))
        for selector in (
            ".muted",
            ".line .stream",
            ".line .num",
            "h1",
            ".tally .n",
            ".detail .k",
            ".detail .v",
            ".detail .s",
            ".badge",
            ".badge.good",
            ".glyph.command",
        ):
            assert contrast(browser, selector) >= 4.5, (scheme, selector)
    browser.prefer("light")
    assert papers == ["rgb(245, 246, 248)", "rgb(15, 20, 27)"]


def test_names_for_those_who_do_not_see_it(browser: Browser, run: Path) -> None:
    """There are landmarks, one heading above all, and no control without a name."""
    browser.open(run)
    click(browser, ".line")
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    roles = [node.get("role", {}).get("value") for node in nodes if not node["ignored"]]
    assert {"banner", "main", "search", "contentinfo", "list", "status"} <= set(roles)
    controls = ("button", "searchbox", "combobox", "link", "region", "list", "group")
    nameless = [
        node
        for node in nodes
        if not node["ignored"]
        and node.get("role", {}).get("value") in controls
        and not node.get("name", {}).get("value")
    ]
    assert nameless == []
    assert browser.ask("document.querySelectorAll('h1').length") == 1
    assert browser.ask("document.documentElement.lang") == "en"


def test_a_narrow_window(browser: Browser, run: Path) -> None:
    """Nothing makes it scroll sideways at 360 pixels."""
    browser.size(360, 700)
    try:
        browser.open(run)
        click(browser, ".line")
        assert browser.ask("document.documentElement.scrollWidth") <= 360
    finally:
        browser.size(1400, 900)


def test_ten_thousand_messages(browser: Browser, cli: Cli) -> None:
    """Of more than the limit it says what is left out; the last of what it has can be reached."""
    cli.save(
        *(
            {"streamId": f"s-{n % 40}", "type": f"T{n % 700}", "data": {"n": n}}
            for n in range(10_005)
        )
    )
    done = cli("report", "-o", "run.html")
    assert done.lines[0]["leftOut"] == 5
    browser.open(cli.folder / "run.html")
    assert "10,000 of 10,005 messages" in text(browser, "#notice")
    assert text(browser, "#found") == "10,000 messages"
    browser.press("/")
    browser.press("ArrowDown")
    browser.press("End")
    assert focus(browser) == "event T199, stream s-39, position 10000"
    assert len(types(browser)) < 1000
    click(browser, "#types .act")
    assert browser.ask("document.querySelectorAll('#types .tally').length") == 500
    lanes = "Array.from(document.querySelectorAll('#lanes-head span')).map(x => x.textContent)"
    assert browser.ask(lanes) == [*(f"T{n}" for n in range(11)), "other types"]


def test_an_empty_page(browser: Browser, cli: Cli) -> None:
    """Without a message it says so, and is no error."""
    cli.save({"streamId": "s", "type": "T"})
    browser.open(page_of(cli, "-t", "Other"))
    assert text(browser, "#found") == "0 messages"
    assert browser.ask("document.getElementById('empty').hidden") is False
    assert browser.complaints == []
