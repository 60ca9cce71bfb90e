"""The messages that all rows are measured with: number *i* is the same in every run and on every side."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TYPES = (
    *("OrderPlaced", "OrderConfirmed", "PaymentTaken", "StockReserved"),
    *("OrderShipped", "PlaceOrder", "TakePayment"),
)
IN_A_ROW = 5
"""So many messages belong to one order: one correlation id, one stream, one after the other."""


def message(number: int, streams: int, in_a_row: int = IN_A_ROW) -> dict[str, Any]:
    """Message `number` (from 0) of a store of so many streams, as a line of `save -` has it."""
    order = number // in_a_row
    return {
        "streamId": stream_of(number, streams, in_a_row),
        "type": TYPES[number % len(TYPES)],
        "data": {
            "orderId": f"ord-{order}",
            "total": number,
            "customer": {"id": f"c-{number % 997}", "name": "Alice Example"},
            "items": [{"sku": "abc", "qty": 2}, {"sku": "def", "qty": 1}],
            "note": "x" * 60,
        },
        "correlationId": f"corr-{order}",
        "requestId": f"req-{number}",
    }


def messages(
    count: int, streams: int, first: int = 0, in_a_row: int = IN_A_ROW
) -> Iterator[dict[str, Any]]:
    return (message(number, streams, in_a_row) for number in range(first, first + count))


def stream_of(number: int, streams: int, in_a_row: int = IN_A_ROW) -> str:
    return f"orders-{number // in_a_row % streams}"


def revision_of(number: int, streams: int, in_a_row: int = IN_A_ROW) -> int:
    """The revision that message `number` has in its stream, if all were saved in order."""
    return number // in_a_row // streams * in_a_row + number % in_a_row


def number_at(stream: int, revision: int, streams: int, in_a_row: int = IN_A_ROW) -> int:
    """The inverse: which message stands in `orders-<stream>` at this revision."""
    return (revision // in_a_row * streams + stream) * in_a_row + revision % in_a_row


def length_of(stream: int, count: int, streams: int, in_a_row: int = IN_A_ROW) -> int:
    """How many of the first `count` messages are in `orders-<stream>`."""
    rounds, rest = divmod(count, streams * in_a_row)
    return rounds * in_a_row + min(max(rest - stream * in_a_row, 0), in_a_row)


def write_lines(path: Path, count: int, streams: int) -> None:
    """JSON Lines with the blanks of `json.dumps`, of some 345 bytes each."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(one) + "\n" for one in messages(count, streams))
