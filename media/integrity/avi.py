"""AVI: RIFF chunks."""

import struct

from media.integrity.faults import StructureCounter, truncated
from media.integrity.reader import ByteReader
from media.limits import MediaLimits

_UNKNOWN_SIZES = (0, 0xFFFFFFFF)
_HEADER_BYTES = 8192


def check_avi(reader: ByteReader, limits: MediaLimits) -> None:
    """Every RIFF part says how long it is; long files have several."""
    _check_header_sizes(reader.read(0, _HEADER_BYTES), limits)
    counter = StructureCounter(reader.is_remote)
    position = 0
    while position + 12 <= reader.size and counter.goes_on():
        kind, size = struct.unpack("<4sI", reader.read(position, 8))
        if kind not in (b"RIFF", b"ON2 ") or size in _UNKNOWN_SIZES:
            return
        position += 8 + size
        if position > reader.size:
            raise truncated(position - reader.size)
        position += size & 1


def _check_header_sizes(head: bytes, limits: MediaLimits) -> None:
    main = head.find(b"avih")
    if 0 <= main <= len(head) - 48:
        limits.check_size(*struct.unpack_from("<II", head, main + 8 + 32))
    stream = head.find(b"vids")
    picture = head.find(b"strf", max(stream, 0))
    if stream >= 0 and 0 <= picture <= len(head) - 20:
        width, height = struct.unpack_from("<ii", head, picture + 8 + 4)
        limits.check_size(abs(width), abs(height))
