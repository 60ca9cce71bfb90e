"""Three servers on loopback that keep each store three times, and what can happen to them."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from .servers import PATIENCE_S, Server, free_ports

NODES = 3


class Cluster:
    """`start` returns when stores can be made; ports and folders stay the same over restarts."""

    def __init__(self, folder: Path) -> None:
        ports = free_ports(2 * NODES)
        self.ports, routes = ports[:NODES], ports[NODES:]
        listed = ", ".join(f'"nats://127.0.0.1:{port}"' for port in routes)
        self.nodes = [
            Server(
                folder / f"node-{number}",
                name=f"node-{number}",
                port=self.ports[number],
                extra=f"cluster {{ name: c, listen: 127.0.0.1:{routes[number]}, routes: [{listed}] }}",
            )
            for number in range(NODES)
        ]

    def url(self, store: str, *, node: int | None = None) -> str:
        """All servers, or one of them alone."""
        ports = self.ports if node is None else [self.ports[node]]
        return f"nats://{','.join(f'127.0.0.1:{port}' for port in ports)}/{store}?replicas=3"

    def start(self) -> Cluster:
        for node in self.nodes:
            if node.process is None:
                node.launch()
        for node in self.nodes:
            node.wait()
        self.wait_for_leader()
        return self

    def wait_for_leader(self) -> None:
        """Returns when the cluster answers for a store, be it that there is none."""
        from msgstore import StoreNotFound, StoreUnavailable
        from msgstore.backends.nats.store import NatsMessageStore

        end_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                NatsMessageStore(self.url("nobody"), create=False, lock_timeout_s=5).close()
            except StoreNotFound:
                return
            except StoreUnavailable:
                assert time.monotonic() < end_s, "the cluster does not come up"

    def leader_of(self, store: str) -> int:
        """The number of the node that leads a store's stream."""
        info = asyncio.run(self._info(store))
        name = info["cluster"].get("leader") or "node-0"
        return int(name.rpartition("-")[2])

    async def _info(self, store: str) -> dict[str, Any]:
        from msgstore.backends.nats.address import NatsAddress
        from msgstore.backends.nats.names import stream_name
        from msgstore.backends.nats.questions import Deadline
        from msgstore.backends.nats.wire import Wire

        wire = Wire(NatsAddress.parse(self.url(store), {}))
        await wire.connect()
        try:
            subject = f"$JS.API.STREAM.INFO.{stream_name(store)}"
            return await wire.ask(subject, None, Deadline(PATIENCE_S))
        finally:
            await wire.close()

    def stop(self) -> None:
        for node in self.nodes:
            node.kill()

    def __enter__(self) -> Cluster:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_: object) -> None:
        self.stop()
