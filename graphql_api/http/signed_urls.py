"""Links to files that carry their own permission: whoever has one may read that file until it expires."""

import hashlib
import hmac
import json
import math
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

_PURPOSE = "framewise file link 1"
"""Keeps a signature of anything else that is made with the same secret from passing for one of a link."""

_SIGNATURE_LENGTH = 43
"""Letters of Base64 in which 32 bytes are written."""


class LinkError(Exception):
    """Raised when a link gives no permission; ``str()`` says why and what to do."""


@dataclass(frozen=True)
class FileLink:
    """What a link says, all of it covered by the signature."""

    key: str
    expires_at: int
    """Seconds since 1970."""
    content_type: str | None = None
    filename: str | None = None
    attachment: bool = False
    """Whether a browser saves the file rather than shows it."""


def sign(link: FileLink, secret: bytes) -> str:
    """The signature of `link`: HMAC-SHA256, in URL-safe base64."""
    told = [_PURPOSE, link.key, link.expires_at, link.content_type, link.filename, link.attachment]
    digest = hmac.digest(secret, json.dumps(told).encode(), hashlib.sha256)
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def signed_query(link: FileLink, secret: bytes) -> str:
    """The query string that gives permission to read ``/files/`` + key."""
    optional = {
        "type": link.content_type,
        "name": link.filename,
        "download": "1" if link.attachment else None,
    }
    given = {name: value for name, value in optional.items() if value is not None}
    return urlencode({"expires": link.expires_at, **given, "signature": sign(link, secret)})


def signed_queries(keys: Sequence[str], alike: FileLink, secret: bytes) -> list[str]:
    """`signed_query` of links to these keys, alike in all else, which takes a fraction of the time."""
    given = signed_query(alike, secret)
    before_signature = given[: given.rindex("=") + 1]
    head = f"{json.dumps([_PURPOSE])[:-1]}, "
    rest = [alike.expires_at, alike.content_type, alike.filename, alike.attachment]
    tail = f", {json.dumps(rest)[1:]}"
    # No text of JSON has a quotation mark in it without a backslash before it.
    told = json.dumps(keys)[2:-2].split('", "') if keys else []
    digests = [hmac.digest(secret, f'{head}"{key}"{tail}'.encode(), hashlib.sha256) for key in told]
    # With a byte of nothing after it, each takes whole letters, of which the last says nothing.
    text = urlsafe_b64encode(b"".join([digest + b"\0" for digest in digests])).decode()
    return [
        before_signature + text[start : start + _SIGNATURE_LENGTH]
        for start in range(0, len(text), _SIGNATURE_LENGTH + 1)
    ]


def check_query(key: str, query: Mapping[str, str], secret: bytes) -> FileLink:
    """The link that a request for `key` with `query` came by.

    Raises:
        LinkError: It is unsigned, signed for something else, or expired.
    """
    signature = query.get("signature", "")
    expires = query.get("expires", "")
    if not signature or not expires:
        raise LinkError("This link is not signed. Ask the API for the file's URL.")
    if not (expires.isascii() and expires.isdigit() and len(expires) <= 12):
        raise LinkError("This link is damaged. Copy it whole, or ask the API for the file's URL again.")
    link = FileLink(key, int(expires), query.get("type"), query.get("name"), query.get("download") == "1")
    if not hmac.compare_digest(sign(link, secret).encode(), signature.encode(errors="replace")):
        raise LinkError("This link is damaged. Copy it whole, or ask the API for the file's URL again.")
    if link.expires_at <= time.time():
        raise LinkError("This link has expired. Ask the API for the file's URL again.")
    return link


def expiry(expires_in_seconds: int) -> int:
    """A time at least `expires_in_seconds` from now, the same one for a while.

    A link that is asked for again keeps its text for up to a quarter of its life, so browsers cache it.
    """
    step_seconds = max(expires_in_seconds // 4, 1)
    return math.ceil((time.time() + expires_in_seconds) / step_seconds) * step_seconds
