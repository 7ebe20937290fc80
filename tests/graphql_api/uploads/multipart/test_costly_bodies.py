"""Bodies that take the parser long, and bodies that are parsed beside others."""

import asyncio
import hashlib
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from graphql_api.uploads.multipart import MultipartError, parse_multipart
from graphql_api.uploads.multipart.body import parsing_gate
from graphql_api.uploads.multipart.form_reader import FormReader
from storage.local import LocalStorage
from tests.graphql_api.uploads.multipart.conftest import Parse
from tests.graphql_api.uploads.multipart.forms import BOUNDARY, chunked, files_body, request_of

FALSE = b"\r\n--" + BOUNDARY.encode()


@pytest.mark.parametrize("chunk_bytes", [100, 4_000, 10**9])
async def test_lines_that_begin_like_the_boundary(
    parse: Parse, nothing_stored: Callable[[], bool], chunk_bytes: int
) -> None:
    """A few are content; thousands keep the parser busy, byte by byte, and are no file of anybody's."""
    streamed = await parse(chunked(files_body((FALSE + b"x") * 900), chunk_bytes))
    assert streamed.files[0].size_bytes == 900 * (len(FALSE) + 1)
    await streamed.discard()
    form = files_body((FALSE + b"x") * 3_000)
    with pytest.raises(MultipartError, match="the boundary is a part of a file") as caught:
        await parse(chunked(form, chunk_bytes))
    assert caught.value.status == 400
    assert nothing_stored()


@pytest.mark.parametrize("chunk_bytes", [1, len(FALSE), 100, 4_001, 10**9])
@pytest.mark.parametrize("padding", [b" ", b"\t", b" \t"])
async def test_spaces_after_a_boundary(
    parse: Parse, nothing_stored: Callable[[], bool], chunk_bytes: int, padding: bytes
) -> None:
    """A few are allowed; of thousands the parser takes each by itself."""
    form = files_body(b"x", b"y")
    second = FALSE + b'\r\nContent-Disposition: form-data; name="1"'
    padded = form.replace(second, second.replace(FALSE, FALSE + padding * 20))
    assert padded != form
    streamed = await parse(chunked(padded, chunk_bytes))
    assert [file.size_bytes for file in streamed.files] == [1, 1]
    await streamed.discard()
    padded = form.replace(second, second.replace(FALSE, FALSE + padding * 3_000))
    with pytest.raises(MultipartError, match="too many spaces"):
        await parse(chunked(padded, chunk_bytes))
    assert nothing_stored()


async def test_bodies_are_parsed_one_at_a_time(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one is, it holds Python's lock, which all the others need. What is short asks no thread."""
    parse, under_way, seen = FormReader.parse, 0, []

    def parse_slowly(reader: FormReader, chunks: list[bytes]) -> Any:
        nonlocal under_way
        if threading.current_thread() is threading.main_thread():
            return parse(reader, chunks)
        under_way += 1
        time.sleep(0.01)
        seen.append(under_way)
        try:
            return parse(reader, chunks)
        finally:
            under_way -= 1

    monkeypatch.setattr(FormReader, "parse", parse_slowly)
    gate = parsing_gate()
    contents = [bytes([number]) * 2_500_000 for number in range(4)]

    async def upload(content: bytes) -> None:
        limits: Any = {"max_file_bytes": 10**9, "max_request_bytes": 10**9, "max_files": 1}
        request = request_of(chunked(files_body(content), 2**17))
        async with await parse_multipart(request, storage, gate=gate, **limits) as streamed:
            assert streamed.files[0].sha256 == hashlib.sha256(content).hexdigest()

    await asyncio.gather(*map(upload, contents))
    assert len(seen) > 8
    assert set(seen) == {1}
