"""Fetching a file by HTTP, from a server that may be slow, wrong or hostile."""

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import lru_cache

import certifi
import httpcore

from tasks.imports.addresses import AddressPolicy
from tasks.imports.errors import ImportFailedError, NotFetchedError, TransferBrokenError
from tasks.imports.filenames import sent_filename
from tasks.imports.network import GuardedBackend, Resolve, look_up
from tasks.imports.urls import ImportUrl, parse_url

MAX_REDIRECTS = 5
CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 30.0
"""How long the other server may send nothing."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TRY_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})
_WEB_PAGES = frozenset({"text/html", "application/xhtml+xml"})
_MEANINGS = {
    401: "it wants a sign-in",
    403: "it does not let us have the file",
    404: "there is no such file",
    410: "the file is gone",
}


@dataclass(frozen=True)
class DownloadLimits:
    """What a download may take."""

    max_bytes: int
    timeout_seconds: float


@dataclass(frozen=True)
class Downloaded:
    """A file that came whole."""

    filename: str
    size_bytes: int
    sha256: str


Write = Callable[[bytes], Awaitable[None]]
"""Takes the next bytes of the file."""


async def download(
    url: str,
    write: Write,
    *,
    policy: AddressPolicy,
    limits: DownloadLimits,
    resolve: Resolve = look_up,
) -> Downloaded:
    """Fetch the file at a URL.

    No proxy is used, no cookie or password is sent, and each redirect is checked like the first URL.

    Args:
        url: Where it is.
        write: Gets its bytes.
        policy: Which addresses may be connected to.
        limits: How large it may be, and how long it may take.
        resolve: Looks names up.

    Raises:
        ImportFailedError: It did not come; see its subclasses.
    """
    try:
        async with asyncio.timeout(limits.timeout_seconds) as within:
            return await _download(url, write, policy, limits, resolve)
    except TimeoutError as error:
        if not within.expired():
            raise TransferBrokenError("the connection timed out") from error
        raise NotFetchedError(
            f"Fetching the file took longer than {limits.timeout_seconds:g} s "
            "(limit: import_timeout_seconds)."
        ) from error


async def _download(
    url: str, write: Write, policy: AddressPolicy, limits: DownloadLimits, resolve: Resolve
) -> Downloaded:
    digest, size_bytes = hashlib.sha256(), 0
    async with _answer(parse_url(url), policy, resolve) as (final_url, response):
        _check(response, limits.max_bytes)
        filename = sent_filename(_header(response, b"content-disposition"), final_url)
        with _explained():
            async for piece in response.aiter_stream():
                size_bytes += len(piece)
                if size_bytes > limits.max_bytes:
                    raise _too_large(limits.max_bytes)
                digest.update(piece)
                await write(piece)
    if size_bytes == 0:
        raise NotFetchedError("The file is empty.")
    return Downloaded(filename, size_bytes, digest.hexdigest())


@asynccontextmanager
async def _answer(
    url: ImportUrl, policy: AddressPolicy, resolve: Resolve
) -> AsyncIterator[tuple[ImportUrl, httpcore.Response]]:
    """The answer at the end of the redirects, and where that was; its body is not read yet."""
    backend = GuardedBackend(policy, resolve)
    for _ in range(MAX_REDIRECTS + 1):
        # One connection for one request: nothing of one server's is kept for the next.
        async with httpcore.AsyncConnectionPool(
            ssl_context=_ssl_context(), max_connections=1, network_backend=backend
        ) as pool:
            with _explained():
                response = await pool.handle_async_request(_request(url))
            try:
                location = _header(response, b"location")
                if response.status not in _REDIRECTS or location is None:
                    yield url, response
                    return
            finally:
                await response.aclose()
        url = url.joined(location)
    raise NotFetchedError(f"The URL leads to another one more than {MAX_REDIRECTS} times.")


def _request(url: ImportUrl) -> httpcore.Request:
    host = f"[{url.host}]" if ":" in url.host else url.host
    is_default = (url.scheme, url.port) in (("http", 80), ("https", 443))
    waits = {"connect": CONNECT_SECONDS, "read": SILENCE_SECONDS, "write": SILENCE_SECONDS}
    return httpcore.Request(
        b"GET",
        httpcore.URL(scheme=url.scheme.encode(), host=url.host.encode(), port=url.port, target=url.target),
        headers={
            "Host": host if is_default else f"{host}:{url.port}",
            "User-Agent": "Framewise",
            "Accept": "video/*, application/octet-stream;q=0.9, */*;q=0.5",
            # What is packed could be a thousand times as large when it is unpacked.
            "Accept-Encoding": "identity",
            "Connection": "close",
        },
        extensions={"timeout": waits},
    )


def _check(response: httpcore.Response, max_bytes: int) -> None:
    """Refuse what is no file, or too large, before its first byte is kept."""
    if response.status in _TRY_LATER:
        raise TransferBrokenError(f"the server answers with status {response.status}")
    if response.status != 200:
        meaning = _MEANINGS.get(response.status)
        raise NotFetchedError(
            f"The server answers with status {response.status}{f': {meaning}' if meaning else ''}."
        )
    if (_header(response, b"content-encoding") or "identity").strip().lower() != "identity":
        raise NotFetchedError("The server sends the file packed, though it was asked not to.")
    media_type = (_header(response, b"content-type") or "").partition(";")[0].strip().lower()
    if media_type in _WEB_PAGES:
        raise NotFetchedError("The URL leads to a web page, not to a video file.")
    length = _header(response, b"content-length")
    if length is not None and length.isdecimal() and int(length) > max_bytes:
        raise _too_large(max_bytes)


def _too_large(max_bytes: int) -> NotFetchedError:
    return NotFetchedError(f"The file is larger than {max_bytes} bytes (limit: max_upload_bytes).")


def _header(response: httpcore.Response, name: bytes) -> str | None:
    value = next((value for key, value in response.headers if key.lower() == name), None)
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


@contextmanager
def _explained() -> Iterator[None]:
    """Say what an error of the connection means."""
    try:
        yield
    except httpcore.ConnectTimeout as error:
        raise TransferBrokenError("the server cannot be reached") from error
    except httpcore.TimeoutException as error:
        raise TransferBrokenError(f"the server sent nothing for {SILENCE_SECONDS:g} s") from error
    except httpcore.ConnectError as error:
        raise _of_connection(error) from error
    except httpcore.ProtocolError as error:
        raise TransferBrokenError("the server broke off, or does not speak HTTP") from error
    except (httpcore.NetworkError, OSError) as error:
        raise TransferBrokenError("the connection broke") from error


def _of_connection(error: httpcore.ConnectError) -> ImportFailedError:
    # httpcore gives what it caught as the argument, and cuts off the cause.
    inner = error.args[0] if error.args else None
    if isinstance(inner, ssl.SSLCertVerificationError):
        return NotFetchedError(f"The server's certificate is not right: {inner.verify_message}.")
    return TransferBrokenError("the server cannot be reached")


@lru_cache(maxsize=1)
def _ssl_context() -> ssl.SSLContext:
    """Certificates as this machine trusts them (`SSL_CERT_FILE` adds some), and those of Mozilla."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
