"""What a store on threads promises besides: how many threads, what is left of them, and how it reads."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from msgstore import (
    CorruptRecord,
    FileMessageStore,
    InvalidArgument,
    MemoryMessageStore,
    Message,
    MessageFilter,
    OutcomeUnknown,
    PositionalMessage,
    SaveRequest,
    SaveResult,
    StoreClosed,
    StoreNotFound,
)
from msgstore.aio import AsyncLocalMessageStore, ThreadedMessageStore, open_store, outcome
from msgstore.aio.reading import Chunks
from msgstore.disk.lock import FileLock
from msgstore.testing.claims.base import event, events, numbers, positions
from msgstore.testing.claims.cancelling import listed
from msgstore.testing.claims.tasks import first_of

PATIENCE_S = 60


def our_threads() -> list[str]:
    names = [thread.name for thread in threading.enumerate()]
    return sorted(name for name in names if name.startswith("msgstore-"))


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


async def until(condition: Callable[[], bool]) -> None:
    """Returns when it holds; only a failing test waits for long."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.001)


@asynccontextmanager
async def file_store(
    path: Path, **options: Any
) -> AsyncIterator[ThreadedMessageStore[FileMessageStore]]:
    store = FileMessageStore(path / "store", durability="os", lock_timeout_s=PATIENCE_S)
    async with ThreadedMessageStore(store, **options) as threaded:
        yield threaded


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


# ---------------------------------------------------------------- reading


class Counting(MemoryMessageStore):
    """Counts what its reads have given."""

    given = 0

    def get_all_messages(self, *arguments: Any, **named: Any) -> Iterator[PositionalMessage]:
        for stored in super().get_all_messages(*arguments, **named):
            self.given += 1
            yield stored


def test_reads_are_streamed() -> None:
    """A read is ahead of its task by a chunk, whatever there is to read."""

    async def main() -> None:
        counting = Counting()
        async with ThreadedMessageStore(counting) as store:
            await store.save_messages("a", [Message("A")] * 4000)
            count = 0
            async for _ in store.get_all_messages():
                count += 1
                assert count <= counting.given <= count + 1024
            assert count == 4000

    asyncio.run(main())


def test_how_much_is_fetched_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few messages at first, twice as many each time, a thousand at most; and what a while gives."""
    monkeypatch.setattr("msgstore.aio.reading._FETCH_S", PATIENCE_S)
    chunks = Chunks(lambda: iter(range(4000)))
    sizes = [len(chunk) for chunk in iter(chunks.fetch, [])]
    assert sizes == [32, 64, 128, 256, 512, 1024, 1024, 960]
    monkeypatch.setattr("msgstore.aio.reading._FETCH_S", 0)
    chunks = Chunks(lambda: iter(range(3)))
    assert list(iter(chunks.fetch, [])) == [[0], [1], [2]]


class Told(MemoryMessageStore):
    """Notes how its reads end, and is damaged behind three messages."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: list[str] = []
        self.on_threads: set[str] = set()

    def get_all_messages(self, *arguments: Any, **named: Any) -> Iterator[PositionalMessage]:
        on_damage = named.pop("on_damage", None)
        messages = super().get_all_messages(*arguments, **named)
        return self._told(messages, on_damage)

    def _told(self, messages: Iterator[PositionalMessage], on_damage: Any) -> Iterator[Any]:
        try:
            for number, stored in enumerate(messages):
                self.on_threads.add(threading.current_thread().name)
                if number == 3:
                    error = CorruptRecord("index", 96, "checksum", position=stored.position)
                    if on_damage is None:
                        raise error
                    on_damage(error)
                    continue
                yield stored
            self.ended.append("at the end")
        except GeneratorExit:
            self.ended.append("closed")
            raise


def test_what_comes_before_damage_is_good() -> None:
    """An error is raised behind the messages that came before it, as often as it is asked for."""

    async def main() -> None:
        async with ThreadedMessageStore(Told()) as store:
            await store.save_messages("a", events(*range(6)))
            seen = []

            async def read() -> None:
                async for stored in store.get_all_messages():
                    seen.append(stored)

            with pytest.raises(CorruptRecord):
                await read()
            assert numbers(seen) == [0, 1, 2]

    asyncio.run(main())


def test_being_told_of_damage() -> None:
    """`on_damage` is called in the task, where the message would have been; what it raises ends the read."""

    async def main() -> None:
        told = Told()
        async with ThreadedMessageStore(told) as store:
            await store.save_messages("a", events(*range(6)))
            seen: list[Any] = []

            def note(error: CorruptRecord) -> None:
                seen.append((error.position, threading.current_thread() is threading.main_thread()))

            async for stored in store.get_all_messages(on_damage=note):
                seen.append(stored.message.data["n"])
            assert seen == [0, 1, 2, (4, True), 4, 5]
            seen.clear()
            async for stored in store.follow(timeout=0, on_damage=note):
                seen.append(stored.message.data["n"])
            assert seen == [0, 1, 2, (4, True), 4, 5]

            def refuse(error: CorruptRecord) -> None:
                raise error

            with pytest.raises(CorruptRecord):
                await listed(store.get_all_messages(on_damage=refuse))
        assert all(name.startswith("msgstore-look") for name in told.on_threads)

    asyncio.run(main())


class Endless(MemoryMessageStore):
    """Reads of it never end; it keeps them, and notes those that are closed."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = 0
        self.kept: list[Iterator[PositionalMessage]] = []

    def get_all_messages(self, *arguments: Any, **named: Any) -> Iterator[PositionalMessage]:
        self.kept.append(self._endless(*arguments, **named))
        return self.kept[-1]

    def _endless(self, *arguments: Any, **named: Any) -> Iterator[PositionalMessage]:
        try:
            while True:
                yield from super().get_all_messages(*arguments, **named)
        finally:
            self.closed += 1


@pytest.mark.parametrize("way", ["aclose", "break", "cancel"])
def test_a_generator_that_is_not_finished_is_closed(way: str) -> None:
    """However a read is left, the store's own generator is closed."""

    async def read(store: AsyncLocalMessageStore) -> None:
        async for _ in store.get_all_messages():
            if way == "break":
                break

    async def main() -> None:
        endless = Endless()
        async with ThreadedMessageStore(endless) as store:
            await store.save_messages("a", events(1, 2, 3))
            if way == "aclose":
                messages = store.get_all_messages()
                await anext(messages)
                await messages.aclose()
            elif way == "break":
                await read(store)
            else:
                task = asyncio.ensure_future(read(store))
                await asyncio.sleep(0.05)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            await until(lambda: endless.closed == 1)

    asyncio.run(main())


def test_an_iterable_is_gathered_in_the_task() -> None:
    """What makes messages as it is asked for them is asked in the task, not on a thread."""

    async def main() -> None:
        threads = set()

        def made() -> Iterator[Message]:
            for n in range(3):
                threads.add(threading.current_thread())
                yield event(n)

        async with ThreadedMessageStore(MemoryMessageStore()) as store:
            assert (await store.save_messages("a", made())).count == 3
        assert threads == {threading.main_thread()}

    asyncio.run(main())


# ---------------------------------------------------------------- following


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_following_an_emptied_store(tmp_path: Path, kind: str) -> None:
    """After a `reset` a follower goes on with the new first message, and gives none twice."""

    async def main() -> None:
        inner = (
            MemoryMessageStore()
            if kind == "memory"
            else FileMessageStore(tmp_path / "store", durability="os")
        )
        async with ThreadedMessageStore(inner) as store:
            seen: list[int] = []

            async def follow() -> None:
                async for stored in store.follow():
                    seen.append(stored.message.data["n"])

            await store.save_messages("a", events(1, 2, 3))
            following = asyncio.ensure_future(follow())
            for round_ in range(5):
                await until(lambda: len(seen) >= 3 + round_ * 4)  # noqa: B023
                await store.reset()
                await store.save_messages("a", events(*range(4)))
            await until(lambda: len(seen) >= 23)
            following.cancel()
            assert seen == [1, 2, 3, *[0, 1, 2, 3] * 5]

    asyncio.run(main())


def test_following_what_another_process_saves(tmp_path: Path) -> None:
    """What arrives is whatever anybody saves."""

    async def main() -> None:
        async with file_store(tmp_path) as store:
            following = asyncio.ensure_future(first_of(store.follow(), 3))
            await until(lambda: "msgstore-follow" in our_threads())
            with FileMessageStore(tmp_path / "store", durability="os") as other:
                for n in range(3):
                    other.save_message("a", event(n))
            assert numbers(await following) == [0, 1, 2]

    asyncio.run(main())


class Sneaking(MemoryMessageStore):
    """Gets a message as the thread that waits for followers looks for the first time."""

    def get_all_messages(self, *arguments: Any, **named: Any) -> Iterator[PositionalMessage]:
        if threading.current_thread().name == "msgstore-follow" and not super().get_stream_info(
            "a"
        ):
            self.save_message("a", event(1))
        return super().get_all_messages(*arguments, **named)


def test_what_arrives_as_the_watch_begins() -> None:
    """What comes between the look of a follower and that of the thread that waits for it is told."""

    async def main() -> None:
        async with ThreadedMessageStore(Sneaking()) as store, asyncio.timeout(PATIENCE_S):
            assert numbers(await first_of(store.follow(), 1)) == [1]

    asyncio.run(main())


class Growing(MemoryMessageStore):
    """However often it is looked at, there is another message that nobody wants."""

    def get_all_messages(self, *arguments: Any, **named: Any) -> Iterator[PositionalMessage]:
        self.save_message("unwanted", event(0))
        return super().get_all_messages(*arguments, **named)


def test_following_what_never_stops_growing() -> None:
    """A look goes no further than to where the store ended when it began, so the time is up in the end."""

    async def main() -> None:
        async with ThreadedMessageStore(Growing()) as store:
            wanted = MessageFilter(stream_id="wanted")
            assert await listed(store.follow(wanted, timeout=0.05)) == []

    asyncio.run(main())


# ---------------------------------------------------------------- opening


def test_opening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is awaited, or heads a block that closes it; options and the environment are those of
    the synchronous one."""
    monkeypatch.setenv("MSGSTORE_CORRELATION_ID", "c-1")

    async def main() -> None:
        store = await open_store(str(tmp_path / "store"), durability="os", threads=2)
        await store.save_message("a", event(1))
        await store.close()
        async with open_store(str(tmp_path / "store"), create=False) as store:
            [stored] = await listed(store.get_all_messages())
            assert stored.message.correlation_id == "c-1"
        with pytest.raises(StoreClosed):
            await store.get_stats()
        with pytest.raises(StoreNotFound):
            await open_store(str(tmp_path / "nowhere"), create=False)
        with pytest.raises(InvalidArgument):
            await open_store("memory:", threads=0)
        assert our_threads() == []

    asyncio.run(main())


def test_opening_that_is_cancelled(tmp_path: Path) -> None:
    """Whenever it is cancelled, no thread and no file is left."""

    async def main(turns: int) -> None:
        task = asyncio.ensure_future(_opened(tmp_path))
        for _ in range(turns):
            await asyncio.sleep(0.0005)
        task.cancel()
        try:
            await (await task).close()
        except asyncio.CancelledError:
            return

    asyncio.run(main(100))
    before = open_files()
    for turns in range(12):
        asyncio.run(main(turns))
        assert (our_threads(), open_files()) == ([], before)


class Noting(MemoryMessageStore):
    """Notes that it was closed, and can be no asynchronous store."""

    is_closed = False

    def close(self) -> None:
        self.is_closed = True
        super().close()

    def as_async(self) -> Any:
        raise OSError("no loop for it")


def test_opening_that_is_cancelled_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that was opened after all is closed."""
    opened, has_begun, may_go_on = Noting(), threading.Event(), threading.Event()

    def open_slowly(url: str, **options: Any) -> MemoryMessageStore:
        has_begun.set()
        assert may_go_on.wait(PATIENCE_S)
        return opened

    monkeypatch.setattr("msgstore.aio.opening.open_sync", open_slowly)

    async def main() -> None:
        task = asyncio.ensure_future(_opened(Path("anywhere")))
        await until(has_begun.is_set)
        task.cancel()
        await asyncio.sleep(0)
        may_go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert opened.is_closed
    assert our_threads() == []


def test_opening_that_fails_in_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that cannot be made asynchronous is closed, and the error told."""
    opened = Noting()
    monkeypatch.setattr("msgstore.aio.opening.open_sync", lambda url, **options: opened)
    with pytest.raises(OSError, match="no loop for it"):
        asyncio.run(_opened(Path("anywhere")))
    assert opened.is_closed
    assert our_threads() == []


async def _opened(path: Path) -> AsyncLocalMessageStore:
    return await open_store(str(path / "store"), durability="os")


@pytest.mark.parametrize("is_awaited", [True, False])
def test_a_backend_that_is_asynchronous_itself(
    monkeypatch: pytest.MonkeyPatch, is_awaited: bool
) -> None:
    """What a backend offers by `as_async` is used as it is, on no thread of ours."""
    own = ThreadedMessageStore(MemoryMessageStore())

    class Native(MemoryMessageStore):
        def as_async(self) -> Any:
            return self._own() if is_awaited else own

        async def _own(self) -> Any:
            return own

    monkeypatch.setattr("msgstore.aio.opening.open_sync", lambda url, **options: Native())

    async def main() -> None:
        async with open_store("native:") as store:
            assert store is own

    asyncio.run(main())


def test_a_pack_on_threads(tmp_path: Path) -> None:
    """Every backend is served: a pack is read, and refuses to be followed."""
    import msgstore
    from msgstore.exchange import encoders

    with FileMessageStore(tmp_path / "store", durability="os") as source:
        source.save_messages("a", events(1, 2))
        encoder = encoders.Pack(list)
        data = b"".join([*map(encoder.add, source.get_all_messages()), encoder.end()])
    tmp_path.joinpath("a.msgpack").write_bytes(data)

    async def main() -> None:
        async with open_store(str(tmp_path / "a.msgpack")) as store:
            assert numbers(await listed(store.get_all_messages())) == [1, 2]
            with pytest.raises(msgstore.ReadOnlyStore):
                await anext(store.follow())

    asyncio.run(main())


def test_what_a_store_has_besides(tmp_path: Path) -> None:
    """`run` calls anything of the synchronous store on a thread."""

    async def main() -> None:
        async with file_store(tmp_path) as store:
            await store.save_messages("a", events(1, 2))
            assert (await store.run(lambda inner: inner.verify())).messages == 2
            assert await store.run(lambda inner: inner.path) == store.store.path

    asyncio.run(main())
