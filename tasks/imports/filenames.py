"""What an imported file is called."""

from email.message import Message

from domain.videos.filenames import UNNAMED, safe_filename
from tasks.imports.urls import ImportUrl

_LONGEST_HEADER = 4096


def sent_filename(content_disposition: str | None, url: ImportUrl) -> str:
    """The name that the other server gives the file, or else the last part of the URL's path, made safe."""
    given = _given_name(content_disposition or "")
    name = UNNAMED if given is None else safe_filename(given.encode(errors="replace"))
    return url_filename(url) if name == UNNAMED else name


def url_filename(url: ImportUrl) -> str:
    """The last part of the URL's path, made safe; the host where there is none."""
    name = safe_filename(url.path_name)
    return safe_filename(url.host.encode()) if name == UNNAMED else name


def _given_name(content_disposition: str) -> str | None:
    if not content_disposition or len(content_disposition) > _LONGEST_HEADER:
        return None
    message = Message()
    try:
        message["Content-Disposition"] = content_disposition
        return message.get_filename()
    except (ValueError, LookupError, UnicodeError):
        return None
