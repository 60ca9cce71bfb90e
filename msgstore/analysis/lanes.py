"""The messages of a tree, stream by stream, over time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from msgstore.analysis.tree import Node, Tree
from msgstore.model.values import Json


class Lane(NamedTuple):
    """One stream, in order of position. `span_us` is that of all lanes together."""

    stream_id: str
    nodes: tuple[Node, ...]
    span_us: int

    def to_json(self) -> dict[str, Json]:
        return {
            "streamId": self.stream_id,
            "count": len(self.nodes),
            "messages": [_mark(node) for node in self.nodes],
        }


def _mark(node: Node) -> dict[str, Json]:
    mark: dict[str, Json] = {
        "position": node.stored.position,
        "type": node.stored.message.type,
        "messageType": node.stored.message_type.value,
    }
    return mark if node.offset_us is None else mark | {"offsetMs": node.offset_us / 1000}


def lanes_of(tree: Tree) -> Iterator[Lane]:
    """A lane a stream, in the order in which they begin."""
    by_stream: dict[str, list[Node]] = {}
    for node in sorted(tree.nodes, key=lambda node: node.stored.position):
        by_stream.setdefault(node.stored.stream_id, []).append(node)
    span = max((node.offset_us for node in tree.nodes if node.offset_us is not None), default=0)
    for stream_id, nodes in by_stream.items():
        yield Lane(stream_id, tuple(nodes), span)
