"""ASF (WMV): the header holds the file's length."""

import struct

from media.integrity.faults import truncated
from media.integrity.reader import ByteReader
from media.limits import MediaLimits

_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_HEADER_BYTES = 64 * 1024
_BROADCAST_FLAG = 1


def check_asf(reader: ByteReader, limits: MediaLimits) -> None:
    """Compare the length that the header claims; a live recording claims none."""
    head = reader.read(0, _HEADER_BYTES)
    found = head.find(_FILE_PROPERTIES)
    if found < 0 or len(head) < found + 104:
        if len(head) < _HEADER_BYTES:
            raise truncated()
        return
    (size,) = struct.unpack_from("<Q", head, found + 40)
    (flags,) = struct.unpack_from("<I", head, found + 88)
    if not flags & _BROADCAST_FLAG and size > reader.size:
        raise truncated(size - reader.size)
