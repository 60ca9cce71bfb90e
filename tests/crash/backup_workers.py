"""Processes for test_backup_kill.py: `backup_workers.py saver STORE NAME`, `… backups STORE DEST`."""

from __future__ import annotations

import random
import sys

from msgstore import FileMessageStore, Message, backup_store


def save_for_ever(path: str, name: str) -> None:
    """Commits of several sizes; each message tells how large its commit is, and its place in it."""
    chance = random.Random(name)
    store = FileMessageStore(path, durability="os")
    while True:
        size = chance.choice([1, 1, 2, 5, 20])
        with store.transaction() as together:
            for at in range(size):
                stream = f"stream-{chance.randrange(12)}"
                together.save_message(stream, Message("Step", {"size": size, "at": at}))


def back_up_for_ever(path: str, dest: str) -> None:
    """A line follows each run that returned."""
    while True:
        print(backup_store(path, dest).position, flush=True)


if __name__ == "__main__":
    _, role, store_path, target = sys.argv
    {"saver": save_for_ever, "backups": back_up_for_ever}[role](store_path, target)
