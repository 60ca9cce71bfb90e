"""Processes for test_kill.py: `kill_workers.py saver|reader|victims STORE LOG …`."""

from __future__ import annotations

import os
import random
import signal
import sys
import time

from msgstore import FileMessageStore, Message


def batch_of(name: str, number: int, size: int) -> list[Message]:
    """Messages that tell which batch they are of, how large it is, and their place in it."""
    label = f"{name}-{number}"
    return [
        Message("Step", {"batch": label, "size": size, "at": at, "fill": "x" * (number % 400)})
        for at in range(size)
    ]


def save_for_ever(path: str, log: int, name: str) -> None:
    """Saves batches and transactions; a line in the log follows each acknowledgement."""
    chance = random.Random(name)
    store = FileMessageStore(path, durability="os")
    number = 0
    while True:
        size = chance.choice([1, 1, 2, 5, 20])
        batch = batch_of(name, number, size)
        streams = [f"stream-{chance.randrange(12)}" for _ in batch]
        if number % 3:
            store.save_messages(streams[0], batch)
        else:
            with store.transaction() as together:
                for stream, message in zip(streams, batch, strict=True):
                    together.save_message(stream, message)
        os.write(log, f"{name}-{number} {size}\n".encode())
        number += 1


def read_for_ever(path: str, log: int) -> None:
    """Reads the whole store again and again; a line in the log is a violation."""
    store = FileMessageStore(path)
    while True:
        revisions: dict[str, int] = {}
        missing = 0
        position = 0
        for stored in store.get_all_messages():
            position += 1
            expected = revisions.get(stored.stream_id, -1) + 1
            if (stored.position, stored.revision) != (position, expected):
                os.write(log, f"gap at {stored.position}\n".encode())
            revisions[stored.stream_id] = stored.revision
            data = stored.message.data
            missing = data["size"] - 1 - data["at"]
        if missing:
            os.write(log, f"half a batch at {position}\n".encode())


def kill_one_after_the_other(path: str, log: int, rounds: int) -> None:
    """Forks a saver, lets it acknowledge something, and kills it at any instant after that."""
    chance = random.Random(7)
    for number in range(rounds):
        acknowledged, told = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(acknowledged)
            save_and_tell(path, log, f"victim{number}", told)
        os.close(told)
        os.read(acknowledged, 1)
        end = time.monotonic() + chance.random() * 0.02
        while time.monotonic() < end:
            pass
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(acknowledged)


def save_and_tell(path: str, log: int, name: str, told: int) -> None:
    store = FileMessageStore(path, durability="os")
    store.save_messages("stream-0", batch_of(f"{name}first", 0, 2))
    os.write(log, f"{name}first-0 2\n".encode())
    os.write(told, b"!")
    store.close()
    save_for_ever(path, log, name)


def main() -> None:
    role, path, log_path, *rest = sys.argv[1:]
    log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    if role == "saver":
        save_for_ever(path, log, rest[0])
    elif role == "reader":
        read_for_ever(path, log)
    else:
        kill_one_after_the_other(path, log, int(rest[0]))


if __name__ == "__main__":
    main()
