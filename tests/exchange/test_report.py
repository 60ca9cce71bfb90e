"""The page of a run, as bytes: what is in it, and that nothing in it ends its script elements."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from hashlib import sha256
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from msgstore import MemoryMessageStore, Message
from msgstore.exchange.report import About, Page, script_json
from msgstore.model.filter import MessageFilter

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def page_of(store: MemoryMessageStore, data_bytes_max: int = 1000) -> tuple[Page, str]:
    page = Page(data_bytes_max)
    text = page.begin() + b"".join(map(page.add, store.get_all_messages(MessageFilter())))
    about = About(page.count, 1, "0", "recorded", [("stream id", "<x>")], store.get_sessions())
    return page, (text + page.end(about)).decode()


def data_of(page: str, name: str) -> Any:
    [text] = re.findall(
        rf'<script type="application/json" id="{name}">(.*?)</script>', page, re.DOTALL
    )
    return json.loads(text)


@given(JSON)
def test_script_json_is_json_and_ends_nothing(value: Any) -> None:
    """Whatever it holds, it reads as what it was, and has no character that HTML looks at."""
    text = script_json(value)
    assert json.loads(text) == value
    assert not set("<>&\u2028\u2029\u202e") & set(text)


@given(st.text(), st.text(min_size=1).filter(str.isprintable))
def test_the_page_has_three_scripts_whatever_is_stored(data: str, name: str) -> None:
    """Messages, report and the page's own; the style and the script are those of the policy."""
    store = MemoryMessageStore()
    evil = "</script><script>alert(1)</script><!--"
    store.save_message("s" + evil, Message("T" + evil, {name: data, evil: evil}, metadata=evil))
    _, page = page_of(store)
    assert len(re.findall("<script", page)) == len(re.findall("</script", page)) == 3
    assert "alert(1)<" not in page
    [policy] = re.findall('Content-Security-Policy" content="(.*?)"', page)
    for tag in ("script", "style"):
        text = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)[-1]
        digest = b64encode(sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy


def test_rows() -> None:
    """A message is a row: names by number, data and metadata as text, nothing behind the last value."""
    store = MemoryMessageStore()
    store.save_message("a-commands", Message("Do", {"n": 2**53 + 1}, id="1", request_id="r"))
    store.save_message("a", Message("Done", 1.0, id="2", causation_id="1", metadata={}))
    store.save_message("a", Message("Done", id="3", causation_id="9"))
    _, page = page_of(store)
    rows, report = data_of(page, "messages"), data_of(page, "report")
    assert [row[:5] for row in rows] == [[1, 0, 0, 1, 0], [2, 1, 1, 0, 0], [3, 1, 1, 0, 1]]
    assert [row[6:] for row in rows] == [
        [0, '{"n":9007199254740993}', "1", "r"],
        [0, "1.0", "2", None, None, "1", None, "{}"],
        [0, "{}", "3", None, None, "9"],
    ]
    assert report["streams"] == ["a-commands", "a"]
    assert report["types"] == ["Do", "Done"]
    assert report["tree"] == [
        [0, 0, None, None, 0, []],
        [1, 1, 0, 0, 0, []],
        [2, 0, None, None, 1, []],
    ]
    assert report["filters"] == [["stream id", "<x>"]]


def test_long_data_is_left_out() -> None:
    """Of data and metadata over the limit only the size is told."""
    store = MemoryMessageStore()
    store.save_message("a", Message("T", "x" * 8, metadata="y" * 9))
    page, text = page_of(store, data_bytes_max=10)
    [row] = data_of(text, "messages")
    assert (row[7], row[13]) == ('"xxxxxxxx"', 11)
    assert page.data_left_out == 1


def test_an_empty_page() -> None:
    """Without a message it is a page all the same."""
    _, text = page_of(MemoryMessageStore())
    assert data_of(text, "messages") == []
    assert data_of(text, "report")["tree"] == []
