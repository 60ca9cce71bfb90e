"""File systems of the kernel on files, some of them recorded write by write. Takes root on Linux."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .processes import Report, spawn
from .recorder import RecordedFile, mount_fuse


@dataclass(frozen=True, slots=True)
class FileSystem:
    name: str
    size: str
    make: tuple[str, ...]
    options: str
    tears_at: int
    """Bytes: how little of a write a disk may have carried out. Of less than this they cannot be
    mounted any more: ext4 has a superblock of 1 KiB, the others check metadata by the block."""


FILE_SYSTEMS = {
    each.name: each
    for each in (
        FileSystem("ext4", "48M", ("-q", "-F"), "loop,commit=1", 1024),
        FileSystem("xfs", "300M", ("-q", "-f"), "loop,nouuid", 4096),
        FileSystem("btrfs", "128M", ("-q", "-f", "-M"), "loop,commit=1", 4096),
    )
}


@cache
def why_not(name: str) -> str | None:
    """Why this file system cannot be recorded here, or None where it can."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "mounting takes root on Linux"
    if shutil.which(f"mkfs.{name}") is None:
        return f"mkfs.{name} is not installed"
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder, "probe")
        make_image(FILE_SYSTEMS[name], image)
        try:
            with recorded(FILE_SYSTEMS[name], image, Path(folder, "log")):
                return None
        except (OSError, Unmountable) as error:  # in a container, say
            return f"no FUSE, no loop devices or no {name} here: {error}"


class Unmountable(Exception):
    """The file system itself did not survive, which says nothing about a store in it."""


def make_image(system: FileSystem, image: Path) -> None:
    subprocess.run(["truncate", "-s", system.size, image], check=True)
    subprocess.run([f"mkfs.{system.name}", *system.make, image], check=True, capture_output=True)


def copy_image(image: Path, copy: Path) -> None:
    """Copies with all holes, which is most of an image."""
    subprocess.run(["cp", "--sparse=always", image, copy], check=True)


@contextmanager
def mounted(system: FileSystem, image: Path) -> Iterator[Path]:
    """A folder with what the image holds. Raises Unmountable if the kernel will not have it."""
    place = image.with_name(f"{image.name}.mounted")
    place.mkdir(exist_ok=True)
    command = ["mount", "-t", system.name, "-o", system.options, image, place]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise Unmountable(f"{system.name} cannot be mounted: {done.stderr}")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


@contextmanager
def recorded(system: FileSystem, image: Path, log: Path) -> Iterator[Path]:
    """As `mounted`, with every write to the image in the log. The image ends up as unmounted."""
    report = Report(image.with_name(f"{image.name}.report"))
    served = image.with_name(f"{image.name}.served")
    fd = mount_fuse(served)
    server = spawn(report, lambda: RecordedFile(fd, image, log).serve())
    os.close(fd)
    try:
        with mounted(system, served) as place:
            yield place
    finally:
        subprocess.run(["umount", served], check=True)
        server.wait()
    assert not report.about("bug"), report.about("bug")
