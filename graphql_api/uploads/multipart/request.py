"""A GraphQL request with files, each of which goes straight from the socket into the storage."""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from starlette.requests import Request

from graphql_api.scheduling.fair_gate import FairGate
from graphql_api.uploads.multipart.body import Body, parsing_gate, request_too_large
from graphql_api.uploads.multipart.errors import MultipartError
from graphql_api.uploads.multipart.form_reader import (
    FIELDS,
    MAX_FIELD_BYTES,
    Event,
    Field,
    FileBegin,
    FileData,
    FileEnd,
    FileTooLarge,
    FormReader,
    boundary_of,
    field_too_long,
)
from graphql_api.uploads.multipart.operations import FileSlots, read_map, read_operations
from storage.base import AbstractStorage, StorageWriter
from storage.cancellation import uncancelled
from storage.errors import StorageError, StorageFullError

logger = logging.getLogger(__name__)

UPLOADS_PREFIX = "uploads"

PREFLIGHT_HEADERS = (
    "x-graphql-yoga-csrf",
    "apollo-require-preflight",
    "graphql-require-preflight",
    "x-requested-with",
    "x-framewise-session",
)
"""One of them shows that no form of a foreign page sent the request: browsers ask before they add one."""

Admission = Callable[[dict[str, Any], Collection[str]], Awaitable[int | None]]
"""Gets the operations, with `FileExpected` where files go, and the names of the variables they are in. Gives
the size of the largest file that this request may have, if that is less than for any request."""


class FileExpected:
    """Stands in the variables where a file will be."""


_EXPECTED = FileExpected()


@dataclass(frozen=True)
class StreamedFile:
    """A file of a request, as it stands in the variables."""

    filename: str
    """Made safe: no folders, no control characters, at most 255 bytes."""
    content_type: str
    """What the client says it is."""
    storage_key: str
    """Where it is stored; empty if it is too large."""
    size_bytes: int
    sha256: str
    """Hexadecimal; empty if it is too large."""
    too_large: bool
    """Whether it passed the limit; nothing of it is kept then."""


@dataclass
class StreamedRequest:
    """A GraphQL request whose files are stored.

    As a context manager it removes, at its end, every file that was not released::

        async with await parse_multipart(request, storage, ...) as streamed:
            ...  # a resolver calls streamed.release(file) for each file it keeps
    """

    operations: dict[str, Any]
    """The GraphQL request: query, variables, with `StreamedFile` objects where files go."""
    files: list[StreamedFile]
    _storage: AbstractStorage
    _keys: set[str] = field(default_factory=set)

    def release(self, file: StreamedFile) -> None:
        """Leave `file` where it is stored: from now on it belongs to the caller."""
        self._keys.discard(file.storage_key)

    async def discard(self) -> None:
        """Remove the files that were not released."""
        keys, self._keys = self._keys, set()
        await uncancelled(_delete(self._storage, keys))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.discard()


async def parse_multipart(
    request: Request,
    storage: AbstractStorage,
    *,
    max_file_bytes: int,
    max_request_bytes: int,
    max_files: int,
    admit: Admission | None = None,
    min_free_bytes: int = 0,
    idle_seconds: float = 60.0,
    gate: FairGate | None = None,
) -> StreamedRequest:
    """Read a request of the GraphQL multipart request spec; its files are stored when this returns.

    Memory stays at a few MiB however large the files are, and a slow disk slows the sender. The caller owns
    the result: it must `discard` it in the end, after the release of what is kept.

    Args:
        request: Nothing of its body may have been read.
        storage: Gets the files, as ``uploads/`` + a new UUID.
        max_file_bytes: A larger file is not stored, and marked `too_large`.
        max_request_bytes: Largest body.
        max_files: Most files.
        admit: Is asked when the first file begins, or at the end if there is none; what it raises ends the
            upload before anything of it is stored.
        min_free_bytes: Room that must be left in the storage, also with this request in it.
        idle_seconds: How long a client may send nothing before the upload counts as broken off.
        gate: Where bodies wait to be parsed, a batch at a time; see `parsing_gate`.

    Raises:
        MultipartError: The request cannot be taken; all files of it are removed.
    """
    _require_preflight(request.headers)
    _check_length(request.headers, max_request_bytes)
    reader = FormReader(
        boundary_of(request.headers.get("content-type", "")),
        max_file_bytes=max_file_bytes,
        max_files=max_files,
    )
    intake = _Intake(storage, max_files, admit)
    body = Body(request, reader, parsing_gate() if gate is None else gate)
    try:
        await _check_room(request.headers, storage, min_free_bytes)
        async with aclosing(body.events(max_request_bytes, idle_seconds)) as events:
            async for event in events:
                await intake.take(event, events)
        return await intake.finish()
    except BaseException as error:
        await uncancelled(_delete(storage, intake.keys))
        if isinstance(error, StorageFullError):
            raise _no_room() from error
        if isinstance(error, StorageError):
            raise MultipartError(
                503, "The server cannot store files at the moment. Try again later."
            ) from error
        raise


class _Intake:
    """Takes the parts of one request in the order the spec demands."""

    def __init__(self, storage: AbstractStorage, max_files: int, admit: Admission | None) -> None:
        self._admit = admit
        self._max_file_bytes: int | None = None
        self.keys: set[str] = set()
        self._storage = storage
        self._max_files = max_files
        self._operations: dict[str, Any] | None = None
        self._slots: FileSlots | None = None
        self._files: dict[str, StreamedFile] = {}

    async def take(self, event: Event, events: AsyncGenerator[Event, None]) -> None:
        """Take a field, or a file with all the events that belong to it; other fields are ignored."""
        if isinstance(event, Field):
            self._take_field(event)
        elif isinstance(event, FileBegin) and self._is_other_field(event):
            await _skip_field(event.name, events)
        elif isinstance(event, FileBegin):
            self._check_file(event)
            await self._ask_once()
            self._files[event.name] = await self._store(event, events)

    async def finish(self) -> StreamedRequest:
        """The request, when all parts are taken."""
        await self._ask_once()
        if self._operations is None or self._slots is None:
            missing = "operations" if self._operations is None else "map"
            raise MultipartError(400, f"The request has no field {missing!r}.")
        for name in self._slots.slots:
            if name not in self._files:
                raise MultipartError(
                    400, f"'map' names the file {name[:100]!r}, which the request does not have."
                )
            self._slots.fill(name, self._files[name])
        return StreamedRequest(self._operations, list(self._files.values()), self._storage, self.keys)

    async def _ask_once(self) -> None:
        """Ask whether the request may have its files, with something in place of each."""
        admit, self._admit = self._admit, None
        if admit is None or self._operations is None or self._slots is None:
            return
        for name in self._slots.slots:
            self._slots.fill(name, _EXPECTED)
        self._max_file_bytes = await admit(self._operations, self._slots.variables)

    def _take_field(self, part: Field) -> None:
        if part.name == "operations" and self._operations is None:
            self._operations = read_operations(part.value)
        elif part.name == "map" and self._slots is None:
            if self._operations is None:
                raise MultipartError(400, "The field 'operations' must come before 'map'.")
            self._slots = read_map(part.value, self._operations, self._max_files)
        else:
            raise MultipartError(400, f"The request has the field {part.name!r} twice.")

    def _is_other_field(self, begin: FileBegin) -> bool:
        return not begin.is_named and (self._slots is None or begin.name not in self._slots.slots)

    def _check_file(self, begin: FileBegin) -> None:
        name = begin.name[:100]
        if begin.name in FIELDS:
            raise MultipartError(400, f"{name!r} is sent as a file: send it as a field, without a filename.")
        if self._slots is None:
            raise MultipartError(
                400, f"The fields 'operations' and 'map' must come before the file {name!r}."
            )
        if begin.name not in self._slots.slots:
            raise MultipartError(400, f"The file {name!r} is not in 'map'.")
        if begin.name in self._files:
            raise MultipartError(400, f"The request has the file {name!r} twice.")

    async def _store(self, begin: FileBegin, events: AsyncGenerator[Event, None]) -> StreamedFile:
        key = f"{UPLOADS_PREFIX}/{uuid4()}"
        self.keys.add(key)
        try:
            async with self._storage.writer(key) as writer:
                end = await _write_file(writer, events, self._max_file_bytes)
        except _TooLargeError:
            self.keys.discard(key)
            end = await _next_of(FileEnd, events)
            return StreamedFile(begin.filename, begin.content_type, "", end.size_bytes, "", too_large=True)
        return StreamedFile(
            begin.filename, begin.content_type, key, end.size_bytes, end.sha256, too_large=False
        )


class _TooLargeError(Exception):
    """Leaves a writer so that it keeps nothing."""


async def _write_file(
    writer: StorageWriter, events: AsyncGenerator[Event, None], max_bytes: int | None
) -> FileEnd:
    size_bytes = 0
    async for event in events:
        if isinstance(event, FileData):
            size_bytes += len(event.data)
            if max_bytes is not None and size_bytes > max_bytes:
                raise _TooLargeError
            await writer.write(event.data)
        elif isinstance(event, FileTooLarge):
            raise _TooLargeError
        elif isinstance(event, FileEnd):
            return event
    raise AssertionError("the events of a file ended without its end")


async def _skip_field(name: str, events: AsyncGenerator[Event, None]) -> None:
    size_bytes = 0
    async for event in events:
        size_bytes += len(event.data) if isinstance(event, FileData) else 0
        if max(size_bytes, event.size_bytes if isinstance(event, FileEnd) else 0) > MAX_FIELD_BYTES:
            raise field_too_long(name)
        if isinstance(event, FileEnd):
            return


async def _next_of(kind: type[FileEnd], events: AsyncGenerator[Event, None]) -> FileEnd:
    async for event in events:
        if isinstance(event, kind):
            return event
    raise AssertionError("the events of a file ended without its end")


def _require_preflight(headers: Mapping[str, str]) -> None:
    is_signed_in = headers.get("authorization", "").lower().startswith("bearer ")
    if not is_signed_in and not any(headers.get(name, "").strip() for name in PREFLIGHT_HEADERS):
        raise MultipartError(
            403,
            "A request with files needs the header 'graphql-require-preflight: 1' or 'Authorization: "
            "Bearer …', which a form of another site cannot send.",
        )


def _check_length(headers: Mapping[str, str], max_request_bytes: int) -> None:
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise MultipartError(400, "The Content-Length is no number.")
    if len(length) > 18 or int(length) > max_request_bytes:
        raise request_too_large(max_request_bytes)


async def _check_room(headers: Mapping[str, str], storage: AbstractStorage, min_free_bytes: int) -> None:
    free_bytes = await storage.free_bytes()
    if free_bytes is not None and free_bytes - int(headers.get("content-length", "0")) < min_free_bytes:
        raise _no_room()


def _no_room() -> MultipartError:
    return MultipartError(507, "The server has no room left for this upload.", "min_free_bytes")


async def _delete(storage: AbstractStorage, keys: set[str]) -> None:
    for key in keys:
        try:
            await storage.delete(key)
        except StorageError:
            logger.warning("The file %s of a failed upload could not be removed", key, exc_info=True)
