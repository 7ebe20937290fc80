"""What a file is, by its first bytes."""

from enum import Enum

from media.errors import FORMATS_HINT, NotAVideoError
from media.integrity.reader import ByteReader

_HEAD_BYTES = 4096


class Family(Enum):
    """Containers whose structure can be checked, and all others."""

    MP4 = "MP4"
    MATROSKA = "MATROSKA"
    AVI = "AVI"
    GIF = "GIF"
    FLV = "FLV"
    OGG = "OGG"
    ASF = "ASF"
    YUV4MPEG = "YUV4MPEG"
    OTHER = "OTHER"


_FAMILIES = (
    (b"\x1a\x45\xdf\xa3", Family.MATROSKA),
    (b"GIF87a", Family.GIF),
    (b"GIF89a", Family.GIF),
    (b"FLV\x01", Family.FLV),
    (b"OggS", Family.OGG),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Family.ASF),
    (b"YUV4MPEG2 ", Family.YUV4MPEG),
)
_MP4_BOXES = frozenset(b"ftyp moov mdat free skip wide styp pnot moof sidx uuid".split())
_STILL_BRANDS = (b"avif", b"heic", b"heix", b"mif1", b"jxl ", b"crx ")
_OTHERS = (
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"BM", "a BMP picture"),
    (b"II*\0", "a TIFF picture"),
    (b"MM\0*", "a TIFF picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"PK\x03\x04", "a ZIP archive (or an Office document)"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"%PDF-", "a PDF document"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Office document"),
    (b"MZ", "a Windows program"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3\0", "a database"),
)
_TEXTS = (
    (b"#EXTM3U", "a playlist that only points to other files"),
    (b"ffconcat", "a playlist that only points to other files"),
    (b"[playlist]", "a playlist that only points to other files"),
    (b"RTSPtext", "a playlist that only points to other files"),
    (b"v=0", "a stream description that only points to a server"),
    (b"<!doctype html", "a web page"),
    (b"<html", "a web page"),
    (b"<?xml", "an XML document"),
    (b"<mpd", "a playlist that only points to other files"),
    (b"<svg", "an SVG drawing"),
)


def sniff(reader: ByteReader) -> Family:
    """The family of container.

    Raises:
        NotAVideoError: If the file is empty or surely something else.
    """
    if reader.size == 0:
        raise NotAVideoError("The file is empty. Choose the video again; the upload may have gone wrong.")
    head = reader.read(0, _HEAD_BYTES)
    family = _family(head)
    if family is not None:
        return family
    if not head.strip(b"\0"):
        raise NotAVideoError(
            "The file begins with nothing but zeros: it was not copied or downloaded properly."
        )
    kind = _other_kind(head)
    if kind is not None:
        raise NotAVideoError(f"The file is {kind}, not a video. {FORMATS_HINT}")
    return Family.OTHER


def _family(head: bytes) -> Family | None:
    for signature, family in _FAMILIES:
        if head.startswith(signature):
            return family
    if head[:4] in (b"RIFF", b"ON2 ") and head[8:11] == b"AVI":
        return Family.AVI
    if head[4:8] in _MP4_BOXES and not (head[4:8] == b"ftyp" and head[8:12] in _STILL_BRANDS):
        return Family.MP4
    for packet_bytes, lead in ((188, 0), (192, 4), (204, 0)):
        if len(head) > lead + 4 * packet_bytes and all(
            head[lead + number * packet_bytes] == 0x47 for number in range(5)
        ):
            return Family.OTHER
    return None


def _other_kind(head: bytes) -> str | None:
    if head[4:8] == b"ftyp":
        return "a HEIC, AVIF or raw camera picture"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "a WebP picture"
    is_animated_png = head.startswith(b"\x89PNG") and b"acTL" in head
    for signature, kind in _OTHERS:
        if head.startswith(signature) and not is_animated_png:
            return kind
    return _text_kind(head)


def _text_kind(head: bytes) -> str | None:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for opening, kind in _TEXTS:
        if text.startswith(opening.lower()):
            return kind
    if b"\0" in head:
        return None
    try:
        decoded = head.decode()
    except UnicodeDecodeError as error:
        if error.end < len(head) - 3 or error.start == 0:
            return None
        decoded = head[: error.start].decode()
    printable = sum(character.isprintable() or character.isspace() for character in decoded)
    return "a text document" if printable == len(decoded) else None
