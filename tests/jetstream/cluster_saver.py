"""One client of the cluster, a process: saves under expectation until it is told to end, and notes
what it was told of each save, one line of JSON each.

    python -m jetstream.cluster_saver URL NUMBER LOG
"""

from __future__ import annotations

import json
import random
import signal
import sys
from typing import Any

from msgstore import (
    Message,
    MsgStoreError,
    OutcomeUnknown,
    SaveRequest,
    SaveResult,
    WrongExpectedRevision,
)
from msgstore.backends.nats.store import NatsMessageStore

STREAMS = 6
"""Few, so that the clients are in each other's way."""
TIMEOUT_S = 20


class Saver:
    def __init__(self, url: str, number: int, log: Any) -> None:
        self._store = NatsMessageStore(url, lock_timeout_s=TIMEOUT_S)
        self._number = number
        self._log = log
        self._random = random.Random(number)
        self._count = 0
        self.is_over = False

    def run(self) -> None:
        while not self.is_over:
            try:
                requests = self._requests()
            except MsgStoreError:
                continue  # a read that failed: nothing was asked to be saved
            self._save(requests)
        self._store.close()

    def _requests(self) -> list[SaveRequest]:
        """One save, or a transaction over two streams; each where its stream was just seen to be."""
        streams = self._random.sample(range(STREAMS), self._random.choice((1, 1, 2)))
        return [self._request(f"stream {number}") for number in streams]

    def _request(self, stream_id: str) -> SaveRequest:
        info = self._store.get_stream_info(stream_id)
        messages = [self._message() for _ in range(self._random.choice((1, 1, 3)))]
        return SaveRequest.of(stream_id, messages, -1 if info is None else info.revision)

    def _message(self) -> Message:
        self._count += 1
        return Message("Saved", {"n": self._count}, id=f"{self._number}-{self._count}")

    def _save(self, requests: list[SaveRequest]) -> None:
        ids = [[message.id for message in request.messages] for request in requests]
        try:
            results = self._store._commit(requests, independent=False)
        except WrongExpectedRevision:
            self._note("refused", ids)
        except OutcomeUnknown as error:
            self._note("unknown", ids, reason=error.reason)
        except MsgStoreError as error:
            self._note("failed", ids, reason=error.reason)
        else:
            self._note("saved", ids, places=[_place(result) for result in results])

    def _note(self, outcome: str, ids: list[list[str | None]], **facts: Any) -> None:
        self._log.write(json.dumps({"outcome": outcome, "ids": ids, **facts}) + "\n")
        self._log.flush()


def _place(result: SaveResult) -> list[Any]:
    return [result.stream_id, result.first_revision, result.first_position]


def main(url: str, number: str, path: str) -> None:
    with open(path, "w", encoding="utf-8") as log:
        saver = Saver(url, int(number), log)

        def end(*_: object) -> None:
            saver.is_over = True

        signal.signal(signal.SIGTERM, end)
        print("ready", flush=True)
        saver.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
