"""YUV4MPEG2: one line of text, then raw pictures."""

from media.integrity.reader import ByteReader
from media.limits import MediaLimits

_HEADER_BYTES = 256
_MOST_DIGITS = 10


def check_yuv4mpeg(reader: ByteReader, limits: MediaLimits) -> None:
    """The header line says the size, as in "YUV4MPEG2 W640 H480 F25:1"."""
    words = reader.read(0, _HEADER_BYTES).partition(b"\n")[0].split(b" ")[1:]
    width, height = (
        max((int(word[1:]) for word in words if word[:1] == letter and _is_number(word[1:])), default=0)
        for letter in (b"W", b"H")
    )
    limits.check_size(width, height)


def _is_number(word: bytes) -> bool:
    return word.isdigit() and len(word) <= _MOST_DIGITS
