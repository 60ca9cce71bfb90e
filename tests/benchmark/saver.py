"""A process that saves: `python -m benchmark.saver KIND PATH COUNT NUMBER`.

KIND is `msgstore` or `sqlite`. Says `ready`, waits for a line, saves COUNT messages durably, each
on its own, and tells when it began and ended and what was refused. With NUMBER it saves other
messages than those beside it. A KIND that
ends in `-killed` is killed before it can close what it saved to.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmark import sqlite_peer
from benchmark.messages import messages
from benchmark.stores import to_message
from msgstore import FileMessageStore

STREAMS = 100


def main(kind: str, path: Path, count: int, number: int) -> None:
    save = saver(kind, path)
    lines = list(messages(count, STREAMS, number * count))
    print("ready", flush=True)
    sys.stdin.readline()
    refused = []
    start = time.monotonic()
    for line in lines:
        try:
            save(line)
        except Exception as error:  # whatever it is, it is a save that was refused
            refused.append(repr(error)[:200])
    told = {"start": start, "end": time.monotonic(), "refused": refused}
    print(json.dumps(told), flush=True)
    if kind.endswith("-killed"):
        os.kill(os.getpid(), signal.SIGKILL)


def saver(kind: str, path: Path) -> Callable[[dict[str, Any]], object]:
    if kind.startswith("msgstore"):
        store = FileMessageStore(path, durability="always")
        return lambda line: store.save_message(line["streamId"], to_message(line))
    database = sqlite_peer.connect(path)
    return lambda line: sqlite_peer.save_one(database, line)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
