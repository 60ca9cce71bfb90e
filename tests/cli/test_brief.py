"""Data in a line."""

from __future__ import annotations

import pytest

from msgstore.cli.render.brief import brief


def text(data: object, limit: int | None = None) -> str:
    return "".join(piece for piece, _ in brief(data, limit))


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ({}, ""),
        ({"orderId": "ord-1", "total": 100}, "orderId=ord-1 total=100"),
        ({"note": "two words", "empty": ""}, 'note="two words" empty=""'),
        (
            {"text": "100", "yes": "true", "no": None, "ok": True},
            'text="100" yes="true" no=null ok=true',
        ),
        ({"odd key": 1}, '"odd key"=1'),
        ({"items": [{"sku": "a"}], "c": {"d": 1}}, 'items=[{"sku":"a"}] c={"d":1}'),
        ({"e": 'say "hi"'}, r'e="say \"hi\""'),
        ({"esc": "\x1b[1m"}, r"""esc="\u001b[1m\""""[:-2] + '"'),
        ([1, "a"], '[1,"a"]'),
        ("text", "text"),
        (1.5, "1.5"),
    ],
)
def test_shows(data: object, shown: str) -> None:
    """An object is key=value pairs; texts that could be taken for something else are quoted."""
    assert text(data) == shown


def test_large_data_is_not_looked_through() -> None:
    """With a limit nothing after it is made."""
    assert len(text({f"k{n}": n for n in range(100_000)}, 50)) < 70
    assert len(text({"k": "x" * 1_000_000}, 50)) <= 52
