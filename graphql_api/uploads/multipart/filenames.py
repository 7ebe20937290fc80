"""Types of files, as clients send them."""

import re

_CONTENT_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,63}/[a-z0-9!#$&^_.+-]{1,63}")


def safe_content_type(sent: bytes) -> str:
    """The media type without parameters, or the one of unknown bytes where what was sent is none."""
    name = sent.decode("latin-1").split(";", 1)[0].strip().lower()
    return name if _CONTENT_TYPE.fullmatch(name) else "application/octet-stream"
