"""The checks in their order."""

from collections.abc import Callable
from pathlib import Path

from media.integrity.asf import check_asf
from media.integrity.avi import check_avi
from media.integrity.flv import check_flv
from media.integrity.gif import check_gif
from media.integrity.matroska import check_matroska
from media.integrity.mp4 import check_mp4
from media.integrity.ogg import check_ogg
from media.integrity.reader import ByteReader, open_bytes
from media.integrity.sniff import Family, sniff
from media.integrity.yuv4mpeg import check_yuv4mpeg
from media.limits import MediaLimits

_CHECKS: dict[Family, Callable[[ByteReader, MediaLimits], None]] = {
    Family.MP4: check_mp4,
    Family.MATROSKA: check_matroska,
    Family.AVI: check_avi,
    Family.GIF: check_gif,
    Family.FLV: check_flv,
    Family.OGG: check_ogg,
    Family.ASF: check_asf,
    Family.YUV4MPEG: check_yuv4mpeg,
}


def check_integrity(source: str | Path, limits: MediaLimits) -> None:
    """Refuse what is plainly no video, is cut off, or claims to be larger than allowed.

    Reads headers and walks from one structure to the next; no media data. Families it does not know
    pass, as do transport streams, whose captures often end within a packet.

    Raises:
        NotAVideoError: If the file is something else.
        TruncatedError: If a structure reaches beyond the end of the file.
        MediaLimitError: If a header claims more than `limits`.
        UndecodableError: If the video is copy-protected or its structure absurd.
        OSError: If `source` cannot be reached.
    """
    with open_bytes(source) as reader:
        check = _CHECKS.get(sniff(reader))
        if check is not None:
            check(reader, limits)
