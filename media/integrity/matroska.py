"""Matroska and WebM (RFC 9559): EBML elements."""

from collections.abc import Iterator
from dataclasses import dataclass

from media.integrity.faults import StructureCounter, truncated
from media.integrity.reader import ByteReader
from media.limits import MediaLimits

_SEGMENT, _CLUSTER, _TRACKS = 0x18538067, 0x1F43B675, 0x1654AE6B
_TRACK_ENTRY, _VIDEO, _PIXEL_WIDTH, _PIXEL_HEIGHT = 0xAE, 0xE0, 0xB0, 0xBA
# What ends a cluster of unknown size: seek head, info, cues, attachments, chapters, tags.
_TOP_LEVEL = {_CLUSTER, _TRACKS, 0x114D9B74, 0x1549A966, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367}
_VOID, _CRC = 0xEC, 0xBF
_INSIDE_CLUSTER = {0xE7, 0xA7, 0xAB, 0xA0, 0xA3, 0x5854, _VOID, _CRC}


@dataclass(frozen=True)
class _Element:
    identifier: int
    start: int
    """Where its content begins."""
    end: int | None
    """None: the writer did not know."""


def check_matroska(reader: ByteReader, limits: MediaLimits) -> None:
    """Follow the elements of the segment to the end of the file."""
    counter = StructureCounter(reader.is_remote)
    position = 0
    while (element := _element(reader, position)) is not None:
        if element.identifier == _SEGMENT:
            _check_segment(reader, element, counter, limits)
            return
        if element.end is None or element.end > reader.size or not counter.goes_on():
            break
        position = element.end
    raise truncated()


def _check_segment(
    reader: ByteReader, segment: _Element, counter: StructureCounter, limits: MediaLimits
) -> None:
    if segment.end is not None and segment.end > reader.size:
        raise truncated(segment.end - reader.size)
    has_cluster = False
    for element in _walk(reader, segment.start, segment.end or reader.size, counter):
        if element.end is not None and element.end > reader.size:
            raise truncated(element.end - reader.size)
        if element.identifier == _TRACKS and element.end is not None:
            _check_tracks(reader, element, counter, limits)
        has_cluster |= element.identifier == _CLUSTER
        if has_cluster and segment.end is not None:
            return
    if not has_cluster:
        raise truncated()


def _walk(reader: ByteReader, start: int, end: int, counter: StructureCounter) -> Iterator[_Element]:
    """Elements one after the other, entering clusters of unknown size; ends at what is no element.

    An element that the end of the file cuts in its header raises `TruncatedError`.
    """
    position = start
    in_open_cluster = False
    while position < end and counter.goes_on():
        element = _element(reader, position)
        if element is None:
            if end - position < 12:
                raise truncated()
            return
        known = element.identifier in _TOP_LEVEL or element.identifier in (_VOID, _CRC)
        if not (known or (in_open_cluster and element.identifier in _INSIDE_CLUSTER)):
            return
        yield element
        if element.identifier in _TOP_LEVEL:
            in_open_cluster = element.identifier == _CLUSTER and element.end is None
        position = element.start if element.end is None else element.end


def _check_tracks(
    reader: ByteReader, tracks: _Element, counter: StructureCounter, limits: MediaLimits
) -> None:
    for entry in _children(reader, tracks, counter, _TRACK_ENTRY):
        for video in _children(reader, entry, counter, _VIDEO):
            width = _number(reader, _children(reader, video, counter, _PIXEL_WIDTH))
            height = _number(reader, _children(reader, video, counter, _PIXEL_HEIGHT))
            limits.check_size(width, height)


def _children(
    reader: ByteReader, parent: _Element, counter: StructureCounter, identifier: int
) -> list[_Element]:
    found = []
    position = parent.start
    while parent.end is not None and position < parent.end and counter.goes_on():
        element = _element(reader, position)
        if element is None or element.end is None:
            break
        if element.identifier == identifier:
            found.append(element)
        position = element.end
    return found


def _number(reader: ByteReader, elements: list[_Element]) -> int:
    if not elements or elements[0].end is None:
        return 0
    return int.from_bytes(reader.read(elements[0].start, min(elements[0].end - elements[0].start, 8)), "big")


def _element(reader: ByteReader, position: int) -> _Element | None:
    header = reader.read(position, 12)
    if not header or not header[0] & 0xF0:
        return None
    identifier_bytes = 9 - header[0].bit_length()
    if len(header) <= identifier_bytes or not header[identifier_bytes]:
        return None
    first = header[identifier_bytes]
    size_bytes = 9 - first.bit_length()
    coded = header[identifier_bytes : identifier_bytes + size_bytes]
    if len(coded) < size_bytes:
        return None
    size = int.from_bytes(coded, "big") & ((1 << 7 * size_bytes) - 1)
    start = position + identifier_bytes + size_bytes
    unknown = size == (1 << 7 * size_bytes) - 1
    return _Element(
        int.from_bytes(header[:identifier_bytes], "big"), start, None if unknown else start + size
    )
