"""The body of a request on its way into an upload, and requests that take over from each other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from starlette.types import Receive

from domain.uploads.service import UploadTakenOverError
from domain.uploads.writing import UploadWriter
from graphql_api.uploads.resumable.protocol import TusError
from storage.cancellation import uncancelled

_BATCH_BYTES = 2**20
_BATCH_PIECES = 512
"""A thread is asked once for so much."""

_DRAIN_BYTES = 64 * 2**20
_DRAIN_SECONDS = 5.0


class ClientGoneError(Exception):
    """Raised when the client goes away before its request is complete."""


class Body:
    """The chunks of a request's body.

    Args:
        receive: Of the ASGI server.
        idle_seconds: How long the client may send nothing.
    """

    def __init__(self, receive: Receive, idle_seconds: float) -> None:
        self.is_at_end = False
        self._receive = receive
        self._idle_seconds = idle_seconds
        self._waiting: asyncio.Timeout | None = None
        self._is_taken_over = False
        self._is_cut_off = False
        self._released = asyncio.Event()

    async def next(self) -> bytes:
        """The next chunk; empty at the end.

        Raises:
            ClientGoneError: The client went away.
            UploadTakenOverError: Another request of this process asks for the upload.
            TusError: The client sent nothing for too long.
        """
        while not self.is_at_end:
            if self._is_taken_over:
                raise UploadTakenOverError
            try:
                async with asyncio.timeout(self._idle_seconds) as self._waiting:
                    message = await self._receive()
            except TimeoutError:
                if self._is_taken_over:
                    raise UploadTakenOverError from None
                self._is_cut_off = True
                # Clients of tus try again after a 503, and not after a 408.
                raise TusError(
                    503, f"The client sent nothing for {self._idle_seconds:g} seconds.", {"Retry-After": "1"}
                ) from None
            finally:
                self._waiting = None
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            self.is_at_end = not message.get("more_body", False)
            if chunk := message.get("body", b""):
                return bytes(chunk)
        return b""

    async def drain(self) -> bool:
        """Read what is left, within reason, so that the client gets to reading the answer; whether it did."""
        drained_bytes = 0
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                while not self._is_cut_off and drained_bytes < _DRAIN_BYTES and (chunk := await self.next()):
                    drained_bytes += len(chunk)
        except (ClientGoneError, UploadTakenOverError, TusError, TimeoutError):
            return False
        return self.is_at_end

    def take_over(self) -> None:
        """Let nobody read on."""
        self._is_taken_over = True
        if self._waiting is not None:
            self._waiting.reschedule(asyncio.get_running_loop().time())

    def release(self) -> None:
        """Nothing is done with it any more."""
        self._released.set()

    async def wait_released(self) -> None:
        """Wait until what was read is stored."""
        await self._released.wait()


class Intakes:
    """Which uploads this process is receiving: whoever comes later for one takes over.

    A client whose connection broke comes back before the server has noticed; the former request ends then,
    and what it had received counts.
    """

    def __init__(self) -> None:
        self._running: dict[UUID, Body] = {}

    @asynccontextmanager
    async def take_over(self, upload_id: UUID, body: Body) -> AsyncIterator[None]:
        """Have the upload alone, as far as this process is concerned."""
        while (former := self._running.get(upload_id)) is not None:
            former.take_over()
            await former.wait_released()
        self._running[upload_id] = body
        try:
            yield
        finally:
            del self._running[upload_id]
            body.release()


async def pour(body: Body, writer: UploadWriter, room_bytes: int) -> None:
    """Write a body into an upload that has room for so much; what came is written, however it ends.

    Raises:
        TusError: The body is longer, or the client too slow.
        ClientGoneError: The client went away.
        UploadTakenOverError: Another request goes on with the upload.
        StorageError: The storage fails.
    """
    batch: list[bytes] = []
    batch_bytes = received_bytes = 0
    try:
        while chunk := await body.next():
            received_bytes += len(chunk)
            if received_bytes > room_bytes:
                raise TusError(413, f"The upload lacks {room_bytes} bytes; the body has more.")
            batch.append(chunk)
            batch_bytes += len(chunk)
            if batch_bytes >= _BATCH_BYTES or len(batch) >= _BATCH_PIECES:
                full, batch, batch_bytes = batch, [], 0
                await writer.write(full)
    finally:
        if batch:
            await uncancelled(writer.write(batch))
