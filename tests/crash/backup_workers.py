"""Processes for test_backup_kill.py: `backup_workers.py backups STORE DEST`."""

from __future__ import annotations

import sys

from msgstore import backup_store


def main() -> None:
    """Backs up for ever; a line follows each run that returned."""
    _, store, dest = sys.argv
    while True:
        done = backup_store(store, dest)
        print(done.position, flush=True)


if __name__ == "__main__":
    main()
