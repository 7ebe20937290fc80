"""Links to files that answer without a sign-in until they expire."""

from graphql_api.context import Context
from graphql_api.files import file_url


async def link(
    context: Context, key: str, *, content_type: str, filename: str, attachment: bool = False
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
    )


def _request_base_url(context: Context) -> str:
    url = context.request.url
    scheme = {"ws": "http", "wss": "https"}.get(url.scheme, url.scheme)
    return f"{scheme}://{url.netloc}"
