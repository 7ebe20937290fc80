"""Stored files over HTTP, by signed links: the bytes that bypass GraphQL."""

import mimetypes
import os
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import quote

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from domain.outages import is_outage
from graphql_api.http.signed_urls import (
    FileLink,
    LinkError,
    check_query,
    expiry,
    signed_queries,
    signed_query,
)
from storage.base import AbstractStorage
from storage.content_disposition import content_disposition
from storage.errors import FileMissingError, InvalidKeyError, StorageError

FILES_PATH = "/files"

_SAFETY_HEADERS = {
    "x-content-type-options": "nosniff",
    # What people upload may be HTML or SVG: shown on its own it runs no script and is of no origin.
    "content-security-policy": "sandbox; default-src 'none'; img-src 'self' data:; media-src 'self'; "
    "style-src 'unsafe-inline'",
    "cache-control": "private, no-cache",
    "referrer-policy": "no-referrer",
    # Whoever has the link may read the file, also from a page of another origin.
    "cross-origin-resource-policy": "cross-origin",
}
_SINGLE_RANGE = re.compile(r"bytes=(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))", re.IGNORECASE)


@dataclass(frozen=True)
class LinkTarget:
    """The stored file that a link leads to."""

    key: str
    modified_at: datetime | None = None
    """What is told as its time; None for that of the stored file."""


FindTarget = Callable[[str], Awaitable[LinkTarget | None]]


async def file_url(
    storage: AbstractStorage,
    key: str,
    *,
    secret: bytes,
    base_url: str,
    expires_in_seconds: int,
    content_type: str | None = None,
    filename: str | None = None,
    attachment: bool = False,
    name: str | None = None,
) -> str:
    """A URL that anybody can read a file at until it expires: the storage's own, or a signed one of this API.

    Args:
        storage: Where the file is.
        key: The file; whether it exists is not checked.
        secret: What this API signs with.
        base_url: Address of this API, such as ``http://127.0.0.1:8000``.
        expires_in_seconds: The least life of the URL.
        content_type: The Content-Type it answers with; guessed from the names if None.
        filename: The name a browser saves it under.
        attachment: Whether a browser saves rather than shows it.
        name: What a URL of this API calls the file instead of its key; see `files_route`.
    """
    content_type = content_type or _guess_type(filename, key)
    url = await storage.public_url(key, expires_in_seconds, content_type, filename, attachment=attachment)
    if url is not None:
        return url
    link = FileLink(name or key, expiry(expires_in_seconds), content_type, filename, attachment)
    return f"{base_url.rstrip('/')}{FILES_PATH}/{quote(link.key)}?{signed_query(link, secret)}"


async def file_urls(
    storage: AbstractStorage,
    keys: Sequence[str],
    *,
    secret: bytes,
    base_url: str,
    expires_in_seconds: int,
    content_type: str,
    filename: str,
) -> list[str]:
    """As `file_url` for each of these files."""
    given = [
        await storage.public_url(key, expires_in_seconds, content_type, filename, attachment=False)
        for key in keys
    ]
    urls = [url for url in given if url is not None]
    if len(urls) == len(keys):
        return urls
    alike = FileLink("", expiry(expires_in_seconds), content_type, filename)
    start = f"{base_url.rstrip('/')}{FILES_PATH}/"
    queries = signed_queries(keys, alike, secret)
    together = "".join(keys)
    quoted = keys if quote(together) == together else list(map(quote, keys))
    return [f"{start}{key}?{query}" for key, query in zip(quoted, queries, strict=True)]


async def _as_named(key: str) -> LinkTarget | None:
    return LinkTarget(key)


def files_route(storage: AbstractStorage, secret: bytes, find_target: FindTarget = _as_named) -> Route:
    """The route ``GET /files/{key}``: ranges, conditional requests, nothing without a valid signature.

    `find_target` gives the file that a link's key or name stands for; None if it is no longer there.
    """

    async def serve_file(request: Request) -> Response:
        key = request.path_params["key"]
        try:
            link = check_query(key, request.query_params, secret)
        except LinkError as error:
            return _refusal(403, str(error))
        try:
            target = await find_target(link.key)
            if target is None:
                raise FileMissingError(f"{link.key!r} stands for nothing any more.")
            return await _answer(request, storage, link, target)
        except (FileMissingError, InvalidKeyError):
            return _refusal(404, "This file is no longer there. It may have been deleted.")
        except StorageError:
            return _refusal(503, "The file storage does not answer. Try again later.")
        except Exception as error:
            if not is_outage(error):
                raise
            return _refusal(503, "The database does not answer. Try again later.")

    return Route(f"{FILES_PATH}/{{key:path}}", serve_file, methods=["GET"], name="files")


async def _answer(request: Request, storage: AbstractStorage, link: FileLink, target: LinkTarget) -> Response:
    elsewhere = await storage.public_url(
        target.key, 60, link.content_type, link.filename, attachment=link.attachment
    )
    if elsewhere is not None:  # the link is older than the move of the files to S3
        return RedirectResponse(elsewhere, headers=_SAFETY_HEADERS)
    path = Path(await storage.source(target.key))
    status = await anyio.to_thread.run_sync(path.stat)
    response = _StoredFileResponse(
        path,
        media_type=link.content_type or _guess_type(link.filename, link.key),
        stat_result=status if target.modified_at is None else _with_time(status, target.modified_at),
        headers={
            **_SAFETY_HEADERS,
            "content-disposition": content_disposition(link.filename, attachment=link.attachment),
        },
    )
    if _is_unchanged(request, response):
        kept = {name: response.headers[name] for name in ("etag", "last-modified", *_SAFETY_HEADERS)}
        return Response(status_code=304, headers=kept)
    _drop_ignorable_range(request)
    return response


def _with_time(status: os.stat_result, modified_at: datetime) -> os.stat_result:
    mtime_index = 8
    values = list(status[:10])
    values[mtime_index] = int(modified_at.timestamp())
    return os.stat_result(values)


class _StoredFileResponse(FileResponse):
    chunk_size = 256 * 1024


def _is_unchanged(request: Request, response: Response) -> bool:
    """Whether the client has the file already, by RFC 9110 section 13."""
    if (wanted := request.headers.get("if-none-match")) is not None:
        tags = {tag.strip().removeprefix("W/") for tag in wanted.split(",")}
        return "*" in tags or response.headers["etag"] in tags
    if (since := request.headers.get("if-modified-since")) is not None:
        try:
            return parsedate_to_datetime(response.headers["last-modified"]) <= parsedate_to_datetime(since)
        except (ValueError, TypeError):
            return False
    return False


def _drop_ignorable_range(request: Request) -> None:
    """Keep only a Range of one part: others are answered with the whole file, as HTTP allows.

    Starlette would answer 400 to what it does not understand; RFC 9110 section 14.2 says to ignore it.
    """
    match = _SINGLE_RANGE.fullmatch(request.headers.get("range", "").strip())
    valid = match and not (match[2] and int(match[2]) < int(match[1]))
    if not valid:
        request.scope["headers"] = [item for item in request.scope["headers"] if item[0] != b"range"]


def _guess_type(filename: str | None, key: str) -> str:
    return (
        mimetypes.guess_type(filename or key)[0] or mimetypes.guess_type(key)[0] or "application/octet-stream"
    )


def _refusal(status_code: int, message: str) -> JSONResponse:
    return JSONResponse(
        {"error": message}, status_code, headers=_SAFETY_HEADERS | {"cache-control": "no-store"}
    )
