"""All that can be read from a store, as JSON."""

from __future__ import annotations

import json
from typing import Any

from msgstore import FileMessageStore


def all_of(store: FileMessageStore) -> dict[str, Any]:
    """Everything a store tells, but for the bytes it takes on disk."""
    stats = store.get_stats().to_json()
    del stats["diskBytes"]
    return {
        "stats": stats,
        "activeSession": store.active_session(),
        "sessions": [session.to_json() for session in store.get_sessions()],
        "streams": [stream.to_json() for stream in store.get_streams()],
        "messages": [stored.to_json() for stored in store.get_all_messages()],
    }


def to_text(content: dict[str, Any]) -> str:
    """ASCII in which 1 and 1.0, 0.0 and -0.0 are not the same; one line a message."""
    parts = []
    for name, value in content.items():
        if isinstance(value, list):
            lines = ",\n".join(f"    {_line(one)}" for one in value)
            parts.append(f'  "{name}": [\n{lines}\n  ]' if value else f'  "{name}": []')
        else:
            parts.append(f'  "{name}": {_line(value)}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _line(value: Any) -> str:
    return json.dumps(value)
