"""Following: what is there, read by position, then what arrives, as soon as the server tells of it.

A consumer on the server only wakes the follower. What it gives is read from where it stopped, so
that nothing which happens to consumer or connection can make it miss a message or give one twice.
"""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from typing import Any, Protocol

from msgstore.backends.nats.getting import Getter, Replaced
from msgstore.backends.nats.names import encode_token
from msgstore.backends.nats.questions import Deadline, WireError
from msgstore.backends.nats.reading import Decoder, Forwards, head_of, narrow
from msgstore.backends.nats.wire import Wire
from msgstore.model.errors import StoreUnavailable
from msgstore.model.filter import MessageFilter
from msgstore.model.message import PositionalMessage

_GLANCE_S = 2.0
"""It looks so often by itself."""
_SILENCE_S = 8.0
"""A consumer that is silent for longer is gone: it sends a sign of life every two seconds."""
_ABSENCE_S = 0.1
"""So often it looks whether a store has been made."""


class Home(Protocol):
    async def getter(self, create: bool, deadline: Deadline) -> Getter | None: ...

    def forget(self) -> None: ...

    def decoder(self) -> Decoder: ...

    def check_open(self) -> None: ...


class Bell:
    """Rings when something is stored: a consumer of the server's that sends headers only."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._rung = asyncio.Event()
        self._heard_s = 0.0
        self._hung_at = ""
        self._subscription: Any = None

    async def hang(self, getter: Getter, subject: str) -> None:
        """Does nothing if it hangs there and has been heard of lately."""
        is_alive = time.monotonic() - self._heard_s < _SILENCE_S
        if self._hung_at == subject and is_alive:
            return
        await self.take_down()
        inbox, self._subscription = await self._wire.subscribe(self._hear)
        name = os.urandom(8).hex()  # so that a request that is put again makes no second one
        config = {
            "name": name,
            "deliver_subject": inbox,
            "deliver_policy": "new",
            "ack_policy": "none",
            "filter_subject": subject,
            "headers_only": True,
            "idle_heartbeat": int(_GLANCE_S * 1e9),
            "flow_control": False,
            "inactive_threshold": int(30e9),
            "mem_storage": True,
            "num_replicas": 1,
        }
        stream = getter.place.stream
        request = {"stream_name": stream, "config": config}
        await self._wire.ask(f"$JS.API.CONSUMER.CREATE.{stream}.{name}", request, getter.deadline())
        self._hung_at, self._heard_s = subject, time.monotonic()

    async def _hear(self, message: Any) -> None:
        self._heard_s = time.monotonic()
        if not (message.headers or {}).get("Status"):
            self.ring()

    def ring(self) -> None:
        self._rung.set()

    async def wait(self, timeout_s: float) -> None:
        """Returns when it has rung since the last time, or the time is up."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._rung.wait(), max(0, timeout_s))
        self._rung.clear()

    async def take_down(self) -> None:
        """The server forgets the consumer by itself when nobody listens any more."""
        if self._subscription is not None:
            with suppress(Exception):
                await self._subscription.unsubscribe()
        self._subscription, self._hung_at = None, ""


class Following:
    """`next` gives what matches, in order of position, none missed, none twice."""

    def __init__(
        self, home: Home, wire: Wire, wanted: MessageFilter, first: int, timeout_s: float | None
    ) -> None:
        self._home = home
        self._wanted = wanted
        self._next = max(first, wanted.from_position or 1)
        self._timeout_s = timeout_s
        self._arrived_s = time.monotonic()
        self._bell = Bell(wire)
        self._pages: Forwards | None = None
        self._last_of_pass = 0
        self._is_last_pass = False
        self._has_found = False
        self._is_narrowed = wanted.since is None

    async def next(self) -> list[PositionalMessage] | None:
        """Some messages that match; None when the time is up. Raises StoreClosed."""
        if self._has_found:
            self._arrived_s = time.monotonic()
        while True:
            self._home.check_open()
            try:
                found = await self._step()
            except Replaced:
                self._home.forget()
                self._next, self._pages, self._is_narrowed = 1, None, True
                continue
            if found:
                self._has_found = True
                return found
            if self._pages is None and self._is_last_pass and not self._has_found:
                return None

    async def _step(self) -> list[PositionalMessage]:
        """A page of what has to be looked at; where all has been, waits and begins anew."""
        if self._pages is None:
            await self._begin_pass()
        if self._pages is None:
            return []
        raws = await self._pages.next()
        if not raws:
            self._next = max(self._next, self._last_of_pass + 1)
            self._pages = None
            if not self._is_last_pass or self._has_found:
                await self._bell.wait(min(self._left_s, _GLANCE_S))
            return []
        decoded = await self._home.decoder().decode(raws)
        return [message for message in decoded if self._wanted.matches(message)]

    async def _begin_pass(self) -> None:
        # The time is up only when a look begun after it finds nothing: what does not match may
        # keep coming for ever.
        self._is_last_pass = self._left_s <= 0
        self._has_found = False
        getter = await self._home.getter(False, Deadline(30))
        if getter is None:
            if not self._is_last_pass:
                await asyncio.sleep(min(self._left_s, _ABSENCE_S))
            return
        subject = getter.place.everything
        if self._wanted.stream_id is not None:
            subject = getter.place.subjects + encode_token(self._wanted.stream_id)
        if self._timeout_s != 0:
            with suppress(WireError):  # then it glances
                await self._bell.hang(getter, subject)
        snapshot = await getter.snapshot()
        if not self._is_narrowed:
            self._next = max(self._next, (await narrow(getter, self._wanted, snapshot)).first)
            self._is_narrowed = True
        self._last_of_pass = newest = snapshot.last
        if self._wanted.stream_id is not None:
            head = await head_of(getter, self._wanted.stream_id, snapshot)
            newest = 0 if head is None else head.sequence
        one = subject if self._wanted.stream_id is not None else None
        self._pages = Forwards(getter, one, self._next, snapshot.last, newest)

    @property
    def _left_s(self) -> float:
        if self._timeout_s is None:
            return float("inf")
        return self._arrived_s + self._timeout_s - time.monotonic()

    def wake(self) -> None:
        """Its store was closed."""
        self._bell.ring()

    async def close(self) -> None:
        with suppress(StoreUnavailable):
            await self._bell.take_down()
