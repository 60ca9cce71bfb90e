"""The tree of causes."""

from __future__ import annotations

import pytest
from hypothesis import given

from msgstore.analysis.links import parents_of
from msgstore.analysis.tree import GUIDES_MAX, Node, Tree, build_tree
from msgstore.model.message import PositionalMessage

from .messages import runs, stored


def places(tree: Tree) -> list[tuple[int, int | None, str | None]]:
    return [
        (n.stored.position, n.parent, None if n.link is None else str(n.link)) for n in tree.nodes
    ]


def node_at(tree: Tree, position: int) -> Node:
    [node] = [node for node in tree.nodes if node.stored.position == position]
    return node


@pytest.mark.parametrize(
    ("correlation_id", "expected"),
    [
        ("corr-1", []),
        ("corr-1-1763900000000-x9y8", ["corr-1"]),
        ("corr-1-1763900000000-x9y8-1763900000001-abc", ["corr-1-1763900000000-x9y8", "corr-1"]),
        ("corr-1-176390000000-x9y8", []),
        ("-1763900000000-x9y8", []),
        ("corr-1-1763900000000-", []),
        ("corr-1-1763900000000-x 9", []),
        ("corr-1-1763900000000-x9\n", []),
    ],
)
def test_parents_of(correlation_id: str, expected: list[str]) -> None:
    """A child correlation is its parent's id, thirteen digits and letters or digits; the nearest first."""
    assert [*parents_of(correlation_id)] == expected


def test_links_in_their_order() -> None:
    """Causation goes before the request, and the request before the child correlation."""
    tree = build_tree(
        [
            stored(1, kind="command", id="1", request_id="r", correlation_id="k"),
            stored(2, id="2", request_id="r", correlation_id="k"),
            stored(3, kind="command", causation_id="2", request_id="p", correlation_id="k"),
            stored(4, causation_id="2", request_id="p"),
            stored(5, correlation_id="k-1763900000000-x"),
            stored(6, request_id="p", correlation_id="k-1763900000000-x"),
        ]
    )
    assert places(tree) == [
        (1, None, None),
        (2, 1, "request"),
        (3, 2, "causation"),
        (6, 3, "request"),
        (4, 2, "causation"),
        (5, 1, "correlation"),
    ]


def test_a_grandchild_without_its_parent() -> None:
    """A correlation whose parent has no messages stands below the nearest one above that has some."""
    deep = "k-1763900000000-x-1763900000001-y"
    tree = build_tree([stored(1, correlation_id="k"), stored(2, correlation_id=deep)])
    assert places(tree) == [(1, None, None), (2, 1, "correlation")]


def test_an_orphan_is_a_root() -> None:
    """A cause that is not there makes an orphan; another link may still place it."""
    tree = build_tree(
        [
            stored(1, causation_id="gone"),
            stored(2, kind="command", request_id="r"),
            stored(3, request_id="r", causation_id="gone"),
        ]
    )
    assert places(tree) == [(1, None, None), (2, None, None), (3, 2, "request")]
    assert [node.is_orphan for node in tree.nodes] == [True, False, True]


def test_a_cycle_begins_with_its_lowest_position() -> None:
    """A circle of causes is cut above its first message, which tells the whole of it."""
    tree = build_tree(
        [
            stored(1, id="a", causation_id="b"),
            stored(2, id="b", causation_id="c"),
            stored(3, id="c", causation_id="a"),
            stored(4, id="d", causation_id="d"),
        ]
    )
    assert places(tree) == [
        (1, None, None),
        (3, 1, "causation"),
        (2, 3, "causation"),
        (4, None, None),
    ]
    assert node_at(tree, 1).cycle == (1, 2, 3)
    assert node_at(tree, 2).cycle == ()
    assert node_at(tree, 4).cycle == (4,)


def test_a_guess_closes_no_circle() -> None:
    """A command that is caused by its own answer is no cycle of causes: the request gives way."""
    tree = build_tree(
        [
            stored(1, id="e", request_id="r"),
            stored(2, kind="command", request_id="r", causation_id="e"),
        ]
    )
    assert places(tree) == [(1, None, None), (2, 1, "causation")]
    assert node_at(tree, 1).cycle == ()


def test_the_command_of_an_event() -> None:
    """Of several with the request id: that of the correlation, of the session, the latest before."""
    tree = build_tree(
        [
            stored(1, kind="command", request_id="r", correlation_id="k", session="a"),
            stored(2, kind="command", request_id="r", correlation_id="k", session="a"),
            stored(3, kind="command", request_id="r", correlation_id="m", session="a"),
            stored(4, kind="command", request_id="r", correlation_id="k", session="b"),
            stored(5, request_id="r", correlation_id="k", session="a"),
            stored(6, kind="command", request_id="r", correlation_id="k", session="a"),
        ]
    )
    assert node_at(tree, 5).parent == 2


def test_times() -> None:
    """Offsets count from the earliest message, gaps from the parent; the slowest edge is marked."""
    tree = build_tree(
        [
            stored(1, id="1", correlation_id="k", after_ms=10),
            stored(2, id="2", causation_id="1", after_ms=15),
            stored(3, causation_id="2", after_ms=40.5),
            stored(4, correlation_id="k-1763900000000-x", after_ms=900),
        ]
    )
    assert [(n.offset_us, n.gap_us) for n in tree.nodes] == [
        (0, None),
        (5_000, 5_000),
        (30_500, 25_500),
        (890_000, 890_000),
    ]
    assert tree.slowest is not None
    assert tree.slowest.stored.position == 3
    assert [n.is_slowest for n in tree.nodes] == [False, False, True, False]


def test_times_of_producers() -> None:
    """By the producers' times a message without one has neither offset nor gap."""
    tree = build_tree(
        [
            stored(1, id="1", timestamp="2020-01-01T00:00:00Z"),
            stored(2, id="2", causation_id="1", timestamp="2020-01-01T00:00:02Z"),
            stored(3, causation_id="2"),
        ],
        "produced",
    )
    assert [(n.offset_us, n.gap_us) for n in tree.nodes] == [
        (0, None),
        (2_000_000, 2_000_000),
        (None, None),
    ]


def test_the_json_of_a_node() -> None:
    """It is that of the message with its place under `trace`; absent fields are left out."""
    first, second = build_tree(
        [stored(1, id="1"), stored(2, causation_id="1")], starts=frozenset([2])
    ).nodes
    assert first.to_json() == first.stored.to_json() | {"trace": {"depth": 0, "offsetMs": 0.0}}
    assert second.to_json()["trace"] == {
        "depth": 1,
        "parent": 1,
        "link": "causation",
        "offsetMs": 1.0,
        "gapMs": 1.0,
        "slowest": True,
        "start": True,
    }


def test_a_long_chain() -> None:
    """A chain of thousands is a tree as deep, in bounded guides and without recursion."""
    count = 5000
    chain = [stored(n, id=str(n), causation_id=str(n - 1)) for n in range(1, count + 1)]
    nodes = build_tree(reversed(chain)).nodes
    assert [node.depth for node in nodes] == [*range(count)]
    assert max(len(node.guides) for node in nodes) == GUIDES_MAX


@given(runs())
def test_every_message_once_whatever_the_links(run: list[PositionalMessage]) -> None:
    """All are there once; parents come first, a level above; only causation makes cycles."""
    tree = build_tree(run)
    assert sorted(n.stored.position for n in tree.nodes) == [m.position for m in run]
    depths: dict[int, int] = {}
    for node in tree.nodes:
        above = -1 if node.parent is None else depths[node.parent]
        assert node.depth == above + 1
        depths[node.stored.position] = node.depth
    first_of = {m.message.id: m.position for m in reversed(run)}
    causes = {m.position: first_of.get(m.message.causation_id or "") for m in run}
    for node in tree.nodes:
        if node.cycle:
            after = (*node.cycle[1:], node.cycle[0])
            assert all(causes[one] == cause for one, cause in zip(node.cycle, after, strict=True))
            assert min(node.cycle) == node.stored.position


@given(runs())
def test_the_order_of_reading_does_not_count(run: list[PositionalMessage]) -> None:
    """The same messages make the same tree in whatever order they are handed in."""
    assert build_tree(run) == build_tree(reversed(run))
