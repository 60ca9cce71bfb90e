"""One connection to NATS: requests and their answers. The only module that knows the client.

The client keeps the connection, and makes a new one when it is lost; here is what it does not do: a
request whose connection is lost ends at once, and requests that have many answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import nats.errors
import orjson
from nats.aio.client import Client

from msgstore.backends.nats.address import NatsAddress
from msgstore.backends.nats.questions import (
    Deadline,
    Forbidden,
    NotSent,
    Question,
    Reply,
    Unanswered,
    WireError,
)
from msgstore.model.errors import StoreClosed, StoreUnavailable, UnsupportedFormat

SERVER_MIN = (2, 12, 1)
"""The first with atomic batches that take message ids."""
CONNECT_TIMEOUT_S = 3
ECHO_S = 2
CLOSE_S = 0.5
AGAIN_S = 0.5
"""A question without an answer is put again so often: it may have gone to a node that stands still, or
to none, because a leader was being looked for."""


class Wire:
    """Connects to any server of an address, and again when the connection is lost."""

    def __init__(self, address: NatsAddress) -> None:
        self.address = address
        self._client = Client()
        self._questions: dict[str, Question] = {}
        self._inbox = ""
        self._count = 0
        self._is_up = asyncio.Event()
        self._connecting = asyncio.Lock()
        self._complaint = ""
        self._is_closed = False
        self._doubting: asyncio.Task[None] | None = None

    @property
    def max_payload(self) -> int:
        """The most bytes that the server takes in one message, headers and all."""
        return self._client.max_payload

    @property
    def is_up(self) -> bool:
        return self._client.is_connected

    # ------------------------------------------------------------ the connection

    async def connect(self) -> None:
        """Tries every server. Raises StoreUnavailable, UnsupportedFormat."""
        servers, reason = list(self.address.servers), ""
        for first in range(len(servers)):  # the client itself gives up at one that says nothing
            client, self._complaint = Client(), ""
            order = servers[first:] + servers[:first]
            try:
                await _connected(client, client.connect(order, **self._options(client)))
                self._insist_on_tls(client)
            except (OSError, ValueError, TimeoutError, nats.errors.Error) as error:
                await _end(client)
                is_vague = isinstance(error, nats.errors.NoServersError)
                reason = reason or (self._complaint if is_vague else _sentence(error))
                continue
            await self._begin(client)
            return
        raise ServerUnavailable(self.address.shown, _reason(reason))

    async def _begin(self, client: Client) -> None:
        # Only from now on: a first connection that fails has to say so instead of trying on.
        client.options |= {"allow_reconnect": True, "max_reconnect_attempts": -1}
        self._client = client
        version = client.connected_server_version
        if (version.major, version.minor, version.patch) < SERVER_MIN:
            found = f"{version.major}.{version.minor}.{version.patch}"
            await client.close()
            raise ServerTooOld(self.address.shown, found)
        self._inbox = client.new_inbox()
        await client.subscribe(f"{self._inbox}.*", cb=self._take, pending_bytes_limit=1 << 30)
        self._is_up.set()

    def _secret(self, client: Client, value: str) -> str:
        """Asked for by the client when it is about to be sent."""
        self._insist_on_tls(client)
        return value

    def _insist_on_tls(self, client: Client) -> None:
        """The client goes on in plain text where a server, or who pretends to be it, offers no TLS."""
        info: dict[str, Any] = client._server_info or {}
        if self.address.is_encrypted and not info.get("tls_required"):
            raise nats.errors.Error("the server offers no TLS")

    def _options(self, client: Client) -> dict[str, Any]:
        address = self.address
        options: dict[str, Any] = {
            "name": "msgstore",
            "dont_randomize": True,
            "allow_reconnect": False,
            "connect_timeout": CONNECT_TIMEOUT_S,
            "reconnect_time_wait": 0.1,
            "max_reconnect_attempts": 1,
            "ping_interval": 10,
            # Nothing is kept for later while there is no connection: it would be sent when its
            # caller has long been told that it was not.
            "pending_size": 0,
            "error_cb": self._on_error,
            "disconnected_cb": self._on_down,
            "reconnected_cb": self._on_up,
            "closed_cb": self._on_down,
        }
        for name in ("user", "password", "token"):
            if (value := getattr(address, name)) is not None:
                options[name] = partial(self._secret, client, value)
        if address.creds:
            options["user_credentials"] = address.creds
        if address.is_encrypted:
            options |= _encryption(address)
        return options

    async def _on_error(self, error: Exception) -> None:
        self._complaint = _sentence(error)
        for question in self._questions.values():
            if f'"{question.subject}"'.lower() in str(error).lower():  # "permissions violation …"
                question.fail(Forbidden(self._complaint))

    async def _on_down(self) -> None:
        self._is_up.clear()
        for question in self._questions.values():
            question.fail(WireError("the connection was lost"))

    async def _on_up(self) -> None:
        try:
            self._insist_on_tls(self._client)
        except nats.errors.Error as error:
            self._complaint = _sentence(error)
            await self._client.close()
        else:
            self._is_up.set()

    async def ready(self, deadline: Deadline) -> None:
        """Waits for a connection. Raises StoreUnavailable when there is none in time."""
        if self._client.is_connected and self._is_up.is_set():
            return
        async with self._connecting:
            while not (self._client.is_connected and self._is_up.is_set()):
                if self._is_closed:
                    raise StoreClosed(self.address.shown, "the store is closed")
                if self._client.is_closed:
                    with suppress(StoreUnavailable):
                        await self.connect()
                        continue
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._is_up.wait(), max(0, min(0.2, deadline.left_s)))
                if deadline.is_over:
                    reason = _reason(self._complaint or "the connection was lost")
                    raise ServerUnavailable(self.address.shown, reason)

    async def close(self) -> None:
        self._is_closed = True
        if self._doubting is not None:
            self._doubting.cancel()
        if not self._client.is_closed:
            await _end(self._client)

    # ------------------------------------------------------------ asking

    async def _take(self, message: Any) -> None:
        _, _, key = message.subject.rpartition(".")
        if question := self._questions.get(key):
            question.take(Reply(message.subject, message.headers or {}, message.data))

    async def request(
        self, subject: str, body: bytes, headers: dict[str, str] | None, timeout_s: float
    ) -> Reply:
        """The answer. Raises NotSent where nobody is there to ask, WireError where none comes."""
        with self._asked(subject) as (question, inbox):
            await self.send(subject, body, headers, inbox)
            await self._wait(question, timeout_s)
        return _answers(question)[0]

    async def request_many(self, subject: str, body: bytes, timeout_s: float) -> list[Reply]:
        """All answers, up to the one with a status, which ends them. Raises as `request` does.

        Each may take `timeout_s`.
        """
        with self._asked(subject, has_many=True) as (question, inbox):
            await self.send(subject, body, None, inbox)
            await self._wait(question, timeout_s)
        return _answers(question)

    async def inquire(self, subject: str, body: bytes, deadline: Deadline) -> Reply:
        """The answer to what may be asked twice, and is while none comes; late ones count too.

        Raises as `request` does.
        """
        with self._asked(subject) as (question, inbox):
            while True:
                await self.send(subject, body, None, inbox)
                try:
                    await self._wait(question, max(0.001, min(AGAIN_S, deadline.left_s)))
                    break
                except Unanswered:
                    if deadline.is_over:
                        raise
        return _answers(question)[0]

    @contextmanager
    def _asked(self, subject: str, *, has_many: bool = False) -> Iterator[tuple[Question, str]]:
        """A question, and the subject to which its answers go."""
        self._count += 1
        key = f"{self._count:x}"
        question = self._questions[key] = Question(subject, has_many)
        try:
            yield question, f"{self._inbox}.{key}"
        finally:
            del self._questions[key]

    async def _wait(self, question: Question, silence_s: float) -> None:
        if not await question.wait(silence_s):
            self._doubt()
            raise Unanswered(f"no answer within {silence_s:.1f} s")

    def _doubt(self) -> None:
        """After an answer that did not come: a server that does not even echo is left for another."""
        if self._doubting is None or self._doubting.done():
            self._doubting = asyncio.create_task(self._leave_if_silent())

    async def _leave_if_silent(self) -> None:
        client = self._client
        if not client.is_connected:
            return
        try:
            await client.flush(ECHO_S)
        except Exception:  # whatever it is: the connection is of no use
            with suppress(Exception):
                await client.force_reconnect()

    async def send(
        self, subject: str, body: bytes, headers: dict[str, str] | None = None, reply: str = ""
    ) -> None:
        """Hands a message on. Raises NotSent."""
        if not self._is_up.is_set():
            raise NotSent("there is no connection")
        try:
            await self._client.publish(subject, body, reply, headers)
        except nats.errors.Error as error:
            raise NotSent(_sentence(error)) from None

    async def ask(
        self, subject: str, request: dict[str, Any] | None, deadline: Deadline
    ) -> dict[str, Any]:
        """The answer of JetStream's API to what may be asked twice. Raises StoreUnavailable."""
        body = b"" if request is None else orjson.dumps(request)
        while True:
            await self.ready(deadline)
            try:
                reply = await self.inquire(subject, body, deadline)
                answer: dict[str, Any] = orjson.loads(reply.body)
                if not _is_passing(answer):
                    return answer
                reason = str(answer["error"].get("description"))
            except WireError as error:
                reason = f"JetStream does not answer: {error}"
                if isinstance(error, Forbidden) or (isinstance(error, NotSent) and self._is_off()):
                    raise ServerUnavailable(self.address.shown, reason) from None
            if not await deadline.pause():
                raise ServerUnavailable(self.address.shown, reason)

    def _is_off(self) -> bool:
        info: dict[str, Any] = self._client._server_info or {}
        return self.is_up and not info.get("jetstream")

    async def subscribe(self, callback: Callable[[Any], Awaitable[None]]) -> tuple[str, Any]:
        """A subject of one's own, and what to end the subscription with. Raises NotSent."""
        inbox = self._client.new_inbox()
        try:
            return inbox, await self._client.subscribe(inbox, cb=callback)
        except nats.errors.Error as error:
            raise NotSent(_sentence(error)) from None


class ServerUnavailable(StoreUnavailable):
    """No server answers as it should."""

    advice = "check the address, the user, and that the server runs with JetStream"


class ServerTooOld(UnsupportedFormat):
    """The server cannot do what a store needs."""

    advice = "upgrade the server; all of a cluster's servers count"

    def __init__(self, path: str, found: str) -> None:
        needed = ".".join(map(str, SERVER_MIN))
        super().__init__(path, f"the server is NATS {found}; a store needs {needed} or newer")
        self.found = found
        self.needed = needed


async def _connected(client: Client, connecting: Coroutine[Any, Any, None]) -> None:
    """Cancelled, it leaves no connection: one that is just being made would be lost, and not closed."""
    task = asyncio.ensure_future(connecting)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.shield(asyncio.ensure_future(_abandon(client, task)))
        raise


async def _abandon(client: Client, connecting: asyncio.Task[None]) -> None:
    await asyncio.wait([connecting], timeout=CLOSE_S)
    connecting.cancel()
    await asyncio.wait([connecting])
    await _end(client)


async def _end(client: Client) -> None:
    """Closes it; a connection whose TLS has failed would never be said to be closed."""
    with suppress(Exception):
        await asyncio.wait_for(client.close(), CLOSE_S)


def _answers(question: Question) -> list[Reply]:
    if question.answers[0].status == "503":
        raise NotSent("nobody answers")
    return question.answers


def _is_passing(answer: dict[str, Any]) -> bool:
    """Whether it is an error of a cluster that looks for a leader, or has just begun."""
    error = answer.get("error") or {}
    return error.get("err_code") in (10004, 10005, 10007, 10008, 10009)


def _encryption(address: NatsAddress) -> dict[str, Any]:
    import ssl

    try:
        context = ssl.create_default_context(cafile=address.ca)
    except OSError as error:
        raise StoreUnavailable(address.shown, f"ca={address.ca}: {error}") from None
    options: dict[str, Any] = {"tls": context}
    if address.tls_name:
        options["tls_hostname"] = address.tls_name
    return options


def _sentence(error: BaseException) -> str:
    text = str(error).removeprefix("nats: ").strip("'\" ")
    return text or type(error).__name__


def _reason(complaint: str) -> str:
    text = complaint.lower()
    if "authorization" in text or "authentication" in text:
        return "the server does not take this user, password, token or credentials file"
    return f"no server of NATS answers: {complaint}" if complaint else "no server of NATS answers"
