"""Files in a bucket of an S3 server: AWS, Ceph, SeaweedFS, Garage and others."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aioboto3
from aiobotocore.config import AioConfig
from botocore.exceptions import ClientError
from typing_extensions import override

from storage.base import AbstractStorage, StoredFile
from storage.cancellation import run_blocking, uncancelled
from storage.content_disposition import content_disposition
from storage.errors import FileMissingError, InvalidKeyError, StorageConfigurationError
from storage.keys import check_key, check_prefix
from storage.s3_appender import S3Appender
from storage.s3_errors import error_code, s3_errors
from storage.s3_writer import PART_BYTES, S3Writer

_CHUNK_BYTES = 2**20
_PARTIAL = ".partial/"
"""Folder of the ends of unfinished files; no key begins with a dot."""
_SOURCE_SECONDS = 6 * 3600
_LONGEST_PRESIGNED_SECONDS = 7 * 86400


@dataclass(frozen=True)
class _Clients:
    """The clients of one event loop."""

    stack: AsyncExitStack
    server: Any
    public: Any
    """Signs URLs for the address that browsers use; sends nothing."""


class S3Storage(AbstractStorage):
    """Keeps the file of key ``a/b`` as the object ``prefix/a/b`` of `bucket`.

    One client per event loop is opened on first use and kept, so connections are reused; `aclose` closes it.

    Args:
        bucket: `prepare` makes it when missing.
        prefix: Folder in the bucket; everything outside it is left alone.
        endpoint_url: Address of the server; None for AWS.
        public_endpoint_url: Address of the same server for browsers, where it differs.
        region: Where none is set here or in the AWS configuration, ``us-east-1``.
        addressing_style: ``path``, ``virtual`` or ``auto``; ``path`` by default where an endpoint is given.
        access_key_id: With `secret_access_key`; without them they come from where AWS tools find them.
        secret_access_key: See `access_key_id`.
    """

    def __init__(
        self,
        bucket: str,
        *,
        prefix: str = "",
        endpoint_url: str | None = None,
        public_endpoint_url: str | None = None,
        region: str | None = None,
        addressing_style: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
    ) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix}/" if check_prefix(prefix) else ""
        self._endpoint_url = endpoint_url
        self._public_endpoint_url = public_endpoint_url
        self._session = aioboto3.Session(
            aws_access_key_id=access_key_id, aws_secret_access_key=secret_access_key, region_name=region
        )
        self._config = AioConfig(
            signature_version="s3v4",  # presigned URLs would be SigV2
            s3={"addressing_style": addressing_style or ("path" if endpoint_url else "auto")},
            # Checksum trailers, boto's default, are unknown to many servers other than AWS.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            connect_timeout=10,
            read_timeout=60,
            retries={"max_attempts": 4, "mode": "standard"},
            max_pool_connections=50,
        )
        self._opening: dict[asyncio.AbstractEventLoop, asyncio.Task[_Clients]] = {}

    @override
    async def prepare(self) -> None:
        client = (await self._clients()).server
        with s3_errors(self._bucket):
            try:
                await client.head_bucket(Bucket=self._bucket)
            except ClientError as error:
                if error_code(error) != "404":
                    raise
                await self._create_bucket(client)

    @override
    async def aclose(self) -> None:
        opening = self._opening.pop(asyncio.get_running_loop(), None)
        if opening is not None:
            await (await opening).stack.aclose()

    @override
    @asynccontextmanager
    async def writer(self, key: str) -> AsyncIterator[S3Writer]:
        object_key = self._object_key(key)
        writer = S3Writer((await self._clients()).server, self._bucket, object_key, key)
        try:
            yield writer
            await writer.commit()
        except BaseException:
            await uncancelled(writer.abort())
            raise

    @override
    @asynccontextmanager
    async def appender(
        self, key: str, *, state: str = "", offset_bytes: int = 0, fence: int = 0
    ) -> AsyncIterator[S3Appender]:
        appender = S3Appender(
            (await self._clients()).server,
            self._bucket,
            self._object_key(key),
            tails=f"{self._prefix}{_PARTIAL}{key}",
            key=key,
            state=state,
            offset_bytes=offset_bytes,
        )
        await appender.open()
        try:
            yield appender
        finally:
            await uncancelled(appender.close())

    @override
    async def discard_unfinished(self, key: str) -> None:
        object_key = self._object_key(key)
        await self._abort_uploads(object_key, lambda upload: bool(upload["Key"] == object_key))
        await self._delete_partial(f"{_PARTIAL}{key}/", lambda _: True)

    @override
    async def put_file(self, key: str, path: Path) -> None:
        async with self.writer(key) as writer:
            with await run_blocking(path.open, "rb") as file:
                while data := await run_blocking(file.read, PART_BYTES):
                    await writer.write(data)

    @override
    async def stream(self, key: str, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        object_key = self._object_key(key)
        if end is not None and start >= end:
            await self._require(key)
            return
        wanted = (
            {} if start == 0 and end is None else {"Range": f"bytes={start}-{'' if end is None else end - 1}"}
        )
        client = (await self._clients()).server
        with s3_errors(key):
            try:
                answer = await client.get_object(Bucket=self._bucket, Key=object_key, **wanted)
            except ClientError as error:
                if error_code(error) == "InvalidRange":  # the file ends before `start`
                    return
                raise
        body = answer["Body"]
        async with body:
            while True:
                with s3_errors(key):
                    chunk = await body.read(_CHUNK_BYTES)
                if not chunk:
                    return
                yield chunk

    @override
    async def stat(self, key: str) -> StoredFile | None:
        object_key = self._object_key(key)
        client = (await self._clients()).server
        try:
            with s3_errors(key):
                answer = await client.head_object(Bucket=self._bucket, Key=object_key)
        except FileMissingError:
            return None
        return StoredFile(
            size_bytes=answer["ContentLength"],
            modified_at=answer["LastModified"].astimezone(UTC),
            etag=answer["ETag"].strip('"'),
        )

    @override
    async def delete(self, key: str) -> None:
        object_key = self._object_key(key)
        client = (await self._clients()).server
        with s3_errors(key):
            await client.delete_object(Bucket=self._bucket, Key=object_key)

    @override
    async def delete_prefix(self, prefix: str) -> None:
        if not check_prefix(prefix):
            raise InvalidKeyError("An empty prefix would delete everything that is stored.")
        client = (await self._clients()).server
        async with aclosing(self._pages(prefix)) as pages:
            async for object_keys in pages:
                with s3_errors(prefix):
                    answer = await client.delete_objects(
                        Bucket=self._bucket,
                        Delete={
                            "Objects": [{"Key": object_key} for object_key in object_keys],
                            "Quiet": True,
                        },
                    )
                    if errors := answer.get("Errors"):
                        raise ClientError({"Error": errors[0]}, "DeleteObjects")

    @override
    async def list(self, prefix: str = "") -> AsyncGenerator[str, None]:
        async with aclosing(self._pages(prefix)) as pages:
            async for object_keys in pages:
                for object_key in object_keys:
                    yield object_key.removeprefix(self._prefix)

    @override
    async def source(self, key: str) -> str:
        """A presigned URL, good for six hours."""
        await self._require(key)
        client = (await self._clients()).server
        return await self._presigned(client, key, {}, _SOURCE_SECONDS)

    @override
    async def public_url(
        self,
        key: str,
        expires_in_seconds: int,
        content_type: str | None = None,
        filename: str | None = None,
        *,
        attachment: bool = False,
    ) -> str | None:
        """A presigned URL; S3 allows it to live for at most seven days. It answers GET and not HEAD."""
        answer_headers = {"ResponseContentDisposition": content_disposition(filename, attachment=attachment)}
        if content_type:
            answer_headers["ResponseContentType"] = content_type
        client = (await self._clients()).public
        return await self._presigned(
            client, key, answer_headers, min(expires_in_seconds, _LONGEST_PRESIGNED_SECONDS)
        )

    @override
    async def remove_abandoned(
        self, older_than_seconds: float, unfinished: Collection[str] = frozenset()
    ) -> int:
        latest = datetime.now(UTC) - timedelta(seconds=older_than_seconds)

        def is_abandoned(upload: dict[str, Any]) -> bool:
            return (
                upload["Initiated"] <= latest and upload["Key"].removeprefix(self._prefix) not in unfinished
            )

        def is_left_over(item: dict[str, Any]) -> bool:
            key = item["Key"].removeprefix(self._prefix + _PARTIAL).rpartition("/")[0]
            return item["LastModified"] <= latest and key not in unfinished

        return await self._abort_uploads(self._prefix, is_abandoned) + await self._delete_partial(
            _PARTIAL, is_left_over
        )

    @override
    async def free_bytes(self) -> int | None:
        """None, once the server has answered: S3 does not tell."""
        client = (await self._clients()).server
        with s3_errors(self._bucket):
            await client.head_bucket(Bucket=self._bucket)
        return None

    async def _abort_uploads(self, prefix: str, is_chosen: Callable[[dict[str, Any]], bool]) -> int:
        client = (await self._clients()).server
        count = 0
        with s3_errors(self._bucket):
            pages = client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self._bucket, Prefix=prefix
            )
            async for page in pages:
                for upload in filter(is_chosen, page.get("Uploads", [])):
                    await client.abort_multipart_upload(
                        Bucket=self._bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                    )
                    count += 1
        return count

    async def _delete_partial(self, folder: str, is_chosen: Callable[[dict[str, Any]], bool]) -> int:
        client = (await self._clients()).server
        count = 0
        with s3_errors(self._bucket):
            pages = client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix + folder
            )
            async for page in pages:
                for item in filter(is_chosen, page.get("Contents", [])):
                    await client.delete_object(Bucket=self._bucket, Key=item["Key"])
                    count += 1
        return count

    def _object_key(self, key: str) -> str:
        return self._prefix + check_key(key)

    async def _require(self, key: str) -> None:
        if await self.stat(key) is None:
            raise FileMissingError(f"Nothing is stored under {key!r}.")

    async def _pages(self, prefix: str) -> AsyncGenerator[Sequence[str], None]:
        """The object keys in a folder, up to 1000 at a time."""
        folder = check_prefix(prefix)
        client = (await self._clients()).server
        pages = client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._prefix + (f"{folder}/" if folder else "")
        )
        with s3_errors(prefix):
            async for page in pages:
                found = [item["Key"] for item in page.get("Contents", [])]
                if object_keys := [key for key in found if not key.startswith(self._prefix + _PARTIAL)]:
                    yield object_keys

    async def _presigned(self, client: Any, key: str, answer_headers: dict[str, str], seconds: int) -> str:
        parameters = {"Bucket": self._bucket, "Key": self._object_key(key), **answer_headers}
        with s3_errors(key):
            return str(
                await client.generate_presigned_url("get_object", Params=parameters, ExpiresIn=seconds)
            )

    async def _create_bucket(self, client: Any) -> None:
        region = client.meta.region_name
        if (
            self._endpoint_url is None and region != "us-east-1"
        ):  # AWS wants to be told; others know one place
            await client.create_bucket(
                Bucket=self._bucket, CreateBucketConfiguration={"LocationConstraint": region}
            )
        else:
            await client.create_bucket(Bucket=self._bucket)

    async def _clients(self) -> _Clients:
        loop = asyncio.get_running_loop()
        if loop not in self._opening:
            self._opening[loop] = loop.create_task(self._open_clients())
        try:
            return await asyncio.shield(self._opening[loop])
        except StorageConfigurationError:
            self._opening.pop(loop, None)
            raise

    async def _open_clients(self) -> _Clients:
        async with AsyncExitStack() as stack:
            server = await self._open_client(stack, self._endpoint_url)
            public = server
            if self._public_endpoint_url:
                public = await self._open_client(stack, self._public_endpoint_url)
            return _Clients(stack.pop_all(), server, public)

    async def _open_client(self, stack: AsyncExitStack, endpoint_url: str | None) -> Any:
        region = self._session.region_name or "us-east-1"
        try:
            return await stack.enter_async_context(
                self._session.client("s3", endpoint_url=endpoint_url, region_name=region, config=self._config)
            )
        except ValueError as error:
            raise StorageConfigurationError(f"The S3 storage is not set up: {error}") from error
