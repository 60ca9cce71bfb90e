"""kill -9 at any instant, 200 times over, while other processes save and read."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from msgstore import FileMessageStore, Message

ROUNDS = 200
WORKERS = Path(__file__).with_name("kill_workers.py")


def start(*args: str | Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(WORKERS), *map(str, args)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def stop(process: subprocess.Popen[bytes]) -> None:
    assert process.poll() is None, "a worker ended by itself"
    process.send_signal(signal.SIGKILL)
    process.communicate()


def acknowledged_in(logs: list[Path]) -> dict[str, int]:
    """Size by batch, of every whole line: a killed saver may leave a cut one, which says nothing."""
    found = {}
    for log in logs:
        for line in log.read_text().splitlines():
            label, _, size = line.partition(" ")
            if size:
                found[label] = int(size)
    return found


def test_killed_writers(tmp_path: Path) -> None:
    """Nothing acknowledged is lost, no batch torn, no gap left; the next writer needs no help."""
    store_path, saved, killed = tmp_path / "store", tmp_path / "saved", tmp_path / "killed"
    violations = tmp_path / "violations"
    with FileMessageStore(store_path) as store:
        store.save_message("stream-0", Message("Step", {"batch": "first", "size": 1, "at": 0}))
    others = [
        start("saver", store_path, saved, "saver"),
        start("reader", store_path, violations),
        start("reader", store_path, violations),
    ]
    killer = start("victims", store_path, killed, str(ROUNDS))
    assert killer.wait() == 0
    for other in others:
        stop(other)

    assert violations.read_text() == ""
    with FileMessageStore(store_path, create=False) as store:
        after = store.save_message("stream-0", Message("Step", {"batch": "z", "size": 1, "at": 0}))
        batches: dict[str, list[int]] = defaultdict(list)
        sizes: dict[str, int] = {"first": 1, "z": 1}
        revisions: dict[str, int] = {}
        position = 0
        for stored in store.get_all_messages():
            position += 1
            assert stored.position == position
            assert stored.revision == revisions.get(stored.stream_id, -1) + 1
            revisions[stored.stream_id] = stored.revision
            batches[stored.message.data["batch"]].append(stored.position)
            sizes[stored.message.data["batch"]] = stored.message.data["size"]
        assert after.first_position == position
        for label, positions in batches.items():
            assert positions == list(range(positions[0], positions[0] + sizes[label])), label
        for label, size in acknowledged_in([saved, killed]).items():
            assert len(batches[label]) == size, label
        assert sum(label.endswith("first-0") for label in batches) == ROUNDS
        assert store.verify().findings == ()
