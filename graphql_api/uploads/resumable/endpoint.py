"""The routes of tus: ``/uploads`` begins an upload, ``/uploads/{name}`` is one."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from domain.uploads.completion import Completed, complete_upload
from domain.uploads.deletion import end_upload
from domain.uploads.hashing import ContentHashes
from domain.uploads.models import Upload
from domain.uploads.service import (
    NewUpload,
    UploadTakenOverError,
    claim_upload,
    create_upload,
    get_upload,
)
from domain.uploads.writing import Checksum, finish_file, writing_to
from domain.videos.filenames import safe_filename
from graphql_api.context import AppState, Context
from graphql_api.rate_limits.mutations import count_mutation
from graphql_api.relay import global_id
from graphql_api.uploads.resumable.intake import Body, ClientGoneError, Intakes, pour
from graphql_api.uploads.resumable.limits import upload_limits
from graphql_api.uploads.resumable.protocol import (
    CONTENT_TYPE,
    PROBLEM_HEADER,
    VERSION,
    VIDEO_HEADER,
    TusError,
    capability_headers,
    check_version,
    description_headers,
    is_chunk,
    method_of,
    read_checksum,
    read_metadata,
    read_number,
    state_headers,
)
from graphql_api.uploads.resumable.refusals import refusal
from graphql_api.uploads.resumable.urls import PATH, upload_of, upload_path
from storage.errors import FileMissingError
from tasks.analyses import analysis_limits
from tasks.doorbell import ring

IDLE_SECONDS = 60.0

_WRONG_TYPE = f"Send the bytes as {CONTENT_TYPE}."
_COLLECTION_METHODS = ("OPTIONS", "POST")
_UPLOAD_METHODS = ("DELETE", "HEAD", "OPTIONS", "PATCH")


def upload_routes(state: AppState, *, idle_seconds: float = IDLE_SECONDS) -> list[BaseRoute]:
    """The routes of resumable uploads."""
    endpoint = UploadEndpoint(state, idle_seconds)
    return [Route(path, endpoint) for path in (PATH, f"{PATH}/", f"{PATH}/{{name}}")]


class UploadEndpoint:
    """The ASGI application below `/uploads`.

    Args:
        state: The application's parts.
        idle_seconds: How long a client may send nothing in the middle of a request.
    """

    def __init__(self, state: AppState, idle_seconds: float) -> None:
        self._state = state
        self._idle_seconds = idle_seconds
        self._limits = upload_limits(state.settings)
        self._intakes = Intakes()
        self._hashes = ContentHashes()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        request = Request(scope, receive)
        body = Body(receive, self._idle_seconds)
        try:
            response = await self._respond(request, body)
        except ClientGoneError:
            return
        except Exception as error:
            response = refusal(error)
            # A client that waits to be told to send is told not to. Others read no answer while they send.
            if "expect" in request.headers or not await body.drain():
                response.headers["Connection"] = "close"
        response.headers["Tus-Resumable"] = VERSION
        response.headers.setdefault("Cache-Control", "no-store")
        await response(scope, receive, send)

    async def _respond(self, request: Request, body: Body) -> Response:
        method = method_of(request.method, request.headers)
        name: str | None = request.path_params.get("name")
        allowed = _COLLECTION_METHODS if name is None else _UPLOAD_METHODS
        if method not in allowed:
            raise TusError(405, f"This URL takes {', '.join(allowed)}.", {"Allow": ", ".join(allowed)})
        if method == "OPTIONS":
            return Response(
                status_code=204, headers=capability_headers(self._state.settings.max_upload_bytes)
            )
        check_version(request.headers)
        if name is None:
            return await self._create(request, body)
        upload_id = upload_of(name, self._state.secret)
        if upload_id is None:
            raise TusError(404, "There is no such upload.")
        if method == "PATCH":
            return await self._append(request, body, upload_id)
        async with self._intakes.take_over(upload_id, body):
            upload = await get_upload(upload_id)
            return await (self._end(upload) if method == "DELETE" else self._tell(upload))

    async def _create(self, request: Request, body: Body) -> Response:
        """POST: begin an upload, and take its first bytes if they come along."""
        context = Context(self._state, request)
        viewer = await context.require_viewer()
        if "upload-defer-length" in request.headers or "upload-concat" in request.headers:
            raise TusError(
                400, "Say Upload-Length at once: neither deferring nor concatenation is known here."
            )
        size_bytes = read_number(request.headers, "Upload-Length")
        metadata = read_metadata(request.headers)
        checksum = read_checksum(request.headers)
        filename = safe_filename(metadata.get("filename") or metadata.get("name") or b"")
        brings_bytes = is_chunk(request.headers)
        if brings_bytes:
            _check_length(request, size_bytes)
        elif "content-length" in request.headers and read_number(request.headers, "Content-Length"):
            raise TusError(415, _WRONG_TYPE)
        await count_mutation(context)
        upload = await create_upload(
            self._state.storage, viewer.user.id, NewUpload(filename, size_bytes), self._limits
        )
        headers = {"Location": self._location(upload)}
        if brings_bytes:
            async with self._intakes.take_over(upload.id, body):
                headers |= await self._take(upload, body, checksum)
        else:
            body.is_at_end = True
        return Response(status_code=201, headers=state_headers(upload) | headers)

    async def _append(self, request: Request, body: Body, upload_id: UUID) -> Response:
        """PATCH: take the next bytes."""
        if not is_chunk(request.headers):
            raise TusError(415, _WRONG_TYPE)
        offset_bytes = read_number(request.headers, "Upload-Offset")
        checksum = read_checksum(request.headers)
        async with self._intakes.take_over(upload_id, body):
            upload = await get_upload(upload_id)
            if offset_bytes != upload.offset_bytes:
                raise TusError(409, f"The upload goes on at {upload.offset_bytes}.", state_headers(upload))
            room_bytes = upload.size_bytes - upload.offset_bytes
            _check_length(request, room_bytes)
            if upload.video_id is not None:
                return await self._tell(upload, 204)
            if room_bytes:
                length = request.headers.get("content-length")
                await self._limits.check_room(
                    self._state.storage, room_bytes if length is None else int(length)
                )
            headers = await self._take(upload, body, checksum)
        return Response(status_code=204, headers=state_headers(upload) | headers)

    async def _tell(self, upload: Upload, status: int = 200) -> Response:
        """HEAD: how far it is. If all is there but whoever had it died, the video is made now."""
        headers: dict[str, str] = {}
        if upload.video_id is not None:
            headers[VIDEO_HEADER] = global_id("Video", upload.video_id)
        elif upload.is_whole:
            await self._claim(upload)
            try:
                await finish_file(self._state.storage, upload)
            except FileMissingError:
                await self._lose(upload)
            headers = await self._complete(upload)
        return Response(
            status_code=status, headers=state_headers(upload) | description_headers(upload) | headers
        )

    async def _end(self, upload: Upload) -> Response:
        """DELETE: forget it."""
        await end_upload(self._state.storage, upload)
        self._hashes.forget(upload)
        return Response(status_code=204)

    async def _take(self, upload: Upload, body: Body, checksum: Checksum | None) -> dict[str, str]:
        """Store a body; if it is the last one, make the video. Headers that tell of it."""
        room_bytes = upload.size_bytes - upload.offset_bytes
        await self._claim(upload)
        try:
            async with writing_to(
                self._state.storage, upload, self._limits, self._hashes, checksum
            ) as writer:
                await pour(body, writer, room_bytes)
        except FileMissingError:
            await self._lose(upload)
        return await self._complete(upload) if upload.is_whole else {}

    async def _complete(self, upload: Upload) -> dict[str, str]:
        completed: Completed = await complete_upload(
            self._state.storage, upload, self._hashes, self._limits, analysis_limits(self._state.settings)
        )
        await ring()
        headers = {VIDEO_HEADER: str(global_id("Video", completed.video.id))}
        if completed.problem is not None:
            headers[PROBLEM_HEADER] = completed.problem.encode("ascii", "replace").decode()
        return headers

    async def _claim(self, upload: Upload) -> None:
        if await claim_upload(upload) is None:
            raise UploadTakenOverError

    async def _lose(self, upload: Upload) -> None:
        """What was stored is gone: the client has to begin anew."""
        await end_upload(self._state.storage, upload)
        raise TusError(410, "What was stored of this upload is gone: begin it anew.")

    def _location(self, upload: Upload) -> str:
        return self._state.settings.public_url.rstrip("/") + upload_path(upload.id, self._state.secret)


def _check_length(request: Request, room_bytes: int) -> None:
    if "content-length" in request.headers:
        length = read_number(request.headers, "Content-Length")
        if length > room_bytes:
            raise TusError(413, f"The upload lacks {room_bytes} bytes; the body has {length}.")
