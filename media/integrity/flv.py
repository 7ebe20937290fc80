"""Flash video: tags that end with their own length."""

from media.integrity.faults import truncated
from media.integrity.reader import ByteReader
from media.limits import MediaLimits

_TAG_HEADER_BYTES = 11


def check_flv(reader: ByteReader, limits: MediaLimits) -> None:
    """The last four bytes must be the length of the tag before them."""
    length = int.from_bytes(reader.read(reader.size - 4, 4), "big")
    start = reader.size - 4 - length
    if length < _TAG_HEADER_BYTES or start < 0:
        raise truncated()
    if int.from_bytes(reader.read(start + 1, 3), "big") + _TAG_HEADER_BYTES != length:
        raise truncated()
