"""Stream ids, types and ids: which texts are legal, and that a legal one is only a name."""

from __future__ import annotations

from typing import Any

import pytest

from msgstore import InvalidMessage, LocalMessageStore, Message, MessageFilter
from msgstore.testing.claims.base import (
    StoreClaims,
    assert_empty,
    event,
    numbers,
    only,
    refused,
)

ODD_TEXTS = {
    "a path upwards": "../../etc/passwd",
    "an absolute path": "/etc/passwd",
    "a slash": "a/b",
    "a slash at the end": "a/",
    "a parent of that": "a",
    "a dot": ".",
    "two dots": "..",
    "a hidden name": ".orders",
    "a backslash": "a\\b",
    "a drive": "C:",
    "a device": "CON",
    "a dot at the end": "orders.",
    "an umlaut": "ä",
    "an umlaut in two characters": "a\u0308",
    "an emoji": "🛒",
    "1,024 bytes": "x" * 1024,
    "1,024 bytes of emoji": "🛒" * 256,
    "one below 1,024 bytes": "x" * 1023,
    "small letters": "orders",
    "capitals": "ORDERS",
    "both": "Orders",
    "a dollar": "$all",
    "a variable": "${HOME}",
    "spaces around": " orders ",
    "only a space": " ",
    "glob characters": "*[a-z]?",
    "a tilde": "orders~1",
    "percent": "%2e%2e%2f",
    "an option": "-rf",
    "a quote": "'\"`",
    "a line separator": "\u2028",
    "right to left": "\u202eabc",
    "a zero-width joiner": "a\u200db",
    "the unstamped session": "no-session",
    "a file of a store": "store.json",
    "a number": "0",
    "a UUID": "0198c0de-0000-7000-8000-000000000001",
    "the same UUID in capitals": "0198C0DE-0000-7000-8000-000000000001",
    "the same UUID without hyphens": "0198c0de000070008000000000000001",
}

BAD_TEXTS: dict[str, Any] = {
    "empty": "",
    "1,025 bytes": "x" * 1025,
    "1,028 bytes of emoji": "🛒" * 257,
    "a line feed": "a\nb",
    "a NUL": "a\x00",
    "an escape": "\x1b[31m",
    "a DEL": "a\x7f",
    "a C1 control": "a\x85b",
    "a lone surrogate": "a\ud800",
    "bytes": b"orders",
    "a number": 5,
    "true": True,
}


class TextClaims(StoreClaims):
    """Any text without control characters is a name, up to 1,024 bytes of UTF-8."""

    @pytest.mark.parametrize("case", ODD_TEXTS)
    def test_an_odd_stream_id(self, store: LocalMessageStore, case: str) -> None:
        """Any legal text names a stream, which is found again under it."""
        stream_id = ODD_TEXTS[case]
        store.save_message(stream_id, event(1))
        with self.reopen(store) as again:
            again.save_message(stream_id, event(2), 0)
            assert numbers(again.get_messages(stream_id)) == [1, 2]
            assert [info.stream_id for info in again.get_streams()] == [stream_id]
            assert numbers(again.get_all_messages(MessageFilter(stream_id=stream_id))) == [1, 2]

    def test_odd_stream_ids_together(self, store: LocalMessageStore) -> None:
        """Streams are told apart by every byte of their ids."""
        for number, stream_id in enumerate(ODD_TEXTS.values()):
            store.save_message(stream_id, event(number))
        with self.reopen(store) as again:
            found = {s: numbers(again.get_messages(s)) for s in ODD_TEXTS.values()}
            streams = [info.stream_id for info in again.get_streams()]
        assert found == {s: [number] for number, s in enumerate(ODD_TEXTS.values())}
        assert streams == list(ODD_TEXTS.values())

    def test_odd_types_and_ids(self, store: LocalMessageStore) -> None:
        """Any legal text is a type or an id, and comes back as it was given."""
        given = [
            Message(t, id=t, request_id=t, correlation_id=t, causation_id=t)
            for t in ODD_TEXTS.values()
        ]
        store.save_messages("orders", given)
        with self.reopen(store) as again:
            assert [stored.message for stored in again.get_all_messages()] == given

    @pytest.mark.parametrize("case", ODD_TEXTS)
    def test_an_odd_id_is_found(self, store: LocalMessageStore, case: str) -> None:
        """A filter finds the message with this id among others that resemble it."""
        store.save_messages("orders", [Message("X", id=text) for text in ODD_TEXTS.values()])
        wanted = MessageFilter(message_id=ODD_TEXTS[case])
        assert only(store.get_all_messages(wanted)).message.id == ODD_TEXTS[case]

    @pytest.mark.parametrize("case", BAD_TEXTS)
    def test_a_bad_stream_id(self, store: LocalMessageStore, case: str) -> None:
        """A text that is no name is refused as a stream id, and nothing is written."""
        with refused(InvalidMessage, path="stream_id"):
            store.save_message(BAD_TEXTS[case], event(1))
        with refused(InvalidMessage, path="stream_id"):
            store.get_messages(BAD_TEXTS[case])
        with refused(InvalidMessage, path="stream_id"):
            store.get_stream_info(BAD_TEXTS[case])
        assert_empty(store)

    @pytest.mark.parametrize("field", ["id", "request_id", "correlation_id", "causation_id"])
    @pytest.mark.parametrize("case", BAD_TEXTS)
    def test_a_bad_id(self, case: str, field: str) -> None:
        """A text that is no name is refused as an id, with the name of the field."""
        fields: dict[str, Any] = {field: BAD_TEXTS[case]}
        with refused(InvalidMessage, path=field):
            Message("X", **fields)

    @pytest.mark.parametrize("case", BAD_TEXTS)
    def test_a_bad_type(self, case: str) -> None:
        """A text that is no name is refused as a type."""
        with refused(InvalidMessage, path="type"):
            Message(BAD_TEXTS[case])
