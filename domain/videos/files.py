"""Where the files of a video lie in storage."""

from uuid import UUID


def video_prefix(video_id: UUID) -> str:
    """Everything made from the video by its probe."""
    return f"videos/{video_id}"


def timeline_key(video_id: UUID) -> str:
    """The presentation times of its frames; see media.timeline."""
    return f"{video_prefix(video_id)}/timeline.npz"


def thumbnail_key(video_id: UUID) -> str:
    """Its thumbnail, a JPEG."""
    return f"{video_prefix(video_id)}/thumbnail.jpg"


def detections_prefix(sha256: str) -> str:
    """Detections in any file with this content, whoever uploaded it."""
    return f"detections/{sha256}"
