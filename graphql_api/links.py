"""Links to files that answer without a sign-in until they expire."""

from domain.videos.content import find_source
from domain.videos.files import source_name, video_of_source_name
from domain.videos.models import Video
from graphql_api.context import Context
from graphql_api.files import LinkTarget, file_url


async def link(
    context: Context,
    key: str,
    *,
    content_type: str,
    filename: str,
    attachment: bool = False,
    name: str | None = None,
) -> str:
    """A signed, expiring link to a stored file."""
    settings = context.state.settings
    base_url = settings.public_url.rstrip("/") or _request_base_url(context)
    return await file_url(
        context.state.storage,
        key,
        base_url=base_url,
        secret=context.state.secret,
        expires_in_seconds=settings.file_url_seconds,
        content_type=content_type,
        filename=filename,
        attachment=attachment,
        name=name,
    )


async def source_link(context: Context, video: Video, content_type: str) -> str | None:
    """A link to the uploaded file of a video; it ends with the video, though others may share the file."""
    if video.storage_key is None:
        return None
    return await link(
        context,
        video.storage_key,
        content_type=content_type,
        filename=video.filename,
        name=source_name(video.id),
    )


async def find_target(name: str) -> LinkTarget | None:
    """The file that a link's key or name stands for.

    The time of an uploaded file is that of its video: the file may be older, from somebody else's.
    """
    video_id = video_of_source_name(name)
    if video_id is None:
        return LinkTarget(name)
    video = await find_source(video_id)
    return None if video is None else LinkTarget(str(video.storage_key), video.created_at)


def _request_base_url(context: Context) -> str:
    url = context.request.url
    scheme = {"ws": "http", "wss": "https"}.get(url.scheme, url.scheme)
    return f"{scheme}://{url.netloc}"
