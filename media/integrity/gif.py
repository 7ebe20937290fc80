"""GIF: blocks up to a trailer."""

import struct

from media.integrity.faults import StructureCounter, truncated
from media.integrity.reader import ByteReader
from media.limits import MediaLimits

_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B


def check_gif(reader: ByteReader, limits: MediaLimits) -> None:
    """Follow the blocks; a file that ends between two of them is whole, for want of a trailer at worst."""
    header = reader.read(0, 13)
    if len(header) < 13:
        raise truncated()
    limits.check_size(*struct.unpack_from("<HH", header, 6))
    counter = StructureCounter(reader.is_remote)
    position = 13 + _table_bytes(header[10])
    images = 0
    while position < reader.size and counter.goes_on():
        kind = reader.read(position, 1)[0]
        if kind == _EXTENSION:
            position = _after_blocks(reader, position + 2)
        elif kind == _IMAGE:
            descriptor = reader.read(position, 10)
            if len(descriptor) < 10:
                raise truncated()
            position = _after_blocks(reader, position + 10 + _table_bytes(descriptor[9]) + 1)
            images += 1
        elif kind == _TRAILER or images:
            break
        else:
            return
    if position > reader.size or not images:
        raise truncated()


def _table_bytes(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _after_blocks(reader: ByteReader, position: int) -> int:
    while True:
        length = reader.read(position, 1)
        if not length:
            raise truncated()
        position += 1 + length[0]
        if not length[0]:
            return position
