from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from graphql_api.uploads.multipart import StreamedRequest, parse_multipart
from storage.local import LocalStorage
from tests.graphql_api.uploads.multipart.forms import request_of

MAX_FILE_BYTES = 3 * 2**20
MAX_REQUEST_BYTES = 20 * 2**20
MAX_FILES = 4

Parse = Callable[..., Awaitable[StreamedRequest]]


@pytest.fixture
async def storage(tmp_path: Path) -> LocalStorage:
    storage = LocalStorage(tmp_path / "files")
    await storage.prepare()
    return storage


@pytest.fixture
def parse(storage: LocalStorage) -> Parse:
    """Takes the chunks of a body, or a whole one."""

    async def parse_chunks(chunks: bytes | Iterable[bytes], **options: Any) -> StreamedRequest:
        return await parse_multipart(
            request_of([chunks] if isinstance(chunks, bytes) else chunks, **options),
            storage,
            max_file_bytes=MAX_FILE_BYTES,
            max_request_bytes=MAX_REQUEST_BYTES,
            max_files=MAX_FILES,
        )

    return parse_chunks


@pytest.fixture
def nothing_stored(tmp_path: Path) -> Callable[[], bool]:
    """Whether the storage folder holds no file, whole or unfinished."""
    return lambda: not [path for path in (tmp_path / "files").rglob("*") if path.is_file()]
