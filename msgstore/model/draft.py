"""Drafts: checked messages that have nothing about them to be decided, as tuples.

Of the lines of a large import most only say what to store. For these no Message, no SaveRequest and no
SaveResult is made: a store that can take drafts (`engine/encoding.py`) stores them as `save_each` would.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from msgstore.model.values import Json

Draft: TypeAlias = tuple[
    str,  # stream id
    str,  # type
    Json,  # data
    str | None,  # request id
    str | None,  # correlation id
    str | None,  # causation id
    int | None,  # the producer's timestamp, in microseconds
    Json,  # metadata
]
"""A message without an id of its own, expected nowhere, of a kind that is inferred. All parts have
been checked as a Message checks its own."""


class DraftsSaved(NamedTuple):
    """Where drafts went: so many `messages`, from `first_position` on."""

    first_position: int
    messages: int
