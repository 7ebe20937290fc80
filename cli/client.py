"""A client of one Framewise server: signed in, with uploads from disk and live progress."""

import asyncio
import io
import ipaddress
import mimetypes
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

import aiohttp
from gql import GraphQLRequest
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.exceptions import TransportError, TransportQueryError, TransportServerError
from gql.transport.file_upload import FileVar
from gql.transport.websockets import WebsocketsTransport
from websockets.exceptions import ConnectionClosed

from cli import operations
from cli.errors import ConnectionLostError, RequestRefusedError, SignInError
from cli.operations import AnalysisState, Progress, RemoteModel, ResultKind, ResultUrls, Uploaded

UNAUTHENTICATED = "UNAUTHENTICATED"
REFRESH_BEFORE_EXPIRY = timedelta(seconds=30)
_READ_BYTES = 256 * 1024
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)
# After the last byte of a large upload the server may still hash and move it.
_UPLOAD_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=900)
_HEALTH_TIMEOUT = aiohttp.ClientTimeout(total=10)
_SOCKET_TIMEOUT_SECONDS = 10.0
_SIGN_IN_PAUSES_SECONDS = (2.0, 4.0, 8.0, 16.0, 32.0)
"""Before further tries, where too many sign in from this address; together longer than a minute."""
_UNAUTHENTICATED_CLOSE_CODES = {4401, 4403}

BytesCallback = Callable[[int], None]
"""Called with the number of bytes that were sent or received since the last call."""


@dataclass(frozen=True)
class Login:
    """A username and its password."""

    username: str
    password: str


@dataclass(frozen=True)
class _Session:
    access_token: str
    expires_at: datetime | None
    refresh_token: str | None


class FramewiseClient:
    """Speaks GraphQL with one server; renews its sign-in by itself.

    Args:
        url: The server's address, with or without `/graphql`.
        login: Used by `sign_in`, and again if the session cannot be renewed.
        access_token: Used instead of a login; it cannot be renewed.
    """

    def __init__(self, url: str, *, login: Login | None = None, access_token: str | None = None) -> None:
        self.base_url = url.rstrip("/").removesuffix("/graphql")
        self.endpoint = f"{self.base_url}/graphql"
        self.login = login
        self._session = _Session(access_token, None, None) if access_token else None
        self._renewing = asyncio.Lock()
        self._trusts_environment = not _is_loopback(self.base_url)
        self._http = AIOHTTPTransport(
            url=self.endpoint,
            headers={"GraphQL-Require-Preflight": "1"},
            client_session_args={"timeout": _TIMEOUT, "trust_env": self._trusts_environment},
        )

    async def __aenter__(self) -> Self:
        await self._http.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        session = self._session
        if session is not None and session.refresh_token is not None:
            with suppress(Exception):
                async with asyncio.timeout(2.0):
                    await self._execute(operations.SIGN_OUT, {"refreshToken": session.refresh_token}, None)
        await self._http.close()

    async def check_answers(self) -> None:
        """Make sure that there is a Framewise server, before anybody is asked for a password.

        Raises:
            ConnectionLostError: Nothing answers.
            RequestRefusedError: Something else answers, or the server is not well.
        """
        if self._http.session is None:
            raise ConnectionLostError("The client is closed.")
        try:
            async with self._http.session.get(
                f"{self.base_url}/healthz", timeout=_HEALTH_TIMEOUT
            ) as response:
                status = response.status
        except (aiohttp.ClientError, TimeoutError) as error:
            reason = str(error) or "no answer in time"
            raise ConnectionLostError(f"Cannot reach {self.base_url}: {reason}") from error
        if status != 200:
            raise RequestRefusedError(
                f"{self.base_url}/healthz answered with HTTP status {status}: is this a Framewise server?"
            )

    # Signing in

    async def sign_up(self, login: Login) -> None:
        """Make an account and use it.

        Raises:
            RequestRefusedError: The server does not make the account; with code CONFLICT the name is taken,
                then the path ends in `username`, or sign-up is closed.
        """
        self._session = await self._new_session(operations.SIGN_UP, {"input": vars(login)})
        self.login = login

    async def sign_in(self) -> None:
        """Begin a session with the login.

        Where many commands of one machine sign in at once, it waits for its turn.

        Raises:
            SignInError: The username or the password is wrong.
            RequestRefusedError: There were too many sign-ins; nothing is said about these ones.
        """
        if self.login is None:
            raise SignInError("The sign-in has ended: get a new access token.")
        for pause_seconds in (*_SIGN_IN_PAUSES_SECONDS, None):
            try:
                self._session = await self._new_session(operations.SIGN_IN, {"input": vars(self.login)})
            except RequestRefusedError as error:
                if error.code != "LIMIT_EXCEEDED":
                    raise SignInError(
                        f"Cannot sign in as {self.login.username} at {self.base_url}: {error}"
                    ) from error
                if pause_seconds is None or "sign_in_rate_per_address" not in str(error):
                    raise
                await asyncio.sleep(pause_seconds)
            else:
                return

    async def renew(self) -> None:
        """Get a new access token: with the refresh token, or by signing in again.

        Raises:
            SignInError: Neither works.
        """
        await self._renew(self._session)

    async def _renew(self, outdated: _Session | None) -> None:
        async with self._renewing:
            if self._session is not outdated:
                return  # somebody else has just done it
            refresh_token = self._session.refresh_token if self._session else None
            if refresh_token is not None:
                with suppress(RequestRefusedError):
                    self._session = await self._new_session(
                        operations.REFRESH_SESSION, {"refreshToken": refresh_token}
                    )
                    return
            await self.sign_in()

    async def _new_session(self, document: str, variables: Mapping[str, Any]) -> _Session:
        payload = (await self._execute(document, variables, None))["payload"]
        _raise_user_errors(payload)
        session = payload["session"]
        return _Session(
            access_token=session["accessToken"],
            expires_at=datetime.fromisoformat(session["accessTokenExpiresAt"]),
            refresh_token=session["refreshToken"],
        )

    async def _current_session(self) -> _Session | None:
        session = self._session
        expires_at = session.expires_at if session else None
        if expires_at is not None and expires_at - datetime.now(UTC) < REFRESH_BEFORE_EXPIRY:
            await self._renew(session)
        return self._session

    # Requests

    async def ml_models(self) -> list[RemoteModel]:
        """The models that the server offers, the best of a task first."""
        found = (await self._request(operations.ML_MODELS))["mlModels"]
        return [
            RemoteModel(
                name=model["name"],
                task=model["task"],
                labels=tuple(model["labels"]),
                floor_confidence=model["floorConfidence"],
                is_ready=model["isReady"],
            )
            for model in found
        ]

    async def upload(self, path: Path, settings: Mapping[str, Any], on_bytes: BytesCallback) -> Uploaded:
        """Upload one video and have it analysed; the file is read piece by piece.

        Raises:
            OSError: The file cannot be read.
            RequestRefusedError: The server refuses the request as a whole.
            ConnectionLostError: The connection broke.
        """
        content_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        with _CountingReader(path, on_bytes) as reader:
            file = FileVar(reader, filename=path.name, content_type=content_type)
            variables = {"files": [file], "analyze": dict(settings)}
            # Signed in afresh before the first byte: a refusal after a long upload would waste it.
            data = await self._execute(
                operations.UPLOAD_VIDEO, variables, await self._current_session(), uploads=True
            )
        return operations.uploaded_of(data["payload"])

    async def analysis(self, analysis_id: str) -> AnalysisState:
        """The present state of an analysis.

        Raises:
            RequestRefusedError: There is no such analysis any more.
        """
        found = (await self._request(operations.ANALYSIS, {"id": analysis_id}))["analysis"]
        if found is None:
            raise RequestRefusedError("The analysis was deleted.", "NOT_FOUND")
        return operations.state_of(found)

    async def results(self, analysis_id: str) -> ResultUrls:
        """Where the files of a finished analysis are."""
        found = (await self._request(operations.RESULTS, {"id": analysis_id}))["analysis"]
        if found is None:
            raise RequestRefusedError("The analysis was deleted.", "NOT_FOUND")
        return ResultUrls(
            {kind: found[kind.name] for kind in ResultKind},
            found["video"]["durationSeconds"],
            found["framesSkipped"],
        )

    async def compare(self, a: str, b: str) -> dict[str, Any]:
        """What the server says of two analyses of one video: both, and how they compare.

        Raises:
            RequestRefusedError: There is no such analysis, or they cannot be compared.
        """
        return await self._request(operations.COMPARE_ANALYSES, {"a": a, "b": b})

    async def cancel(self, analysis_id: str) -> None:
        """Cancel an analysis."""
        _raise_user_errors((await self._request(operations.CANCEL_ANALYSIS, {"id": analysis_id}))["payload"])

    async def download(self, url: str, write: Callable[[bytes], Any]) -> None:
        """Fetch a file of the server piece by piece.

        Raises:
            RequestRefusedError: The server does not give it.
            ConnectionLostError: The connection broke before its end.
        """
        if self._http.session is None:
            raise ConnectionLostError("The client is closed.")
        try:
            async with self._http.session.get(urljoin(f"{self.base_url}/", url)) as response:
                if response.status != 200:
                    raise RequestRefusedError(f"The server answered {response.status} for a result file.")
                async for chunk in response.content.iter_chunked(_READ_BYTES):
                    write(chunk)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ConnectionLostError(f"The connection to {self.base_url} broke: {error}") from error

    async def progress(self) -> AsyncGenerator[Progress, None]:
        """The progress of every running analysis of this account, over one live connection.

        Raises:
            RequestRefusedError: The server refuses; with code UNAUTHENTICATED a `renew` helps.
            ConnectionLostError: The connection cannot be made, or broke.
        """
        session = await self._current_session()
        socket = WebsocketsTransport(
            url=f"ws{self.endpoint.removeprefix('http')}",
            init_payload={"Authorization": f"Bearer {session.access_token}"} if session else {},
            subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
            connect_timeout=_SOCKET_TIMEOUT_SECONDS,
            ack_timeout=_SOCKET_TIMEOUT_SECONDS,
            close_timeout=1,
            connect_args={"proxy": True if self._trusts_environment else None},
        )
        try:
            await socket.connect()
            async for result in socket.subscribe(GraphQLRequest(operations.MY_ANALYSES_PROGRESS)):
                found = _data(result.data, result.errors)["myAnalysesProgress"]
                yield operations.progress_of(found, found["analysisId"])
        except TransportQueryError as error:
            raise _refusal(error.errors or []) from error
        except (TransportError, TimeoutError, OSError) as error:
            if _close_code(error) in _UNAUTHENTICATED_CLOSE_CODES:
                raise RequestRefusedError("The sign-in has ended.", UNAUTHENTICATED) from error
            raise ConnectionLostError(f"The live connection to {self.base_url} broke.") from error
        finally:
            await socket.close()

    async def _request(self, document: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        session = await self._current_session()
        try:
            return await self._execute(document, variables, session)
        except RequestRefusedError as error:
            if error.code != UNAUTHENTICATED:
                raise
        await self._renew(session)
        return await self._execute(document, variables, self._session)

    async def _execute(
        self,
        document: str,
        variables: Mapping[str, Any] | None,
        session: _Session | None,
        *,
        uploads: bool = False,
    ) -> dict[str, Any]:
        request = GraphQLRequest(document, variable_values=dict(variables or {}))
        extra: dict[str, Any] = {"timeout": _UPLOAD_TIMEOUT} if uploads else {}
        if session is not None:
            extra["headers"] = {"Authorization": f"Bearer {session.access_token}"}
        try:
            result = await self._http.execute(request, extra_args=extra, upload_files=uploads)
        except TransportServerError as error:
            raise RequestRefusedError(f"{self.base_url} answered with HTTP status {error.code}.") from error
        except TransportError as error:
            raise ConnectionLostError(f"Cannot reach {self.base_url}: {error}") from error
        return _data(result.data, result.errors)


class _CountingReader(io.BufferedReader):
    """A file that tells how much of it was read, and is never read in large pieces."""

    def __init__(self, path: Path, on_bytes: BytesCallback) -> None:
        super().__init__(io.FileIO(path))
        self._on_bytes = on_bytes

    def read(self, size: int | None = -1, /) -> bytes:
        """At most `_READ_BYTES` of the rest of the file."""
        wanted = _READ_BYTES if size is None or size < 0 else min(size, _READ_BYTES)
        data = super().read(wanted)
        self._on_bytes(len(data))
        return data


def _data(data: dict[str, Any] | None, errors: Sequence[Any] | None) -> dict[str, Any]:
    if errors:
        raise _refusal(errors)
    if data is None:
        raise RequestRefusedError("The server's answer is empty.")
    return data


def _refusal(errors: Sequence[Any]) -> RequestRefusedError:
    first = errors[0] if errors and isinstance(errors[0], dict) else {}
    code = (first.get("extensions") or {}).get("code")
    return RequestRefusedError(str(first.get("message") or "The server refused the request."), code)


def _raise_user_errors(payload: Mapping[str, Any]) -> None:
    errors = payload["userErrors"]
    if errors:
        message = " ".join(error["message"] for error in errors)
        raise RequestRefusedError(message, errors[0]["code"], tuple(errors[0]["path"]))


def _close_code(error: BaseException) -> int | None:
    """The code a WebSocket was closed with by the server."""
    cause = error.__cause__
    if isinstance(cause, ConnectionClosed) and cause.rcvd is not None:
        return cause.rcvd.code
    return None


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
