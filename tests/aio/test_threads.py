"""How many threads a store on threads has, what is left of them, and what a cancelled save leaves."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from msgstore import (
    FileMessageStore,
    InvalidArgument,
    MemoryMessageStore,
    MessageFilter,
    OutcomeUnknown,
    SaveRequest,
    SaveResult,
)
from msgstore.aio import AsyncLocalMessageStore, ThreadedMessageStore, outcome
from msgstore.disk.lock import FileLock
from msgstore.testing.claims.base import event, numbers, positions
from msgstore.testing.claims.cancelling import listed
from msgstore.testing.claims.tasks import first_of

from .harness import PATIENCE_S, file_store, open_files, our_threads, until


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Somebody else writes to the store meanwhile."""
    lock = FileLock(str(path / "store" / "write.lock"), PATIENCE_S)
    lock.acquire()
    try:
        yield
    finally:
        lock.release()
        lock.close()


class Slow(MemoryMessageStore):
    """Each save waits until the test lets it go on."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.begun = threading.Semaphore(0)
        self.may_go_on = threading.Event()
        self.error = error
        self.at_once = 0
        self.at_once_max = 0

    def _commit(self, requests: Sequence[SaveRequest], *, independent: bool) -> list[SaveResult]:
        self.at_once += 1
        self.at_once_max = max(self.at_once, self.at_once_max)
        self.begun.release()
        assert self.may_go_on.wait(PATIENCE_S)
        self.at_once -= 1
        if self.error is not None:
            raise self.error
        return super()._commit(requests, independent=independent)

    async def has_begun(self) -> None:
        await until(lambda: self.begun.acquire(blocking=False))


# ---------------------------------------------------------------- threads


def test_threads_are_bounded_and_end(tmp_path: Path) -> None:
    """However many tasks there are, threads are no more than was said; none is left, and no file."""

    async def main() -> int:
        async with file_store(tmp_path, threads=3) as store:
            most = 0
            following = [
                asyncio.ensure_future(first_of(store.follow(MessageFilter(stream_id="s-1")), 1))
                for _ in range(20)
            ]
            saving = [
                asyncio.ensure_future(store.save_message(f"s-{n % 5}", event(n))) for n in range(60)
            ]
            reading = [asyncio.ensure_future(listed(store.get_all_messages())) for _ in range(20)]
            everything = asyncio.gather(*following, *saving, *reading)
            while not everything.done():
                most = max(most, len(our_threads()))
                await asyncio.sleep(0)
            await everything
            return most

    asyncio.run(main())
    before = open_files()
    most = asyncio.run(main())
    assert 2 <= most <= 3 + 3 + 1
    assert our_threads() == []
    assert open_files() == before


def test_saves_of_many_tasks_wait_for_a_thread() -> None:
    """No more saves are under way at once than there are threads for them."""

    async def main() -> None:
        slow = Slow()
        async with ThreadedMessageStore(slow, threads=2) as store:
            saving = [asyncio.ensure_future(store.save_message("a", event(n))) for n in range(10)]
            await slow.has_begun()
            await slow.has_begun()
            slow.may_go_on.set()
            await asyncio.gather(*saving)
        assert slow.at_once_max == 2

    asyncio.run(main())


@pytest.mark.parametrize("threads", [0, -1, True, 1.5, "8"])
def test_a_number_of_threads(threads: Any) -> None:
    """It is a number of 1 or more."""
    with pytest.raises(InvalidArgument):
        ThreadedMessageStore(MemoryMessageStore(), threads=threads)


def test_a_cancelled_follower_leaves_no_thread(tmp_path: Path) -> None:
    """The thread that waits for followers ends when the last of them is cancelled."""

    async def main() -> None:
        async with file_store(tmp_path) as store:
            await store.save_message("a", event(1))
            following = [asyncio.ensure_future(listed(store.follow())) for _ in range(5)]
            await until(lambda: "msgstore-follow" in our_threads())
            for task in following:
                task.cancel()
            await asyncio.wait(following)
            assert all(task.cancelled() for task in following)
            await until(lambda: "msgstore-follow" not in our_threads())
            again = asyncio.ensure_future(first_of(store.follow(from_position=2), 1))
            await until(lambda: "msgstore-follow" in our_threads())
            await store.save_message("a", event(2))
            assert numbers(await again) == [2]

    asyncio.run(main())


def test_an_idle_follower_looks_rarely() -> None:
    """While nothing arrives a follower costs its loop nothing: only the one thread looks."""

    async def main() -> None:
        memory = MemoryMessageStore()
        async with ThreadedMessageStore(memory) as store:
            looks = 0
            look = store._threads.look

            async def counted(call: Callable[[], Any]) -> Any:
                nonlocal looks
                looks += 1
                return await look(call)

            store._threads.look = counted  # type: ignore[method-assign]
            assert await listed(store.follow(timeout=0.5)) == []
            assert looks <= 8

    asyncio.run(main())


def test_a_program_that_does_not_close_its_store_ends(tmp_path: Path) -> None:
    """A store that nobody closed, and a follower that nobody cancelled, keep no program from ending."""
    script = """if True:
        import asyncio
        from msgstore.aio import open_store
        from msgstore import Message
        loop = asyncio.new_event_loop()
        async def main():
            store = await open_store("store", durability="os")
            await store.save_message("a", Message("A"))
            seen = asyncio.Event()
            async def follow():
                async for stored in store.follow():
                    print(stored.position, flush=True)
                    seen.set()
            task = loop.create_task(follow())
            await seen.wait()
            return store, task
        kept = loop.run_until_complete(main())
        print("the end")
    """
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    assert done.stdout == "1\nthe end\n"


def test_an_interrupted_program(tmp_path: Path) -> None:
    """Ctrl-C while tasks save ends the program, and each save that was acknowledged is there."""
    script = """if True:
        import asyncio
        from msgstore.aio import open_store
        from msgstore import Message
        async def main():
            async with open_store("store", durability="os") as store:
                async def save(task):
                    while True:
                        result = await store.save_message(f"s-{task}", Message("A"))
                        print(result.last_position, flush=True)
                await asyncio.gather(*[save(n) for n in range(5)])
        asyncio.run(main())
    """
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(100)]
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    rest, err = process.stdout.read(), process.stderr.read()
    process.communicate()
    assert b"KeyboardInterrupt" in err
    acknowledged = {int(line) for line in [*said, *rest.splitlines()]}
    with FileMessageStore(tmp_path / "store") as store:
        there = positions(store.get_all_messages())
        assert store.verify().findings == ()
    assert there == list(range(1, len(there) + 1))
    assert acknowledged <= set(there)
    assert len(there) - len(acknowledged) <= 5


# ---------------------------------------------------------------- cancellation


def test_a_save_that_waits_for_a_thread_is_withdrawn() -> None:
    """A save that no thread has taken up is not made; one that has begun is carried to its end."""

    async def main() -> None:
        slow = Slow()
        async with ThreadedMessageStore(slow, threads=1) as store:
            first = asyncio.ensure_future(store.save_message("a", event(1)))
            await slow.has_begun()
            second = asyncio.ensure_future(store.save_message("a", event(2)))
            await asyncio.sleep(0)
            second.cancel()
            with pytest.raises(asyncio.CancelledError) as withdrawn:
                await second
            assert outcome(withdrawn.value) is None
            for _ in range(3):  # again and again: it changes nothing
                first.cancel()
                await asyncio.sleep(0.001)
                assert not first.done()
            slow.may_go_on.set()
            with pytest.raises(asyncio.CancelledError) as too_late:
                await first
            assert outcome(too_late.value) == SaveResult("a", 0, 0, 1, 1, 1)
            assert numbers(await listed(store.get_all_messages())) == [1]

    asyncio.run(main())


def test_the_end_of_a_session_is_not_withdrawn() -> None:
    """A block that is cancelled while its end waits for a thread ends its session all the same."""

    async def main() -> None:
        slow = Slow()
        async with ThreadedMessageStore(slow, threads=1) as store:
            is_leaving = asyncio.Event()

            async def work() -> None:
                async with store.session("work"):
                    saving.append(asyncio.ensure_future(store.save_message("a", event(1))))
                    await slow.has_begun()  # the only thread is taken: whoever comes now waits
                    is_leaving.set()

            saving: list[asyncio.Future[SaveResult]] = []
            task = asyncio.ensure_future(work())
            await is_leaving.wait()
            task.cancel()
            await asyncio.sleep(0)
            slow.may_go_on.set()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (await saving[0]).count == 1
            [info] = await store.get_sessions()
            assert (info.status, store.current_session) == ("ok", None)

    asyncio.run(main())


def test_a_cancelled_save_of_unknown_outcome() -> None:
    """Where even the store cannot tell, the outcome says so."""

    async def main() -> None:
        slow = Slow(OutcomeUnknown("store", "the disk is gone"))
        async with ThreadedMessageStore(slow) as store:
            saving = asyncio.ensure_future(store.save_message("a", event(1)))
            await slow.has_begun()
            saving.cancel()
            slow.may_go_on.set()
            with pytest.raises(asyncio.CancelledError) as caught:
                await saving
            with pytest.raises(OutcomeUnknown):
                outcome(caught.value)

    asyncio.run(main())


def test_reads_do_not_wait_for_saves(tmp_path: Path) -> None:
    """While saves wait for another process the loop goes on, and so do reads and followers."""

    async def main() -> None:
        async with file_store(tmp_path, threads=2) as store:
            await store.save_message("a", event(1))
            with locked(tmp_path):
                saving = [
                    asyncio.ensure_future(store.save_message("a", event(n))) for n in range(2, 8)
                ]
                assert numbers(await listed(store.get_messages("a"))) == [1]
                assert (await store.get_stats()).total_messages == 1
                assert not any(save.done() for save in saving)
            await asyncio.gather(*saving)
            assert await store.count_messages() == 7

    asyncio.run(main())


def test_cancelling_under_somebody_elses_lock(tmp_path: Path) -> None:
    """Saves that are cancelled while they wait for another process: each stands or not, as it was told."""

    async def save(store: AsyncLocalMessageStore, n: int) -> Any:
        try:
            return await store.save_message("a", event(n))
        except asyncio.CancelledError as error:
            return outcome(error)

    async def main() -> None:
        async with file_store(tmp_path, threads=2) as store:
            await store.save_message("a", event(0))
            with locked(tmp_path):
                saving = [asyncio.ensure_future(save(store, n)) for n in range(1, 7)]
                await until(lambda: len(our_threads()) >= 2)
                for task in saving:
                    task.cancel()
                await asyncio.sleep(0)
            results = await asyncio.gather(*saving)
            stored = numbers(await listed(store.get_messages("a", 1)))
            assert sorted(stored) == [n for n, r in enumerate(results, 1) if r is not None]
            assert results[-1] is None

    asyncio.run(main())
