"""Tasks: one asynchronous store used by several at once."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from msgstore import (
    InvalidArgument,
    InvalidFilter,
    InvalidMessage,
    MessageFilter,
    PositionalMessage,
    StoreClosed,
    WrongExpectedRevision,
)
from msgstore.backends.async_protocol import (
    AsyncLocalMessageStore,
    AsyncMessages,
    AsyncMessageStore,
)
from msgstore.testing.claims.base import StoreClaims, event, events, numbers, positions
from msgstore.testing.claims.cancelling import listed
from msgstore.testing.sync_face import in_loop

BATCH = 20


async def first_of(messages: AsyncMessages, count: int) -> list[PositionalMessage]:
    """So many of them, once they have come."""
    found = []
    try:
        async for stored in messages:
            found.append(stored)
            if len(found) == count:
                break
    finally:
        await messages.aclose()
    return found


class TaskClaims(StoreClaims):
    """One store object serves any number of tasks, and none keeps the others waiting."""

    @in_loop
    async def test_it_keeps_the_protocol(self, async_store: AsyncLocalMessageStore) -> None:
        """An asynchronous store has every method of its protocol."""
        assert isinstance(async_store, AsyncMessageStore)
        assert isinstance(async_store, AsyncLocalMessageStore) or not self.local

    @in_loop
    async def test_tasks_that_expect(self, async_store: AsyncLocalMessageStore) -> None:
        """Of tasks that expect the same revision one gets through; with retries none is lost."""

        async def count_up() -> None:
            for _ in range(10):
                while True:
                    info = await async_store.get_stream_info("counter")
                    revision = -1 if info is None else info.revision
                    try:
                        await async_store.save_message("counter", event(revision + 1), revision)
                        break
                    except WrongExpectedRevision:
                        continue

        await asyncio.gather(*[count_up() for _ in range(4)])
        assert numbers(await listed(async_store.get_messages("counter"))) == list(range(40))

    @in_loop
    async def test_tasks_that_save_at_once(self, async_store: AsyncLocalMessageStore) -> None:
        """Each of many saves has a place of its own, and its result names it."""
        results = await asyncio.gather(
            *[async_store.save_message(f"s-{n % 7}", event(n)) for n in range(200)]
        )
        stored = await listed(async_store.get_all_messages())
        assert positions(stored) == list(range(1, 201))
        places = {(m.stream_id, m.revision, m.position): m.message.data["n"] for m in stored}
        for n, result in enumerate(results):
            assert places[result.stream_id, result.last_revision, result.last_position] == n

    @in_loop
    async def test_tasks_that_save_the_same(self, async_store: AsyncLocalMessageStore) -> None:
        """Of tasks that save one id one stores it, and all are told the same place."""
        results = await asyncio.gather(
            *[
                async_store.save_message("orders", event(n % 10, id=f"m-{n % 10}"))
                for n in range(60)
            ]
        )
        assert Counter(result.duplicate for result in results) == {True: 50, False: 10}
        assert len({result.first_position for result in results}) == 10

    @in_loop
    async def test_never_half_a_batch_for_a_task(self, async_store: AsyncLocalMessageStore) -> None:
        """A task that reads while others save sees whole batches."""
        saving = asyncio.gather(
            *[async_store.save_messages("orders", [event(n)] * BATCH) for n in range(30)]
        )
        while not saving.done():
            for read in (async_store.get_all_messages(), async_store.get_messages("orders")):
                assert len(await listed(read)) % BATCH == 0
            await asyncio.sleep(0)  # a store may read without giving others their turn
        await saving
        assert await async_store.count_messages() == 30 * BATCH

    @in_loop
    async def test_followers_and_savers(self, async_store: AsyncLocalMessageStore) -> None:
        """Followers see each message once and in order, whenever they begin."""
        await async_store.save_messages("orders", events(*range(20)))
        followers = []
        for number in range(30):
            if number % 6 == 0:
                following = first_of(async_store.follow(), 80)
                followers.append(asyncio.ensure_future(following))
            await async_store.save_messages(f"s-{number % 3}", events(number, number))
        for seen in await asyncio.gather(*followers):
            assert positions(seen) == list(range(1, 81))

    @in_loop
    async def test_many_followers(self, async_store: AsyncLocalMessageStore) -> None:
        """Any number of followers wait at once, and all are given what arrives, by their filters."""
        wanted = [MessageFilter(stream_id=f"s-{n % 10}") for n in range(100)]
        following = [asyncio.ensure_future(first_of(async_store.follow(w), 1)) for w in wanted]
        await asyncio.sleep(0)
        assert (await async_store.save_message("none of these", event(-1))).last_position == 1
        for n in range(10):
            await async_store.save_message(f"s-{n}", event(n))
        found = await asyncio.gather(*following)
        assert [numbers(seen) for seen in found] == [[n % 10] for n in range(100)]

    @in_loop
    async def test_a_follower_whose_time_is_up(self, async_store: AsyncLocalMessageStore) -> None:
        """What does not match does not prolong the waiting."""
        wanted = MessageFilter(stream_id="nowhere")
        following = asyncio.ensure_future(listed(async_store.follow(wanted, timeout=0.2)))
        while not following.done():
            await async_store.save_message("orders", event(1))
        assert await following == []

    @in_loop
    async def test_wrong_arguments(self, async_store: AsyncLocalMessageStore) -> None:
        """Reads refuse wrong arguments at the call; what is awaited when it is awaited."""
        with pytest.raises(InvalidArgument):
            async_store.get_messages("orders", -1)
        with pytest.raises(InvalidArgument):
            async_store.follow(timeout=-1)
        with pytest.raises(InvalidFilter):
            async_store.get_all_messages("OrderPlaced")  # type: ignore[arg-type]
        with pytest.raises(InvalidMessage):
            await async_store.save_message("", event(1))

    @in_loop
    async def test_closing_under_followers(self, async_store: AsyncLocalMessageStore) -> None:
        """Who follows a store that is closed is told so, and does not wait for ever."""
        await async_store.save_message("orders", event(1))
        is_waiting = asyncio.Event()

        async def follow() -> None:
            async for _ in async_store.follow():
                is_waiting.set()

        following = [asyncio.ensure_future(follow()) for _ in range(3)]
        await is_waiting.wait()
        await async_store.close()
        ended = await asyncio.gather(*following, return_exceptions=True)
        assert [type(end) for end in ended] == [StoreClosed] * 3

    @in_loop
    async def test_closing_by_several(self, async_store: AsyncLocalMessageStore) -> None:
        """Several tasks may close it at once; saves that had begun are on record before."""
        saves = [
            asyncio.ensure_future(async_store.save_message("orders", event(n))) for n in range(20)
        ]
        await asyncio.sleep(0)
        await asyncio.gather(async_store.close(), async_store.close(), async_store.close())
        ended = await asyncio.gather(*saves, return_exceptions=True)
        assert all(isinstance(end, StoreClosed) or not isinstance(end, Exception) for end in ended)
        with pytest.raises(StoreClosed):
            await async_store.get_stats()

    @in_loop
    async def test_an_async_block_closes(self, async_store: AsyncLocalMessageStore) -> None:
        """A store is closed at the end of its `async with` block."""
        async with async_store as opened:
            await opened.save_message("orders", event(1))
        with pytest.raises(StoreClosed):
            await async_store.save_message("orders", event(2))
