"""Power losses on real file systems: a few moments; `power_loss_images` takes any number."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .mounts import FILE_SYSTEMS, make_image, recorded, why_not
from .power_loss import power_loss_images
from .recorder import read_log


@pytest.mark.parametrize(("file_system", "rounds"), [("ext4", 16), ("xfs", 6), ("btrfs", 6)])
def test_power_loss(file_system: str, rounds: int) -> None:
    """Nothing that `always` acknowledged is lost, whatever the disk had not written yet."""
    if reason := why_not(file_system):
        pytest.skip(reason)
    counts = power_loss_images(rounds, file_system, seed=3, saves=80)
    assert counts.violations == []
    assert counts.images == rounds
    assert counts.saves >= 80
    assert counts.second > 0
    assert counts.unmountable < rounds // 4


def test_the_recorder_sees_a_sync(tmp_path: Path) -> None:
    """What was synced stands in the log before a flush when the sync returns; what was not, does not."""
    if reason := why_not("ext4"):
        pytest.skip(reason)
    image, log = tmp_path / "image", tmp_path / "log"
    make_image(FILE_SYSTEMS["ext4"], image)
    with recorded(FILE_SYSTEMS["ext4"], image, log) as place:
        fd = os.open(place / "file", os.O_CREAT | os.O_WRONLY)
        os.write(fd, b"synced" * 100)
        os.fsync(fd)
        until_sync = log.stat().st_size
        os.pwrite(fd, b"adrift" * 100, 65536)
        os.close(fd)
        before = [record for record in read_log(log) if record.end <= until_sync]
    assert before[-1].is_flush
    assert any(b"synced" * 100 in record.data for record in before)
    assert not any(b"adrift" in record.data for record in before)
