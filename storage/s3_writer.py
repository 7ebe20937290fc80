"""One file on its way to S3."""

import asyncio
from contextlib import suppress
from typing import Any

from storage.cancellation import uncancelled
from storage.errors import StorageError, StorageFullError
from storage.s3_errors import s3_errors

PART_BYTES = 8 * 2**20
"""Length of a part: S3 wants at least 5 MiB and some servers want all alike; longer ones take more memory."""

MAX_PARTS = 10_000
"""What S3 allows. With the part length it bounds a file at 78 GiB."""

_PARTS_IN_FLIGHT = 2
_ABORT_SECONDS = 30


class S3Writer:
    """Sends parts while later bytes arrive, and holds at most four of them in memory.

    A file shorter than one part is sent by a single request. boto's own `upload_fileobj` is not used since it
    leaves its parts on the server when its task is cancelled.
    """

    def __init__(self, client: Any, bucket: str, object_key: str, key: str) -> None:
        self._client = client
        self._address = {"Bucket": bucket, "Key": object_key}
        self._key = key
        self._buffer = bytearray()
        self._upload_id: str | None = None
        self._etags: dict[int, str] = {}
        self._part_count = 0
        self._sending: set[asyncio.Task[None]] = set()

    async def write(self, data: bytes) -> None:
        """Append `data`; waits while two parts are on their way."""
        rest = memoryview(data)
        while rest:
            taken = rest[: PART_BYTES - len(self._buffer)]
            self._buffer += taken
            rest = rest[len(taken) :]
            if len(self._buffer) == PART_BYTES:
                await self._send_buffer()

    async def commit(self) -> None:
        """Send what is left and make the file appear."""
        if self._upload_id is None:
            with s3_errors(self._key):
                await self._client.put_object(**self._address, Body=bytes(self._buffer))
            return
        if self._buffer:
            await self._send_buffer()
        while self._sending:
            await self._collect_sent()
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in sorted(self._etags.items())]
        with s3_errors(self._key):
            await self._client.complete_multipart_upload(
                **self._address, UploadId=self._upload_id, MultipartUpload={"Parts": parts}
            )

    async def abort(self) -> None:
        """Stop sending and remove the parts that the server has; if that fails, they count as abandoned."""
        for part in self._sending:
            part.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        if self._upload_id is None:
            return
        with suppress(StorageError), s3_errors(self._key):
            async with asyncio.timeout(_ABORT_SECONDS):
                await self._client.abort_multipart_upload(**self._address, UploadId=self._upload_id)

    async def _send_buffer(self) -> None:
        if self._part_count == MAX_PARTS:
            raise StorageFullError(
                f"{self._key!r} is longer than {MAX_PARTS * PART_BYTES} bytes, which S3 cannot take."
            )
        if self._upload_id is None:
            # Were the task cancelled before the id is known, nobody could abort the upload.
            await uncancelled(self._begin())
        if len(self._sending) == _PARTS_IN_FLIGHT:
            await self._collect_sent()
        self._part_count += 1
        self._sending.add(asyncio.create_task(self._send_part(self._part_count, bytes(self._buffer))))
        self._buffer.clear()

    async def _begin(self) -> None:
        with s3_errors(self._key):
            answer = await self._client.create_multipart_upload(**self._address)
        self._upload_id = answer["UploadId"]

    async def _send_part(self, number: int, body: bytes) -> None:
        with s3_errors(self._key):
            answer = await self._client.upload_part(
                **self._address, UploadId=self._upload_id, PartNumber=number, Body=body
            )
        self._etags[number] = answer["ETag"]

    async def _collect_sent(self) -> None:
        """Wait until a part is sent, and raise what went wrong with it."""
        sent, self._sending = await asyncio.wait(self._sending, return_when=asyncio.FIRST_COMPLETED)
        for part in sent:
            part.result()
