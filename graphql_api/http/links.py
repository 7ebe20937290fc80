"""Links to files that answer without a sign-in until they expire."""

from collections.abc import Sequence
from uuid import UUID

from domain.videos.content import find_source
from domain.videos.files import content_type, source_name, video_of_source_name
from graphql_api.context import Context
from graphql_api.http.files import LinkTarget, file_url, file_urls


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
    return await file_url(
        context.state.storage,
        key,
        base_url=base_url(context),
        secret=context.state.secret,
        expires_in_seconds=settings.file_url_seconds,
        content_type=content_type,
        filename=filename,
        attachment=attachment,
        name=name,
    )


async def links(context: Context, keys: Sequence[str], *, content_type: str, filename: str) -> list[str]:
    """As `link` for each of these files; many at once take a fraction of the time."""
    return await file_urls(
        context.state.storage,
        keys,
        base_url=base_url(context),
        secret=context.state.secret,
        expires_in_seconds=context.state.settings.file_url_seconds,
        content_type=content_type,
        filename=filename,
    )


async def source_link(
    context: Context, video_id: UUID, storage_key: str | None, filename: str, container: str | None
) -> str | None:
    """A link to the uploaded file of a video; it ends with the video, though others may share the file."""
    if storage_key is None:
        return None
    return await link(
        context,
        storage_key,
        content_type=content_type(container, filename),
        filename=filename,
        name=source_name(video_id),
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


def base_url(context: Context) -> str:
    """What links begin with: the server's address as it is set, or else as the request says it."""
    if context.state.settings.public_url:
        return context.state.settings.public_url.rstrip("/")
    url = context.request.url
    scheme = {"ws": "http", "wss": "https"}.get(url.scheme, url.scheme)
    return f"{scheme}://{url.netloc}"
