"""The headers of tus, read and written."""

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime

from domain.uploads.models import Upload
from domain.uploads.writing import CHECKSUM_ALGORITHMS, Checksum

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,expiration,checksum,termination"
CONTENT_TYPE = "application/offset+octet-stream"

VIDEO_HEADER = "Framewise-Video"
"""Global id of the video that a complete upload became."""
PROBLEM_HEADER = "Framewise-Problem"
"""Why the analysis that was asked for was not started."""

_LONGEST_NUMBER = 18
_METHODS = ("HEAD", "PATCH", "DELETE")


class TusError(Exception):
    """Raised when a request breaks the protocol.

    Args:
        status: The HTTP status to answer with.
        message: What is wrong, for the person who wrote the client.
        headers: To answer with.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})


def method_of(method: str, headers: Mapping[str, str]) -> str:
    """The method that is meant, where a proxy or a client lets only POST pass."""
    override = headers.get("x-http-method-override", "").strip().upper()
    return override if method == "POST" and override in _METHODS else method


def check_version(headers: Mapping[str, str]) -> None:
    """Raise TusError for a client that speaks another version."""
    if headers.get("tus-resumable", "").strip() != VERSION:
        raise TusError(412, f"Send the header Tus-Resumable: {VERSION}.", {"Tus-Version": VERSION})


def is_chunk(headers: Mapping[str, str]) -> bool:
    """Whether the body is part of a file."""
    return headers.get("content-type", "").partition(";")[0].strip().lower() == CONTENT_TYPE


def read_number(headers: Mapping[str, str], name: str) -> int:
    """A header that is a number of bytes; TusError if it is missing or none."""
    text = headers.get(name, "").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER):
        raise TusError(400, f"The header {name} must be a number of bytes.")
    return int(text)


def read_checksum(headers: Mapping[str, str]) -> Checksum | None:
    """What the body must hash to; TusError if that cannot be understood."""
    if "upload-checksum" not in headers:
        return None
    try:
        return Checksum.parse(headers["upload-checksum"])
    except ValueError as error:
        raise TusError(
            400,
            f"Upload-Checksum is an algorithm ({', '.join(CHECKSUM_ALGORITHMS)}), a space, and the "
            "checksum in base64.",
        ) from error


def read_metadata(headers: Mapping[str, str]) -> dict[str, bytes]:
    """The pairs of Upload-Metadata; TusError if it has none of its form."""
    found: dict[str, bytes] = {}
    for pair in headers.get("upload-metadata", "").split(","):
        key, _, encoded = pair.strip().partition(" ")
        if not key and not encoded:
            continue
        try:
            value = base64.b64decode(encoded.strip(), validate=True)
        except (ValueError, binascii.Error) as error:
            raise TusError(400, "Upload-Metadata is pairs of a key and base64, with commas.") from error
        if key in found or not key.isascii():
            raise TusError(400, "The keys of Upload-Metadata are ASCII, and each comes once.")
        found[key] = value
    return found


def state_headers(upload: Upload) -> dict[str, str]:
    """How far an upload is."""
    headers = {"Upload-Offset": str(upload.offset_bytes)}
    if upload.video_id is None:
        headers["Upload-Expires"] = _http_date(upload.expires_at)
    return headers


def description_headers(upload: Upload) -> dict[str, str]:
    """What an upload is."""
    name = base64.b64encode(str(upload.filename).encode()).decode()
    return {"Upload-Length": str(upload.size_bytes), "Upload-Metadata": f"filename {name}"}


def capability_headers(max_upload_bytes: int) -> dict[str, str]:
    """What this server can do."""
    return {
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Max-Size": str(max_upload_bytes),
        "Tus-Checksum-Algorithm": ",".join(CHECKSUM_ALGORITHMS),
    }


def _http_date(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC), usegmt=True)
