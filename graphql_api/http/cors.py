"""What pages of other origins may do: nothing, unless `allowed_origins` names theirs."""

from collections.abc import Sequence

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from graphql_api.http.cookies import SESSION_HEADER, allowed_origins
from graphql_api.uploads.multipart.request import PREFLIGHT_HEADERS
from settings import Settings

_TUS_REQUEST_HEADERS = (
    "Tus-Resumable",
    "Upload-Length",
    "Upload-Offset",
    "Upload-Metadata",
    "Upload-Checksum",
    "Upload-Defer-Length",
    "Upload-Concat",
    "X-HTTP-Method-Override",
)
_TUS_ANSWER_HEADERS = (
    "Location",
    "Tus-Resumable",
    "Tus-Version",
    "Tus-Extension",
    "Tus-Max-Size",
    "Tus-Checksum-Algorithm",
    "Upload-Offset",
    "Upload-Length",
    "Upload-Expires",
    "Upload-Metadata",
    "Framewise-Video",
    "Framewise-Problem",
)


def cross_origin_middleware(settings: Settings) -> Sequence[Middleware]:
    """What lets pages of the allowed origins use the API, with cookies; nothing if there are none.

    Raises:
        ValueError: The setting `allowed_origins` has something that is no origin.
    """
    origins = allowed_origins(settings)
    if not origins:
        return ()
    return (
        Middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_credentials=True,
            allow_methods=("GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS"),
            allow_headers=(
                "Authorization",
                "Content-Type",
                "Range",
                SESSION_HEADER,
                *PREFLIGHT_HEADERS,
                *_TUS_REQUEST_HEADERS,
            ),
            expose_headers=("Retry-After", *_TUS_ANSWER_HEADERS),
            max_age=600,
        ),
    )
