"""From an upload whose bytes are all there to a video."""

from dataclasses import dataclass

import orjson

from domain.analyses.service import AnalysisLimits, create_analysis
from domain.analyses.settings import read_settings
from domain.errors import UserFacingError
from domain.uploads.hashing import ContentHashes, hash_stored
from domain.uploads.models import Upload
from domain.uploads.service import UploadLimits, record_video
from domain.videos.idempotency import UploadKey, find_upload
from domain.videos.models import Video
from domain.videos.service import NewVideo, create_video
from domain.videos.stored_file import keep_or_drop
from storage.base import AbstractStorage


@dataclass(frozen=True)
class Completed:
    """What an upload became."""

    video: Video
    problem: str | None = None
    """Why the analysis that was asked for was not started."""


async def complete_upload(
    storage: AbstractStorage,
    upload: Upload,
    hashes: ContentHashes,
    limits: UploadLimits,
    analysis_limits: AnalysisLimits,
) -> Completed:
    """Make the video of a file that is in its place, and start the analysis that was asked for.

    Whoever died halfway may do it again: there is one video and one analysis in the end.

    Raises:
        LimitExceededError: The account keeps as many videos as it may; the file stays until it expires.
        NotSignedInError: The account has been deleted.
        FileMissingError: The file is gone.
    """
    # The upload's id is random: no key of a person's own is the same by chance.
    key = UploadKey(f"resumable upload {upload.id}", 0, str(upload.id))
    video = await find_upload(upload.owner_id, key)
    if video is None:
        sha256 = hashes.whole(upload) or await hash_stored(storage, upload.storage_key)
        hashes.keep(upload, sha256)
        new = NewVideo(upload.filename, upload.storage_key, upload.size_bytes, sha256.hexdigest())
        video = await create_video(
            upload.owner_id, new, max_videos_per_user=limits.max_videos_per_user, upload_key=key
        )
    await keep_or_drop(storage, video, upload.storage_key)
    problem = await _analyse(upload, video, analysis_limits)
    await record_video(upload, video.id, limits)
    hashes.forget(upload)
    return Completed(video, problem)


async def _analyse(upload: Upload, video: Video, limits: AnalysisLimits) -> str | None:
    """Start the analysis that the upload asks for; why it could not be."""
    if not upload.settings:
        return None
    settings = read_settings(orjson.loads(str(upload.settings)))
    try:
        await create_analysis(upload.owner_id, video, settings, f"upload of video {video.id}", limits=limits)
    except UserFacingError as error:
        return error.message
    return None
