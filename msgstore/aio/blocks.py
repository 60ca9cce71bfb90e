"""`async with` blocks over those of a synchronous store."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from msgstore.backends.async_protocol import CameTooLate
from msgstore.backends.protocol import Transaction
from msgstore.model.expectation import ExpectedRevision
from msgstore.model.message import Message, MessageType
from msgstore.model.saved import SaveResult

T = TypeVar("T")


class Change(Protocol):
    """Makes a call that changes something; see `Threads.change`."""

    def __call__(
        self, call: Callable[[], T], /, *, may_be_withdrawn: bool = True
    ) -> Coroutine[Any, Any, T]: ...


class ThreadedTransaction:
    """An AsyncTransaction: it gathers in the task, and commits on a thread."""

    def __init__(self, change: Change, transaction: Transaction) -> None:
        self._change = change
        self._transaction = transaction

    @property
    def results(self) -> list[SaveResult]:
        return self._transaction.results

    def save_message(
        self,
        stream_id: str,
        message: Message,
        expected_revision: ExpectedRevision = None,
        message_type: MessageType | str | None = None,
    ) -> None:
        self._transaction.save_message(stream_id, message, expected_revision, message_type)

    def save_messages(
        self,
        stream_id: str,
        messages: Iterable[Message],
        expected_revision: ExpectedRevision = None,
        message_type: MessageType | str | None = None,
    ) -> None:
        self._transaction.save_messages(stream_id, messages, expected_revision, message_type)

    async def __aenter__(self) -> Self:
        self._transaction.__enter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:  # to discard takes no thread, and no waiting for one
            self._transaction.__exit__(kind, error, trace)
            return
        await self._change(self._commit)

    def _commit(self) -> list[SaveResult]:
        self._transaction.__exit__(None, None, None)
        return self._transaction.results


class ThreadedSession(AbstractAsyncContextManager[str]):
    """The block of `session()`."""

    def __init__(self, change: Change, block: AbstractContextManager[str]) -> None:
        self._change = change
        self._block = block

    async def __aenter__(self) -> str:
        try:
            return await self._change(self._block.__enter__)
        except CancelledError as error:
            if isinstance(error.__cause__, CameTooLate):  # it was started, and nobody would end it
                await self._leave(error)
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._leave(error)

    async def _leave(self, error: BaseException | None) -> None:
        """Ends the session, whoever cancels that: nobody else would."""
        kind, trace = (None, None) if error is None else (type(error), error.__traceback__)
        await self._change(lambda: self._block.__exit__(kind, error, trace), may_be_withdrawn=False)
