"""MP4 and QuickTime (ISO/IEC 14496-12): boxes in boxes."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from media.errors import TruncatedError, UndecodableError
from media.integrity.faults import StructureCounter, absurd, truncated
from media.integrity.reader import ByteReader
from media.limits import MediaLimits

# Boxes that a player cannot do without; junk after the last of them is nothing to refuse a file for.
_ESSENTIAL = (b"moov", b"mdat", b"moof", b"cmov")
_PROTECTED = (b"encv", b"drmi", b"p608")


@dataclass(frozen=True)
class _Box:
    kind: bytes
    start: int
    """Where its content begins."""
    end: int


def check_mp4(reader: ByteReader, limits: MediaLimits) -> None:
    """Walk the top-level boxes, then what each track claims."""
    counter = StructureCounter(reader.is_remote)
    kinds = set()
    for box in _boxes(reader, 0, reader.size, counter):
        if box.end > reader.size:
            if box.kind in _ESSENTIAL:
                raise truncated(box.end - reader.size)
            break
        kinds.add(box.kind)
        if box.kind == b"moov":
            for track in _inside(reader, box, counter, b"trak"):
                _check_track(reader, track, counter, limits)
    if b"moov" not in kinds:
        raise TruncatedError(
            "The file is incomplete: its index, which recorders write last, is missing. The recording, copy "
            "or download was cut off; get the whole file and upload it again."
        )


def _boxes(reader: ByteReader, start: int, end: int, counter: StructureCounter) -> Iterator[_Box]:
    while start + 8 <= end and counter.goes_on():
        header = reader.read(start, 16)
        if len(header) < 8:
            return
        size, kind = struct.unpack_from(">I4s", header)
        header_bytes = 8
        if size == 1 and len(header) == 16:
            size, header_bytes = struct.unpack_from(">Q", header, 8)[0], 16
        elif size == 0:
            size = end - start
        if size < header_bytes or not all(32 <= byte < 127 or byte == 0xA9 for byte in kind):
            return
        yield _Box(kind, start + header_bytes, start + size)
        start += size


def _inside(reader: ByteReader, box: _Box, counter: StructureCounter, *path: bytes) -> list[_Box]:
    found = [box]
    for kind in path:
        found = [
            inner
            for outer in found
            for inner in _boxes(reader, outer.start, outer.end, counter)
            if inner.kind == kind
        ]
    return found


def _check_track(reader: ByteReader, track: _Box, counter: StructureCounter, limits: MediaLimits) -> None:
    handlers = _inside(reader, track, counter, b"mdia", b"hdlr")
    tables = _inside(reader, track, counter, b"mdia", b"minf", b"stbl")
    is_video = any(reader.read(handler.start + 8, 4) == b"vide" for handler in handlers)
    for table in tables:
        for box in _boxes(reader, table.start, table.end, counter):
            if box.kind == b"stsd" and is_video:
                _check_description(reader, box, limits)
            elif box.kind in (b"stsz", b"stz2"):
                _check_sample_count(reader, box, limits, may_be_plain_sound=not is_video)


def _check_description(reader: ByteReader, box: _Box, limits: MediaLimits) -> None:
    entry = reader.read(box.start + 8, 8 + 28)
    if len(entry) < 36:
        return
    if entry[4:8] in _PROTECTED:
        raise UndecodableError(
            "The video is copy-protected (DRM) and cannot be decoded. Upload a version without protection."
        )
    limits.check_size(*struct.unpack_from(">HH", entry, 32))


def _check_sample_count(
    reader: ByteReader, box: _Box, limits: MediaLimits, *, may_be_plain_sound: bool
) -> None:
    """FFmpeg makes an index entry of 24 bytes for every sample a table claims, before it reads any."""
    size, count = struct.unpack(">II", reader.read(box.start + 4, 8).ljust(8, b"\0"))
    if box.kind == b"stz2":
        if count * (size & 255) // 8 > box.end - box.start:
            raise absurd()
    elif size == 0:
        if count * 4 > box.end - box.start:
            raise absurd()
    elif size * count > reader.size and not may_be_plain_sound:
        raise truncated()
    if not may_be_plain_sound:
        limits.check_frame_count(count)
