"""A read under way: pages of matches, to be asked for one after the other or iterated."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol

from msgstore.backends.nats.getting import Replaced
from msgstore.backends.nats.parts import Parts
from msgstore.backends.nats.reading import Decoder, Pages
from msgstore.backends.nats.records import Raw
from msgstore.model.errors import StoreUnavailable
from msgstore.model.filter import MessageFilter
from msgstore.model.message import PositionalMessage


class Home(Protocol):
    """The store that is read."""

    async def with_parts(self, act: Callable[[Parts], Awaitable[Parts]]) -> Parts | None: ...

    def emptied(self) -> StoreUnavailable: ...


class Reading:
    """What a read gives, page by page; `next` returns an empty list at the end."""

    def __init__(
        self,
        home: Home,
        begin: Callable[[Parts], Awaitable[Pages]],
        wanted: MessageFilter,
        count: int | None,
    ) -> None:
        self._home = home
        self._begin = begin
        self._wanted = wanted
        self._left = count
        self._pages: Pages | None = None
        self._decoder: Decoder | None = None

    async def next(self) -> list[PositionalMessage]:
        """Settles at the first call what is looked at. Raises StoreUnavailable, CorruptStore."""
        while self._left is None or self._left > 0:
            raws = await self._page()
            if not raws or self._decoder is None:
                break
            decoded = await self._decode(raws)
            found = [message for message in decoded if self._wanted.matches(message)]
            if self._left is not None:
                found = found[: self._left]
                self._left -= len(found)
            if found:
                return found
        return []

    async def _page(self) -> list[Raw]:
        if self._pages is None:
            parts = await self._home.with_parts(self._take_up)
            if parts is None:
                return []
        assert self._pages is not None, "it was begun"
        try:
            return await self._pages.next()
        except Replaced:
            raise self._home.emptied() from None

    async def _take_up(self, parts: Parts) -> Parts:
        self._pages = await self._begin(parts)
        self._decoder = parts.decoder
        return parts

    async def _decode(self, raws: Sequence[Raw]) -> list[PositionalMessage]:
        assert self._decoder is not None, "it was begun"
        try:
            return await self._decoder.decode(raws)
        except Replaced:
            raise self._home.emptied() from None

    async def __aiter__(self) -> AsyncIterator[PositionalMessage]:
        while page := await self.next():
            for message in page:
                yield message
