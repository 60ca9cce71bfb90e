"""Calls on threads, for tasks that wait for them: a bounded number, and none left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Thread
from typing import TypeVar

from msgstore.backends.async_protocol import CameTooLate, NotBegun
from msgstore.model.errors import InvalidArgument, StoreClosed

T = TypeVar("T")


class Threads:
    """At most `threads` of them for changes, and as many for looks, so that no read waits for a lock.

    A thread is started when it is needed. For any number of tasks, of several loops too.
    """

    def __init__(self, threads: int, name: str) -> None:
        """`name` is what an error calls the store. Raises InvalidArgument."""
        if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
            raise InvalidArgument("threads", f"{threads!r} is not a number of 1 or more")
        self._name = name
        self._changing = ThreadPoolExecutor(threads, "msgstore-change")
        self._looking = ThreadPoolExecutor(threads, "msgstore-look")

    async def look(self, call: Callable[[], T]) -> T:
        """The result of a call that changes nothing.

        Cancelled, it returns at once; a call that had begun goes on to its end, and nobody hears
        of it.
        """
        return await asyncio.wrap_future(self._submit(self._looking, call))

    async def change(self, call: Callable[[], T], *, may_be_withdrawn: bool = True) -> T:
        """The result of a call that changes something.

        Cancelled before the call began, it is not made, if it may be withdrawn. Once it has begun it
        is carried to its end, however often it is cancelled. The cause of the CancelledError is what
        came of it.
        """
        running = self._submit(self._changing, call)
        done = asyncio.wrap_future(running)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError as cancelled:
            if may_be_withdrawn and running.cancel():
                raise cancelled from NotBegun()
            await _settled(done)
            if (error := done.exception()) is not None:
                raise cancelled from error
            raise cancelled from CameTooLate(done.result())

    async def close(self, last: Callable[[], None]) -> None:
        """Lets all calls end, makes the `last` one, and ends the threads. Always carried to its end."""
        closed: Future[None] = Future()

        def close() -> None:
            try:
                self._changing.shutdown()
                self._looking.shutdown()
                last()
            except BaseException as error:
                closed.set_exception(error)
            else:
                closed.set_result(None)

        thread = Thread(target=close, name="msgstore-close", daemon=True)
        thread.start()
        done = asyncio.wrap_future(closed)
        try:
            await asyncio.shield(done)
        except asyncio.CancelledError:
            await _settled(done)
            raise
        finally:
            thread.join()  # it has nothing left to do

    def _submit(self, pool: ThreadPoolExecutor, call: Callable[[], T]) -> Future[T]:
        try:
            return pool.submit(call)
        except RuntimeError:  # closed meanwhile
            raise StoreClosed(self._name, "the store is closed") from None


async def _settled(done: asyncio.Future[T]) -> None:
    """Returns when it is done, whoever cancels the waiting."""
    while not done.done():
        try:
            await asyncio.wait([done])
        except asyncio.CancelledError:
            continue
