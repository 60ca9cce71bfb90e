"""An ordeal: clients save to a cluster to which things happen; then all of it is judged."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgstore import PositionalMessage
from msgstore.backends.nats.store import NatsMessageStore

from .cluster import NODES, Cluster
from .judging import Verdict, judge, read_log

CLIENTS = 4
STORE = "ordeal"
PATIENCE_S = 120


class Ordeal:
    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster = cluster
        self._folder = folder
        self._logs = [folder / f"client-{number}.jsonl" for number in range(CLIENTS)]
        self._seen = folder / "followed.txt"
        self._children: list[subprocess.Popen[str]] = []

    # ------------------------------------------------------------ what happens

    def kill_leader(self) -> None:
        """The node that leads the store's stream ends at once, in the middle of saves, and comes back."""
        node = self.cluster.nodes[self.cluster.leader_of(STORE)]
        node.kill()
        self.wait_for_saves(10)
        node.start()

    def cut_off_follower(self) -> None:
        """A node that does not lead stands still while the others go on."""
        number = (self.cluster.leader_of(STORE) + 1) % NODES
        self.cluster.nodes[number].pause()
        try:
            self.wait_for_saves(10)
        finally:
            self.cluster.nodes[number].go_on()

    def stop_leader(self) -> None:
        """The leader stands still, and finds another in its place when it goes on."""
        node = self.cluster.nodes[self.cluster.leader_of(STORE)]
        node.pause()
        try:
            self.wait_for_saves(10)
        finally:
            node.go_on()

    def restart_all(self) -> None:
        """All nodes end at once, and come back."""
        self.cluster.stop()
        self.cluster.start()

    @property
    def short(self) -> list[Callable[[], None]]:
        """What the tests have time for."""
        return [self.kill_leader, self.cut_off_follower, self.restart_all]

    @property
    def faults(self) -> list[Callable[[], None]]:
        return [self.kill_leader, self.cut_off_follower, self.restart_all, self.stop_leader]

    # ------------------------------------------------------------ the clients

    @contextmanager
    def clients(self) -> Iterator[None]:
        url = self.cluster.url(STORE)
        NatsMessageStore(url).create_session("ordeal")  # makes the store
        try:
            self._start("jetstream.cluster_follower", url, str(self._seen))
            for number, log in enumerate(self._logs):
                self._start("jetstream.cluster_saver", url, str(number), str(log))
            for child in self._children:
                assert child.stdout is not None, "it is a pipe"
                assert child.stdout.readline() == "ready\n", "a client does not come up"
            yield
            follower, *savers = self._children
            for group in (savers, [follower]):
                self._end(group)
        finally:
            for child in self._children:
                child.kill()
                child.wait()

    def _start(self, module: str, *arguments: str) -> None:
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
        self._children.append(
            subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
            )
        )

    def _end(self, children: list[subprocess.Popen[str]]) -> None:
        for child in children:
            child.terminate()
        for child in children:
            assert child.wait(PATIENCE_S) == 0, "a client has failed"

    @property
    def saves(self) -> int:
        """How many saves were acknowledged so far."""
        return sum(
            note["outcome"] == "saved"
            for log in self._logs
            if log.exists()
            for note in read_log(log)
        )

    def wait_for_saves(self, count: int) -> None:
        """Returns when so many more saves were acknowledged, or it is clear that none will be."""
        wanted, end_s = self.saves + count, time.monotonic() + PATIENCE_S
        pause = threading.Event()
        while self.saves < wanted and time.monotonic() < end_s:
            assert all(child.poll() is None for child in self._children), "a client has failed"
            pause.wait(0.05)

    # ------------------------------------------------------------ the judgement

    def judge(self) -> Verdict:
        notes = [note for log in self._logs for note in read_log(log)]
        verdict = judge(notes, [self._read(node) for node in range(NODES)])
        followed = [line.split()[0] for line in self._seen.read_text().splitlines()]
        if followed != [str(n) for n in range(1, verdict.figures["stored"] + 1)]:
            verdict.find("follower", "it has missed a message, or was given one twice")
        verdict.figures["followed"] = len(followed)
        with NatsMessageStore(self.cluster.url(STORE)) as store:
            for finding in store.verify().findings:
                verdict.find("damage", f"{finding.path} {finding.offset}: {finding.reason}")
        return verdict

    def _read(self, node: int) -> list[PositionalMessage]:
        with NatsMessageStore(self.cluster.url(STORE, node=node)) as store:
            return list(store.get_all_messages())
