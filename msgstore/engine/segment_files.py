"""Every file of `streams/`, and whose it is: as its header says, else as its name does."""

from __future__ import annotations

from collections.abc import Iterable

from msgstore.disk.files import Disk
from msgstore.engine.origin import segment_header, segment_headers
from msgstore.engine.remains import SegmentFile
from msgstore.format.names import segment_path, split_segment_path, stream_stem
from msgstore.format.record import SegmentHeader, encode_segment_header


def find_segment_files(
    disk: Disk, store_uuid: bytes, changed: Iterable[str], stream_ids: Iterable[str]
) -> tuple[list[SegmentFile], list[str]]:
    """The files, those first that say best whose they are; and the paths of other stores' files.

    `changed` are files that may stand on the disk in parts only; `stream_ids` all names that are
    known from elsewhere.
    """
    found = dict(segment_headers(disk))
    for path in changed:
        if split_segment_path(path):
            found[path] = segment_header(disk, path)
    foreign = [path for path, h in found.items() if h and h.store_uuid != store_uuid]
    ours = {path: header for path, header in found.items() if path not in foreign}
    ids = {*stream_ids, *(header.stream_id for header in ours.values() if header)}
    stems = {stream_stem(stream_id): stream_id for stream_id in ids}
    files = [_file(path, header, stems) for path, header in ours.items()]
    for file in files:
        file.is_sound = file.is_home and file.path not in changed
    files.sort(key=lambda file: (not file.header_bytes, not file.is_home, file.path))
    return files, sorted(foreign)


def _file(path: str, header: SegmentHeader | None, stems: dict[str, str]) -> SegmentFile:
    if header is None:
        stream_id, number = _named(path, stems)
        return SegmentFile(path, stream_id, number, False, False, 0, 0)
    is_home = segment_path(header.stream_id, header.segment_number) == path
    length = len(encode_segment_header(header))
    number = header.segment_number
    return SegmentFile(path, header.stream_id, number, is_home, is_home, length, length)


def _named(path: str, stems: dict[str, str]) -> tuple[str | None, int]:
    """Stream and number by the name of the file alone: it holds a hash of the id."""
    parts = split_segment_path(path)
    if parts is None:
        return None, 0
    stem, number = parts
    readable = stem.rpartition("/")[2].rpartition("~")[0]
    if stream_stem(readable) == stem:
        return readable, number
    return stems.get(stem), number
