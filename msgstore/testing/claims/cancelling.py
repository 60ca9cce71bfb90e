"""Cancellation of an asynchronous store: nothing is half done, and what the caller is told is true."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import pytest

from msgstore import (
    Message,
    MessageFilter,
    OutcomeUnknown,
    RequestError,
    SaveResult,
    WrongExpectedRevision,
)
from msgstore.backends.async_protocol import AsyncLocalMessageStore, CameTooLate, NotBegun, outcome
from msgstore.testing.claims.base import StoreClaims, event, events, numbers
from msgstore.testing.sync_face import in_loop

T = TypeVar("T")

# How far a call has come when it is cancelled: so many turns of the loop, then so many seconds.
MOMENTS = [(turns, 0.0) for turns in range(8)] + [(0, n / 5000) for n in range(1, 9)]


async def listed(messages: AsyncGenerator[T, None]) -> list[T]:
    return [message async for message in messages]


async def cancelled_after(call: Coroutine[Any, Any, T], turns: int, seconds: float) -> T | None:
    """What a change came to that was cancelled, as it was told; None if nothing was done."""
    told: T | None = None

    async def attempt() -> None:
        nonlocal told
        try:
            told = await call
        except asyncio.CancelledError as error:
            told = outcome(error)

    await cancel_after(attempt(), turns, seconds)
    call.close()  # it may never have been begun
    return told


async def cancel_after(call: Coroutine[Any, Any, Any], turns: int, seconds: float) -> None:
    task = asyncio.ensure_future(call)
    for _ in range(turns):
        await asyncio.sleep(0)
    if seconds:
        await asyncio.sleep(seconds)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


class CancellingClaims(StoreClaims):
    """A change that is cancelled is made as a whole or not at all, and says which."""

    @in_loop
    async def test_a_cancelled_save(self, async_store: AsyncLocalMessageStore) -> None:
        """Whenever it is cancelled, a save stands where its outcome says; without one it does not."""
        stands: list[SaveResult] = []
        for number, moment in enumerate(MOMENTS * 3):
            message = event(number, id=f"m-{number}")
            result = await cancelled_after(async_store.save_message("orders", message), *moment)
            found = await listed(
                async_store.get_all_messages(MessageFilter(message_id=f"m-{number}"))
            )
            assert len(found) == (result is not None)
            if result is not None:
                assert found[0].position == result.first_position
                stands.append(result)
        assert [result.last_position for result in stands] == list(range(1, len(stands) + 1))
        last = await async_store.save_message("orders", event(0), len(stands) - 1)
        assert last.last_position == len(stands) + 1

    @in_loop
    async def test_many_saves_cancelled_at_once(self, async_store: AsyncLocalMessageStore) -> None:
        """Of saves that are cancelled together each is told the truth."""
        told: dict[int, SaveResult | None] = {}

        async def save(n: int) -> None:
            try:
                told[n] = await async_store.save_messages(f"s-{n % 3}", events(n, n))
            except asyncio.CancelledError as error:
                told[n] = outcome(error)

        tasks = [asyncio.ensure_future(save(n)) for n in range(60)]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        expected = sorted(n for n, result in told.items() if result is not None)
        stored = numbers(await listed(async_store.get_all_messages()))
        assert sorted(stored[::2]) == sorted(stored[1::2]) == expected

    @in_loop
    async def test_a_cancelled_save_that_is_refused(
        self, async_store: AsyncLocalMessageStore
    ) -> None:
        """A save that would have been refused was not made, cancelled or not."""
        for moment in MOMENTS:
            saving = async_store.save_message("orders", event(1), 5)
            with suppress(WrongExpectedRevision):
                assert await cancelled_after(saving, *moment) is None
        assert await async_store.count_messages() == 0

    @in_loop
    async def test_a_transaction_cancelled_in_its_block(
        self, async_store: AsyncLocalMessageStore
    ) -> None:
        """A block that is cancelled saves nothing."""
        is_within = asyncio.Event()

        async def save() -> None:
            async with async_store.transaction() as transaction:
                transaction.save_message("orders", event(1))
                is_within.set()
                await asyncio.Event().wait()

        task = asyncio.ensure_future(save())
        await is_within.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await async_store.count_messages() == 0

    @in_loop
    async def test_a_transaction_cancelled_as_it_commits(
        self, async_store: AsyncLocalMessageStore
    ) -> None:
        """Whenever that is, both streams have their message or neither has, as the outcome says."""

        async def save(number: int) -> list[SaveResult]:
            async with async_store.transaction() as transaction:
                transaction.save_message("orders", event(number))
                transaction.save_message("carts", event(number))
            return transaction.results

        expected = []
        for number, moment in enumerate(MOMENTS):
            result = await cancelled_after(save(number), *moment)
            expected += [number] * (result is not None)
        for stream_id in ("orders", "carts"):
            assert numbers(await listed(async_store.get_messages(stream_id))) == expected

    @in_loop
    async def test_an_error_in_a_transaction(self, async_store: AsyncLocalMessageStore) -> None:
        """An error in the block discards its saves; after the block there are no more."""
        transaction = async_store.transaction()

        async def save() -> None:
            async with transaction:
                transaction.save_message("orders", event(1))
                raise KeyError("no such customer")

        with pytest.raises(KeyError):
            await save()
        with pytest.raises(RequestError):
            transaction.save_message("orders", event(1))
        assert await async_store.count_messages() == 0

    @in_loop
    async def test_a_time_limit(self, async_store: AsyncLocalMessageStore) -> None:
        """A time limit around a follower ends it, and the store goes on."""
        await async_store.save_message("orders", event(1))
        seen = []

        async def follow() -> None:
            async with asyncio.timeout(0.1):
                async for stored in async_store.follow():
                    seen.append(stored)

        with pytest.raises(TimeoutError):
            await follow()
        assert numbers(seen) == [1]
        assert (await async_store.save_message("orders", event(2))).last_position == 2

    @in_loop
    async def test_a_time_limit_around_a_save(self, async_store: AsyncLocalMessageStore) -> None:
        """The TimeoutError leads to the outcome too."""
        count = 0
        for n in range(20):
            try:
                async with asyncio.timeout(n / 10_000):
                    await async_store.save_message("orders", event(n))
                count += 1
            except TimeoutError as error:
                count += outcome(error) is not None
        assert await async_store.count_messages() == count

    @in_loop
    async def test_a_cancelled_read(self, async_store: AsyncLocalMessageStore) -> None:
        """Whenever a read is cancelled it ends, and is in nobody's way."""
        await async_store.save_messages("orders", [Message("X", {"n": n}) for n in range(500)])
        for moment in MOMENTS:
            await cancel_after(listed(async_store.get_all_messages()), *moment)
        assert (await async_store.save_message("orders", event(1))).last_position == 501

    @in_loop
    async def test_a_read_left_in_the_middle(self, async_store: AsyncLocalMessageStore) -> None:
        """A read, and a follower, that is closed gives nothing more."""
        await async_store.save_messages("orders", events(1, 2, 3))
        for messages in (async_store.get_all_messages(), async_store.follow()):
            async for stored in messages:
                assert stored.position == 1
                break
            await messages.aclose()
            assert await anext(messages, None) is None
            await async_store.save_message("orders", event(4))

    @in_loop
    async def test_a_cancelled_follower(self, async_store: AsyncLocalMessageStore) -> None:
        """A follower that is cancelled while it waits ends; another one misses nothing."""
        is_waiting, seen = asyncio.Event(), []

        async def follow() -> None:
            async for stored in async_store.follow():
                seen.append(stored)
                is_waiting.set()

        await async_store.save_message("orders", event(1))
        task = asyncio.ensure_future(follow())
        await is_waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await async_store.save_message("orders", event(2))
        assert numbers(seen) == [1]
        assert numbers(await listed(async_store.follow(timeout=0))) == [1, 2]

    def _needs_sessions(self) -> None:
        if not self.local:
            pytest.skip("the store keeps no sessions")

    @in_loop
    async def test_a_cancelled_session_block(self, async_store: AsyncLocalMessageStore) -> None:
        """A session whose block is cancelled ends with status `failed`."""
        self._needs_sessions()
        is_within = asyncio.Event()

        async def work() -> None:
            async with async_store.session("work"):
                await async_store.save_message("orders", event(1))
                is_within.set()
                await asyncio.Event().wait()

        task = asyncio.ensure_future(work())
        await is_within.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        [info] = await async_store.get_sessions()
        assert (info.name, info.status, info.message_count) == ("work", "failed", 1)
        assert async_store.current_session is None

    @in_loop
    async def test_a_session_cancelled_as_it_starts(
        self, async_store: AsyncLocalMessageStore
    ) -> None:
        """Whenever a block is cancelled no session is left open, and none current."""
        self._needs_sessions()

        async def work() -> None:
            async with async_store.session():
                await asyncio.sleep(0)

        for moment in MOMENTS:
            await cancel_after(work(), *moment)
            assert all(info.ended_at for info in await async_store.get_sessions())
            assert async_store.current_session is None

    def test_the_outcome_of_another_error(self) -> None:
        """An error says what it knows: not begun, too late, refused; one that knows nothing says that."""
        with pytest.raises(OutcomeUnknown):
            outcome(asyncio.CancelledError())
        withdrawn = asyncio.CancelledError()
        withdrawn.__cause__ = NotBegun()
        assert outcome(withdrawn) is None
        late = asyncio.CancelledError()
        late.__cause__ = CameTooLate(5)
        timed_out = TimeoutError()
        timed_out.__cause__ = late
        assert (outcome(late), outcome(timed_out)) == (5, 5)
        refused = asyncio.CancelledError()
        refused.__cause__ = WrongExpectedRevision("orders", 0, 1)
        with pytest.raises(WrongExpectedRevision):
            outcome(refused)
