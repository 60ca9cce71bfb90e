"""A process that follows the whole store and notes each position, until it is told to end.

python -m jetstream.cluster_follower URL LOG
"""

from __future__ import annotations

import signal
import sys

from msgstore import StoreUnavailable
from msgstore.backends.nats.store import NatsMessageStore

IDLE_S = 5.0
"""After so long without a message it opens the store anew; while messages come it never does."""


def main(url: str, path: str) -> None:
    over: list[bool] = []
    signal.signal(signal.SIGTERM, lambda *_: over.append(True))
    with open(path, "w", encoding="utf-8") as log:
        print("ready", flush=True)
        position = 0
        while True:
            is_last = bool(over)  # a whole look after everybody had stopped
            try:
                with NatsMessageStore(url, lock_timeout_s=30) as store:
                    idle_s = 0 if is_last else IDLE_S
                    for stored in store.follow(from_position=position + 1, timeout=idle_s):
                        position = stored.position
                        log.write(f"{position} {stored.message.id}\n")
            except StoreUnavailable:
                continue
            log.flush()
            if is_last:
                return


if __name__ == "__main__":
    main(*sys.argv[1:])
