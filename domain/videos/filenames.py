"""Names of files, as clients and other servers send them."""

import unicodedata
from pathlib import PurePosixPath
from urllib.parse import unquote_to_bytes

MAX_FILENAME_BYTES = 255
UNNAMED = "unnamed"

# What shows nothing itself. Some of it reorders what is around it: with it, a name that ends in "4pm.exe" is
# shown as ending in "exe.mp4".
_UNPRINTABLE = ("Cc", "Cf", "Cs", "Zl", "Zp")
_NEEDED = {
    *(0x200C, 0x200D),  # join letters of Persian and Indic names, and pictures
    *(
        *range(0x0600, 0x0606),
        0x06DD,
        0x070F,
        0x0890,
        0x0891,
        0x08E2,
        0x110BD,
        0x110CD,
    ),  # signs before numbers
}


def safe_filename(sent: bytes) -> str:
    """A name that is fit to be shown and saved: no folders, no control characters, NFC, at most 255 bytes.

    Percent signs are decoded where that gives text: browsers write quotes so, and aiohttp everything.
    """
    name = _decoded(sent).replace("\\", "/").rsplit("/", 1)[-1]
    name = "".join(character for character in name if not _is_unprintable(character))
    name = unicodedata.normalize("NFC", name).strip()
    if name in ("", ".", ".."):
        return UNNAMED
    suffix = PurePosixPath(name).suffix
    if len(suffix.encode()) > MAX_FILENAME_BYTES // 4:
        suffix = ""
    room = MAX_FILENAME_BYTES - len(suffix.encode())
    stem = name.removesuffix(suffix).encode()[:room].decode(errors="ignore")
    return stem + suffix


def title_of(filename: str) -> str:
    """The title that a file's video has at first."""
    return PurePosixPath(filename).stem or filename


def _decoded(sent: bytes) -> str:
    if b"%" in sent:
        try:
            return unquote_to_bytes(sent).decode()
        except UnicodeDecodeError:
            pass
    return sent.decode(errors="replace")


def _is_unprintable(character: str) -> bool:
    return unicodedata.category(character) in _UNPRINTABLE and ord(character) not in _NEEDED
