"""The limits of uploads, from the settings."""

from domain.uploads.service import UploadLimits
from settings import Settings


def upload_limits(settings: Settings) -> UploadLimits:
    """What the settings allow."""
    return UploadLimits(
        max_upload_bytes=settings.max_upload_bytes,
        max_videos_per_user=settings.max_videos_per_user,
        max_open_uploads_per_user=settings.max_open_uploads_per_user,
        min_free_bytes=settings.min_free_bytes,
        upload_expiry_seconds=settings.upload_expiry_seconds,
    )
