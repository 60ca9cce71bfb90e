"""An event loop on a thread of its own, for callers who have none."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


class LoopThread:
    """Runs coroutines for any number of threads; `stop` ends it, and what still runs on it."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            left = asyncio.all_tasks(self._loop)
            for task in left:
                task.cancel()
            if left:
                self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            self._loop.close()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Begins it. Raises RuntimeError where the loop is closed."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """What it returns or raises. An interrupt of the caller cancels it.

        Raises CancelledError where the loop is stopped before it is done, or is the caller's own:
        an object that is collected there has nobody to wait for.
        """
        if self._is_own_thread:
            coroutine.close()
            raise CancelledError
        try:
            future = self.submit(coroutine)
        except RuntimeError:  # the loop was closed
            coroutine.close()
            raise CancelledError from None
        try:
            return future.result()
        except BaseException:  # an interrupt too: nobody waits for it any more
            future.cancel()
            raise

    def finish(self, last: Coroutine[Any, Any, None]) -> None:
        """Ends it after `last`, whatever that raises; waits for it where it can."""
        if self._is_own_thread:
            task = self._loop.create_task(last)
            task.add_done_callback(lambda _: self._loop.stop())
            return
        with suppress(Exception, CancelledError):
            self.run(last)
        self.stop()

    @property
    def _is_own_thread(self) -> bool:
        return threading.get_ident() == self._thread.ident

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
