"""Ogg: pages."""

from media.integrity.faults import truncated
from media.integrity.reader import ByteReader
from media.limits import MediaLimits

_LONGEST_PAGE_BYTES = 65307
_HEADER_BYTES = 27


def check_ogg(reader: ByteReader, limits: MediaLimits) -> None:
    """The last page must be whole."""
    tail = reader.read(max(reader.size - _LONGEST_PAGE_BYTES, 0), _LONGEST_PAGE_BYTES)
    start = tail.rfind(b"OggS")
    if start < 0:
        return
    page = tail[start:]
    segments = page[26] if len(page) >= _HEADER_BYTES else 0
    table = page[_HEADER_BYTES : _HEADER_BYTES + segments]
    missing = _HEADER_BYTES + segments + sum(table) - len(page)
    if len(page) < _HEADER_BYTES or len(table) < segments or missing > 0:
        raise truncated(missing if missing > 0 else None)
