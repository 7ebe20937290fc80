"""Where the files of a video lie in storage."""

from uuid import UUID

_SOURCE = "source"


def video_prefix(video_id: UUID) -> str:
    """Everything made from the video by its probe."""
    return f"videos/{video_id}"


def timeline_key(video_id: UUID) -> str:
    """The presentation times of its frames; see media.timeline."""
    return f"{video_prefix(video_id)}/timeline.npz"


def thumbnail_key(video_id: UUID) -> str:
    """Its thumbnail, a JPEG."""
    return f"{video_prefix(video_id)}/thumbnail.jpg"


def source_name(video_id: UUID) -> str:
    """What links call the uploaded file: the place where it lies may be shared with other videos."""
    return f"{video_prefix(video_id)}/{_SOURCE}"


def video_of_source_name(name: str) -> UUID | None:
    """The video whose source is called so; None for the key of another file."""
    folder, _, rest = name.partition("/")
    key, _, last = rest.partition("/")
    if (folder, last) != ("videos", _SOURCE):
        return None
    try:
        return UUID(key)
    except ValueError:
        return None


def detections_prefix(sha256: str) -> str:
    """Detections in any file with this content, whoever uploaded it."""
    return f"detections/{sha256}"


_CONTENT_TYPES = {
    "mov": "video/mp4",
    "mp4": "video/mp4",
    "matroska": "video/x-matroska",
    "webm": "video/webm",
    "avi": "video/x-msvideo",
    "mpegts": "video/mp2t",
    "gif": "image/gif",
    "flv": "video/x-flv",
    "mpeg": "video/mpeg",
    "ogg": "video/ogg",
}


def content_type(container: str | None, filename: str) -> str:
    """The media type of a video's file, by its container."""
    containers = (container or "").split(",")
    if "webm" in containers and filename.lower().endswith(".webm"):
        return "video/webm"
    return next(
        (_CONTENT_TYPES[name] for name in containers if name in _CONTENT_TYPES), "application/octet-stream"
    )
