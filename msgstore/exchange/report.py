"""A run as one page of HTML that needs nothing else: no network, no other file.

What the store holds is in the page as JSON only, in script elements that are not run; the page's
script shows it as text. The Content-Security-Policy lets this one script run and this one style
apply, by their hashes, and nothing be fetched.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.resources import files

import orjson

from msgstore.analysis.links import Clock, Link
from msgstore.analysis.tree import Node, build_tree
from msgstore.model.clock import to_us
from msgstore.model.message import Message, MessageType, PositionalMessage
from msgstore.model.results import SessionInfo
from msgstore.model.values import Json

_LINKS = {None: None, Link.CAUSATION: 0, Link.REQUEST: 1, Link.CORRELATION: 2}

# What ends a script element or begins a comment in it, and what turns the direction of its source.
_UNSAFE = re.compile("[<>&\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class About:
    """What a page says of itself. `total` is how many messages match, shown or not."""

    total: int
    made_us: int
    version: str
    clock: Clock
    filters: Sequence[tuple[str, str]]
    sessions: Sequence[SessionInfo]


class Page:
    """The page, in pieces; of each message only what the tree needs is kept."""

    def __init__(self, data_bytes_max: int) -> None:
        self.data_left_out = 0
        self._data_bytes_max = data_bytes_max
        self._before = ""
        self._bones: list[PositionalMessage] = []
        self._streams = _Names()
        self._types = _Names()
        self._sessions = _Names()
        self._head, self._tail = _frame()

    @property
    def count(self) -> int:
        return len(self._bones)

    @property
    def session_ids(self) -> frozenset[str]:
        """Those that messages are stamped with."""
        return frozenset(self._sessions.numbers)

    def begin(self) -> bytes:
        return f'{self._head}<script type="application/json" id="messages">[\n'.encode()

    def add(self, stored: PositionalMessage) -> bytes:
        """Messages must come in order of position, and be JSON."""
        before, self._before = self._before, ",\n"
        bare = Message(
            stored.message.type,
            id=stored.message.id,
            request_id=stored.message.request_id,
            correlation_id=stored.message.correlation_id,
            causation_id=stored.message.causation_id,
        )
        self._bones.append(replace(stored, message=bare))
        return (before + script_json(self._row(stored))).encode()

    def end(self, about: About) -> bytes:
        report = {
            "total": about.total,
            "made": about.made_us,
            "clock": about.clock,
            "version": about.version,
            "filters": [list(pair) for pair in about.filters],
            "streams": [*self._streams.numbers],
            "types": [*self._types.numbers],
            "sessionIds": [*self._sessions.numbers],
            "sessions": [info.to_json() for info in about.sessions],
            "tree": self._tree(),
        }
        data = f'<script type="application/json" id="report">{script_json(report)}</script>'
        return f"\n]</script>\n{data}\n{self._tail}".encode()

    def _row(self, stored: PositionalMessage) -> list[Json]:
        message = stored.message
        row: list[Json] = [
            stored.position,
            self._streams.number(stored.stream_id),
            self._types.number(message.type),
            int(stored.message_type is MessageType.COMMAND),
            stored.revision,
            to_us(stored.timestamp),
            self._sessions.number(stored.session_id),
            self._text(message.data),
            message.id,
            message.request_id,
            message.correlation_id,
            message.causation_id,
            None if message.timestamp is None else to_us(message.timestamp),
            None if message.metadata is None else self._text(message.metadata),
        ]
        while row[-1] is None:
            row.pop()
        return row

    def _text(self, value: Json) -> str | int:
        """JSON as text, for a browser would round numbers; how long it is where that is too long."""
        data = orjson.dumps(value)
        if len(data) <= self._data_bytes_max:
            return data.decode()
        self.data_left_out += 1
        return len(data)

    def _tree(self) -> list[Json]:
        indexes = {stored.position: index for index, stored in enumerate(self._bones)}
        return [_place(node, indexes) for node in build_tree(self._bones).nodes]


class _Names:
    """Numbers for texts that come up again and again."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        return self.numbers.setdefault(text, len(self.numbers))


def _place(node: Node, indexes: dict[int, int]) -> list[Json]:
    """`[message, depth, parent, link, is orphan, positions of a cycle]`; of times the page knows itself."""
    return [
        indexes[node.stored.position],
        node.depth,
        None if node.parent is None else indexes[node.parent],
        _LINKS[node.link],
        int(node.is_orphan),
        list(node.cycle),
    ]


def script_json(value: Json) -> str:
    """JSON that can stand in a script element, whatever is in it."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", orjson.dumps(value).decode())


def policy_for(script: str, style: str) -> str:
    """A Content-Security-Policy: this script and this style, and nothing from anywhere."""
    rules: Iterable[str] = (
        "default-src 'none'",
        f"script-src '{_hash_of(script)}'",
        f"style-src '{_hash_of(style)}'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
    return "; ".join(rules)


def _hash_of(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _frame() -> tuple[str, str]:
    """What stands before and behind the data."""
    folder = files("msgstore.exchange").joinpath("page")
    page, script, style = (
        folder.joinpath(f"report.{ending}").read_text("utf-8") for ending in ("html", "js", "css")
    )
    parts = {"policy": policy_for(script, style), "style": style, "script": script}
    for name, text in parts.items():
        page = page.replace(f"{{{{{name}}}}}", text, 1)
    head, tail = page.split("{{data}}")
    return head, tail
