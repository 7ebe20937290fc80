"""A file on its way to S3 in several goes, by a multipart upload that lasts."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError

from storage.appending import Saved
from storage.errors import FileMissingError, StorageError, StorageFullError
from storage.s3_errors import error_code, s3_errors
from storage.s3_writer import MAX_PARTS, PART_BYTES

_PARTS_IN_FLIGHT = 2


@dataclass
class _State:
    """What is known of a file that is not finished.

    The ETags are those of the parts that this line of writers has sent: if somebody else sends a part, the
    server refuses to join them.
    """

    upload_id: str | None = None
    etags: list[str] = field(default_factory=list)
    """Of the parts, each `PART_BYTES` long."""
    tail: str | None = None
    """The object with what is too short for a part."""
    stale: list[str] = field(default_factory=list)
    """Former tails. They go once the caller has shown that it kept this state."""


class S3Appender:
    """Sends parts while later bytes arrive; what is left over is an object of its own until more comes.

    Args:
        client: Of the server.
        bucket: The bucket.
        object_key: What the file will be called in it.
        tails: The folder in the bucket for what is left over.
        key: The file's key, for messages.
        state: As it was saved.
        offset_bytes: Likewise.
    """

    def __init__(
        self,
        client: Any,
        bucket: str,
        object_key: str,
        *,
        tails: str,
        key: str,
        state: str,
        offset_bytes: int,
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._address = {"Bucket": bucket, "Key": object_key}
        self._tails = tails
        self._key = key
        self._state = _State(**json.loads(state)) if state else _State()
        self._opened_at_bytes = offset_bytes
        self._buffer = bytearray()
        self._saved_tail_bytes = 0
        self._etags: dict[int, str] = dict(enumerate(self._state.etags, 1))
        self._part_count = len(self._etags)
        self._sending: dict[asyncio.Task[None], int] = {}
        self._failure: BaseException | None = None
        self._is_finished = False
        self._last = Saved(offset_bytes, state)

    async def open(self) -> None:
        """Read what was left over."""
        size_bytes = self._opened_at_bytes - self._part_count * PART_BYTES
        if not 0 <= size_bytes < PART_BYTES:
            raise FileMissingError(f"What was written of {self._key!r} is not known.")
        if size_bytes:
            try:
                self._buffer += await self._read_tail()
            except FileMissingError:
                if not await self._is_stored():
                    raise
                self._is_finished = True
                return
            if len(self._buffer) != size_bytes:
                raise FileMissingError(f"Some of what was written of {self._key!r} is gone.")
            self._saved_tail_bytes = size_bytes
        stale, self._state.stale = self._state.stale, []
        await self._delete(stale)

    async def close(self) -> None:
        """Stop sending."""
        for part in self._sending:
            part.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)

    async def write(self, pieces: Sequence[bytes]) -> None:
        """Append the pieces; waits while two parts are on their way."""
        for piece in pieces:
            rest = memoryview(piece)
            while rest:
                taken = rest[: PART_BYTES - len(self._buffer)]
                self._buffer += taken
                rest = rest[len(taken) :]
                if len(self._buffer) == PART_BYTES:
                    await self._send_buffer()

    async def save(self, *, whole: bool = True) -> Saved:
        """The parts that are there; with `whole`, all others and what is left over are sent first."""
        if whole:
            await self._wait_for_parts()
            if self._failure is None and self._buffer and len(self._buffer) != self._saved_tail_bytes:
                await self._save_tail()
        self._collect()
        is_contiguous = len(self._etags) == self._part_count and self._failure is None
        keeps_tail = is_contiguous and len(self._buffer) == self._saved_tail_bytes
        saved = self._saved(self._state.tail if keeps_tail and self._buffer else None)
        if saved.offset_bytes > self._last.offset_bytes:
            self._last = saved
        return self._last

    async def finish(self) -> None:
        """Send what is left and make the file appear."""
        if self._is_finished:
            return
        await self._wait_for_parts()
        if self._failure is not None:
            raise self._failure
        size_bytes = self._part_count * PART_BYTES + len(self._buffer)
        if self._state.upload_id is None:
            with s3_errors(self._key):
                await self._client.put_object(**self._address, Body=bytes(self._buffer))
        else:
            try:
                await self._join_parts()
            except FileMissingError:
                if not await self._is_stored(size_bytes):
                    raise
        self._is_finished = True
        await self._delete(await self._tails_left())

    async def _tails_left(self) -> Sequence[str]:
        """Tails of this file, also those that a writer saved who had been replaced."""
        with suppress(StorageError), s3_errors(self._key):
            page = await self._client.list_objects_v2(Bucket=self._bucket, Prefix=f"{self._tails}/")
            return [item["Key"] for item in page.get("Contents", [])]
        return []

    async def _join_parts(self) -> None:
        etags = [self._etags[number] for number in range(1, self._part_count + 1)]
        with s3_errors(self._key):
            if self._buffer:
                answer = await self._client.upload_part(
                    **self._address,
                    UploadId=self._state.upload_id,
                    PartNumber=self._part_count + 1,
                    Body=bytes(self._buffer),
                )
                etags.append(answer["ETag"])
            parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
            await self._client.complete_multipart_upload(
                **self._address, UploadId=self._state.upload_id, MultipartUpload={"Parts": parts}
            )

    def _saved(self, tail: str | None) -> Saved:
        etags: list[str] = []
        while len(etags) + 1 in self._etags:
            etags.append(self._etags[len(etags) + 1])
        former = [name for name in (self._state.tail, *self._state.stale) if name and name != tail]
        state = _State(self._state.upload_id, etags, tail, former)
        offset_bytes = len(etags) * PART_BYTES + (len(self._buffer) if tail else 0)
        return Saved(offset_bytes, json.dumps(asdict(state), separators=(",", ":")))

    async def _send_buffer(self) -> None:
        if self._part_count == MAX_PARTS:
            raise StorageFullError(
                f"{self._key!r} is longer than {MAX_PARTS * PART_BYTES} bytes, which S3 cannot take."
            )
        if self._state.upload_id is None:
            with s3_errors(self._key):
                answer = await self._client.create_multipart_upload(**self._address)
            self._state.upload_id = answer["UploadId"]
        if len(self._sending) == _PARTS_IN_FLIGHT:
            await asyncio.wait(self._sending, return_when=asyncio.FIRST_COMPLETED)
        self._collect()
        if self._failure is not None:
            raise self._failure
        self._part_count += 1
        body = bytes(self._buffer)
        self._buffer.clear()
        self._saved_tail_bytes = 0
        self._sending[asyncio.create_task(self._send_part(self._part_count, body))] = self._part_count

    async def _send_part(self, number: int, body: bytes) -> None:
        with s3_errors(self._key):
            answer = await self._client.upload_part(
                **self._address, UploadId=self._state.upload_id, PartNumber=number, Body=body
            )
        self._etags[number] = answer["ETag"]

    async def _wait_for_parts(self) -> None:
        if self._sending:
            await asyncio.wait(self._sending)
        self._collect()

    def _collect(self) -> None:
        """Forget the parts that are sent, and remember what went wrong with one."""
        for part in [part for part in self._sending if part.done()]:
            del self._sending[part]
            self._failure = self._failure or part.exception()

    async def _save_tail(self) -> None:
        name = f"{self._tails}/{uuid4().hex}"
        with s3_errors(self._key):
            await self._client.put_object(Bucket=self._bucket, Key=name, Body=bytes(self._buffer))
        if self._state.tail:
            self._state.stale.append(self._state.tail)
        self._state.tail = name
        self._saved_tail_bytes = len(self._buffer)

    async def _read_tail(self) -> bytes:
        if self._state.tail is None:
            raise FileMissingError(f"Some of what was written of {self._key!r} is gone.")
        with s3_errors(self._key):
            answer = await self._client.get_object(Bucket=self._bucket, Key=self._state.tail)
            async with answer["Body"] as body:
                return bytes(await body.read())

    async def _is_stored(self, size_bytes: int | None = None) -> bool:
        """Whether the file is there already: its writer died before it could say so."""
        wanted_bytes = self._opened_at_bytes if size_bytes is None else size_bytes
        with s3_errors(self._key):
            try:
                answer = await self._client.head_object(**self._address)
            except ClientError as error:
                if error_code(error) in ("404", "NoSuchKey"):
                    return False
                raise
        return bool(answer["ContentLength"] == wanted_bytes)

    async def _delete(self, names: Sequence[str]) -> None:
        for name in names:
            with suppress(StorageError), s3_errors(self._key):
                await self._client.delete_object(Bucket=self._bucket, Key=name)
