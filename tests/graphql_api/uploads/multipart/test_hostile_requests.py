"""Requests that cannot be taken: each has its own answer, and nothing of it is kept."""

import asyncio
import json
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from graphql_api.uploads.multipart import MultipartError, parse_multipart
from storage.errors import StorageFullError, StorageUnavailableError
from storage.local import LocalStorage
from tests.graphql_api.uploads.multipart.conftest import MAX_FILE_BYTES, MAX_FILES, MAX_REQUEST_BYTES, Parse
from tests.graphql_api.uploads.multipart.forms import (
    BOUNDARY,
    body,
    chunked,
    file_map,
    files_body,
    operations,
    part,
    request_of,
)

ONE = operations({"file": None})
MAP = file_map({"0": ["variables.file"]})
FILE = part("0", "content", "a.mp4")
TWO = operations({"file": None, "other": None})


BAD_BODIES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "has no boundary"),
    "only the end": (body(), "no field 'operations'"),
    "text": (b"just some text", "has no boundary"),
    "another boundary": (files_body(b"x").replace(BOUNDARY.encode(), b"another"), "has no boundary"),
    "no closing boundary": (files_body(b"x")[: -len(BOUNDARY) - 6], "closing boundary"),
    "cut in a header": (body(ONE, MAP, end=f"--{BOUNDARY}\r\nContent-Disposition: form-data; na"), "closing"),
    "bare newlines": (files_body(b"x").replace(b"\r\n", b"\n"), "malformed"),
    "header without a name": (body(f"--{BOUNDARY}\r\n: x\r\n\r\nx\r\n".encode()), "malformed"),
    "header with odd bytes": (body(f"--{BOUNDARY}\r\nÜ: x\r\n\r\nx\r\n".encode()), "malformed"),
    "a very long header": (body(part("operations", "{}", headers="X: " + "x" * 5000 + "\r\n")), "malformed"),
    "very many headers": (
        body(part("operations", "{}", headers="".join(f"X-{n}: x\r\n" for n in range(100)))),
        "malformed",
    ),
    "the same header twice": (
        body(part("operations", "{}", headers='Content-Disposition: form-data; name="map"\r\n')),
        "twice",
    ),
    "no headers": (body(f"--{BOUNDARY}\r\n\r\nx\r\n".encode()), "lacks its header"),
    "no name": (
        body(f"--{BOUNDARY}\r\nContent-Disposition: form-data\r\n\r\nx\r\n".encode()),
        "lacks its header",
    ),
    "an attachment": (
        body(f'--{BOUNDARY}\r\nContent-Disposition: attachment; name="operations"\r\n\r\n{{}}\r\n'.encode()),
        "lacks its header",
    ),
    "base64": (
        body(ONE, MAP, part("0", "eHg=", "a", "Content-Transfer-Encoding: base64\r\n")),
        "encoding 'base64'",
    ),
    "operations missing": (body(MAP, FILE), "'operations' must come before 'map'"),
    "map missing": (body(ONE, FILE), "must come before the file '0'"),
    "map missing, no file": (body(ONE), "no field 'map'"),
    "file first": (body(FILE, ONE, MAP), "must come before the file '0'"),
    "map first": (body(MAP, ONE, FILE), "'operations' must come before 'map'"),
    "operations twice": (body(ONE, ONE, MAP, FILE), "'operations' twice"),
    "map twice": (body(ONE, MAP, MAP, FILE), "'map' twice"),
    "operations as a file": (body(part("operations", "{}", "o.json")), "sent as a file"),
    "map as a file": (body(ONE, part("map", "{}", "m.json")), "sent as a file"),
    "a long preamble": (b"x" * 4096 + b"\r\n" + body(ONE, MAP, FILE), "no boundary in its first 4096 bytes"),
    "a boundary inside a line": (b"x" + body(ONE, MAP, FILE), "'operations' must come before 'map'"),
    "a file that is not in map": (body(ONE, MAP, FILE, part("1", "x", "b")), "'1' is not in 'map'"),
    "a file twice": (body(ONE, MAP, FILE, FILE), "file '0' twice"),
    "a file missing": (body(ONE, MAP), "does not have"),
    "another file missing": (
        body(TWO, file_map({"0": ["variables.file"], "late": ["variables.other"]}), FILE),
        "'late', which the request does not have",
    ),
    "a null byte as the name": (body(ONE, MAP, FILE, part("\0", "x", "b")), "not in 'map'"),
}

BAD_OPERATIONS: dict[str, tuple[bytes, str]] = {
    "a list": (b'[{"query": "x"}]', "one GraphQL request at a time"),
    "an empty list": (b"[]", "one GraphQL request at a time"),
    "a number": (b"1", "must be a JSON object"),
    "null": (b"null", "must be a JSON object"),
    "a string": (b'"query"', "must be a JSON object"),
    "nothing": (b"", "not JSON"),
    "no JSON": (b"{query: x}", "not JSON"),
    "not UTF-8": (b'{"query": "\xff\xfe"}', "not JSON"),
    "UTF-16": ('{"query": "x"}'.encode("utf-16"), "not JSON"),
    "NaN": (b'{"query": NaN}', "not JSON"),
    "deep": (b'{"variables":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "not JSON"),
    "a lone surrogate": (b'{"query": "\\ud800"}', "not JSON"),
}

BAD_MAPS: dict[str, tuple[Any, str]] = {
    "a list": ([["variables.file"]], "must be a JSON object"),
    "null": (None, "must be a JSON object"),
    "a number": (1, "must be a JSON object"),
    "a string for the list": ({"0": "variables.file"}, "a list of paths"),
    "null for the list": ({"0": None}, "a list of paths"),
    "an object for the list": ({"0": {"0": "variables.file"}}, "a list of paths"),
    "an empty list": ({"0": []}, "a list of paths"),
    "a number for a path": ({"0": [1]}, "no string"),
    "null for a path": ({"0": [None]}, "no string"),
    "a list for a path": ({"0": [["variables", "file"]]}, "no string"),
    "an empty path": ({"0": [""]}, "does not lead into the variables"),
    "the variables themselves": ({"0": ["variables"]}, "does not lead into the variables"),
    "the query": ({"0": ["query"]}, "does not lead into the variables"),
    "the operation name": ({"0": ["operationName"]}, "does not lead into the variables"),
    "the operations": ({"0": ["__proto__.polluted"]}, "does not lead into the variables"),
    "a batch": ({"0": ["0.variables.file"]}, "does not lead into the variables"),
    "nowhere": ({"0": ["variables.missing"]}, "leads nowhere"),
    "nowhere, deep": ({"0": ["variables.missing.file"]}, "leads nowhere"),
    "below null": ({"0": ["variables.file.name"]}, "leads nowhere"),
    "a prototype": ({"0": ["variables.__proto__"]}, "leads nowhere"),
    "an attribute": ({"0": ["variables.__class__.__init__"]}, "leads nowhere"),
    "into text": ({"0": ["variables.text.0"]}, "leads nowhere"),
    "text": ({"0": ["variables.text"]}, "other than null"),
    "false": ({"0": ["variables.no"]}, "other than null"),
    "a list of nulls": ({"0": ["variables.list"]}, "other than null"),
    "past the end": ({"0": ["variables.list.2"]}, "leads nowhere"),
    "from the end": ({"0": ["variables.list.-1"]}, "leads nowhere"),
    "an index of letters": ({"0": ["variables.list.x"]}, "leads nowhere"),
    "an index with zeros": ({"0": ["variables.list.00"]}, "leads nowhere"),
    "an index in other digits": ({"0": ["variables.list.\u0661"]}, "leads nowhere"),
    "a huge index": ({"0": ["variables.list." + "9" * 5000]}, "leads nowhere"),
    "an empty step": ({"0": ["variables..file"]}, "leads nowhere"),
    "a very long path": ({"0": ["variables" + ".list" * 50_000]}, "leads nowhere"),
    "a path twice": ({"0": ["variables.file", "variables.file"]}, "twice"),
    "a path of two files": ({"0": ["variables.file"], "1": ["variables.file"]}, "twice"),
    "too many files": ({str(n): [f"variables.f{n}"] for n in range(MAX_FILES + 1)}, "has 5 files; 4 at once"),
}


async def assert_refused(
    parse: Parse, nothing_stored: Callable[[], bool], form: bytes | list[bytes], message: str, **options: Any
) -> MultipartError:
    with pytest.raises(MultipartError) as caught:
        await parse(form, **options)
    assert message in caught.value.message
    assert len(caught.value.message) < 400
    assert nothing_stored()
    return caught.value


@pytest.mark.parametrize("chunk_bytes", [3, 10**9])
@pytest.mark.parametrize("name", BAD_BODIES)
async def test_bad_bodies(
    parse: Parse, nothing_stored: Callable[[], bool], name: str, chunk_bytes: int
) -> None:
    form, message = BAD_BODIES[name]
    error = await assert_refused(parse, nothing_stored, chunked(form, chunk_bytes), message)
    assert error.status == 400


@pytest.mark.parametrize("name", BAD_OPERATIONS)
async def test_bad_operations(parse: Parse, nothing_stored: Callable[[], bool], name: str) -> None:
    value, message = BAD_OPERATIONS[name]
    error = await assert_refused(parse, nothing_stored, body(part("operations", value), MAP, FILE), message)
    assert error.status == 400


@pytest.mark.parametrize("name", BAD_MAPS)
async def test_bad_maps(parse: Parse, nothing_stored: Callable[[], bool], name: str) -> None:
    paths, message = BAD_MAPS[name]
    variables = {"file": None, "text": "some", "no": False, "list": [None, None]}
    error = await assert_refused(
        parse, nothing_stored, body(operations(variables), file_map(paths), FILE), message
    )
    assert error.status == 400


async def test_a_map_that_is_no_json(parse: Parse, nothing_stored: Callable[[], bool]) -> None:
    await assert_refused(parse, nothing_stored, body(ONE, part("map", "{"), FILE), "'map' is not JSON")


async def test_variables_that_are_none(parse: Parse, nothing_stored: Callable[[], bool]) -> None:
    for variables in (None, [], "text", 1):
        await assert_refused(parse, nothing_stored, body(operations(variables), MAP, FILE), "leads nowhere")
    without = part("operations", json.dumps({"query": "x"}))
    await assert_refused(parse, nothing_stored, body(without, MAP, FILE), "leads nowhere")


@pytest.mark.parametrize("name", ["operations", "map"])
async def test_long_fields(parse: Parse, nothing_stored: Callable[[], bool], name: str) -> None:
    form = body(ONE, part(name, b"x" * (2**18 + 1)))
    error = await assert_refused(parse, nothing_stored, chunked(form, 65_536), "longer than 262144 bytes")
    assert error.status == 413


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_a_long_field_that_is_ignored(
    parse: Parse, nothing_stored: Callable[[], bool], place: int
) -> None:
    parts = [ONE, MAP, FILE]
    parts.insert(place, part("token", b"x" * (2**18 + 1)))
    error = await assert_refused(
        parse, nothing_stored, chunked(body(*parts), 65_536), "'token' is longer than"
    )
    assert error.status == 413


async def test_thousands_of_parts(parse: Parse, nothing_stored: Callable[[], bool]) -> None:
    form = body(ONE, MAP, *(part("0", "x", "a") for _ in range(5000)))
    await assert_refused(parse, nothing_stored, form, "more than 16 parts")
    many = [part("token", "x") for _ in range(15)]
    allowed = "more than 16 parts: 'operations', 'map', 4 files and 10 other fields are allowed."
    await assert_refused(parse, nothing_stored, body(ONE, MAP, *many), allowed)
    form = body(*(part("", "") for _ in range(5000)))
    await assert_refused(parse, nothing_stored, form, "")


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("", 415),
        ("application/json", 415),
        ("multipart/mixed; boundary=x", 415),
        ("multipart/form-data", 400),
        ("multipart/form-data; boundary=", 400),
        ('multipart/form-data; boundary=""', 400),
        ("multipart/form-data; boundary=" + "x" * 71, 400),
        ("multipart/form-data; boundary=" + "x" * 100_000, 400),
        ("multipart/form-data; boundary=\xff\xff", 400),
        ('multipart/form-data; boundary="a\tb"', 400),
        ("multipart/form-data; boundary*=utf-8''x", 400),
    ],
)
async def test_bad_content_types(
    parse: Parse, nothing_stored: Callable[[], bool], content_type: str, status: int
) -> None:
    error = await assert_refused(parse, nothing_stored, files_body(b"x"), "", content_type=content_type)
    assert error.status == status


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Basic dXNlcjpwYXNz"},
        {"cookie": "session=1"},
        {"x-requested-with": "  "},
        {"origin": "https://evil.example"},
    ],
)
async def test_a_form_of_another_site_is_refused_unread(
    storage: LocalStorage, headers: dict[str, str]
) -> None:
    request = request_of([files_body(b"x")], headers={"graphql-require-preflight": "", **headers})
    with pytest.raises(MultipartError, match="graphql-require-preflight") as caught:
        await parse_multipart(request, storage, max_file_bytes=1, max_request_bytes=1, max_files=1)
    assert caught.value.status == 403
    assert await request.body(), "the body had been read"


@pytest.mark.parametrize("length", [str(MAX_REQUEST_BYTES + 1), "9" * 5000])
async def test_a_request_that_says_it_is_too_large_is_refused_unread(
    storage: LocalStorage, length: str
) -> None:
    request = request_of([files_body(b"x")], headers={"content-length": length})
    with pytest.raises(MultipartError, match=str(MAX_REQUEST_BYTES)) as caught:
        await parse_multipart(
            request, storage, max_file_bytes=1, max_request_bytes=MAX_REQUEST_BYTES, max_files=1
        )
    assert caught.value.status == 413
    assert await request.body(), "the body had been read"


@pytest.mark.parametrize("length", ["-1", "1e3", "x", "²"])
async def test_a_length_that_is_no_number(
    parse: Parse, nothing_stored: Callable[[], bool], length: str
) -> None:
    await assert_refused(parse, nothing_stored, b"", "no number", headers={"content-length": length})


async def test_a_request_that_turns_out_too_large(parse: Parse, nothing_stored: Callable[[], bool]) -> None:
    contents = [b"x" * (MAX_FILE_BYTES - 1)] * 3 + [b"y" * (MAX_REQUEST_BYTES - 3 * MAX_FILE_BYTES)]
    error = await assert_refused(
        parse, nothing_stored, chunked(files_body(*contents), 65_536), f"larger than {MAX_REQUEST_BYTES}"
    )
    assert error.status == 413


@pytest.mark.parametrize("share", [0.0, 0.01, 0.2, 0.5, 0.9, 1.0])
async def test_a_client_that_vanishes(parse: Parse, nothing_stored: Callable[[], bool], share: float) -> None:
    form = files_body(b"x" * 2_000_000, b"y" * 2_000_000)
    cut = chunked(form[: int((len(form) - 5) * share)], 65_536)
    error = await assert_refused(parse, nothing_stored, cut, "went away", disconnects=True)
    assert error.status == 400


async def test_a_client_that_falls_silent(storage: LocalStorage, nothing_stored: Callable[[], bool]) -> None:
    request = request_of([files_body(b"x" * 2_000_000)[:-10]])
    receive = request.receive
    silent = asyncio.Event()

    async def receive_then_wait() -> Any:
        message = await receive()
        if not message.get("body"):
            await silent.wait()
        return message

    request._receive = receive_then_wait
    with pytest.raises(MultipartError, match=r"sent nothing for 0\.05 seconds") as caught:
        await parse_multipart(
            request, storage, max_file_bytes=10**9, max_request_bytes=10**9, max_files=1, idle_seconds=0.05
        )
    assert caught.value.status == 408
    assert nothing_stored()


@pytest.mark.parametrize("wait_seconds", [0, 0.001, 0.01, 0.05])
async def test_a_cancelled_request_keeps_nothing(
    storage: LocalStorage, nothing_stored: Callable[[], bool], wait_seconds: float
) -> None:
    request = request_of(chunked(files_body(b"x" * 2_500_000, b"y" * 2_500_000), 10_000))
    task = asyncio.create_task(
        parse_multipart(request, storage, max_file_bytes=10**9, max_request_bytes=10**9, max_files=2)
    )
    await asyncio.sleep(wait_seconds)
    if task.cancel():
        with pytest.raises(asyncio.CancelledError):
            await task
    else:
        await (await task).discard()
    assert nothing_stored()


class FailingStorage(LocalStorage):
    """Fails at the second file, after some of its bytes."""

    def __init__(self, storage: LocalStorage, error: Exception) -> None:
        super().__init__(storage._folder)
        self._error = error
        self._count = 0

    @asynccontextmanager
    async def writer(self, key: str) -> Any:
        self._count += 1
        async with super().writer(key) as writer:
            if self._count == 2:
                await writer.write(b"some bytes")
                raise self._error
            yield writer


@pytest.mark.parametrize(
    ("error", "status"), [(StorageFullError("full"), 507), (StorageUnavailableError("down"), 503)]
)
async def test_a_storage_that_fails(
    storage: LocalStorage, nothing_stored: Callable[[], bool], error: Exception, status: int
) -> None:
    with pytest.raises(MultipartError) as caught:
        await parse_multipart(
            request_of([files_body(b"first", b"second")]),
            FailingStorage(storage, error),
            max_file_bytes=100,
            max_request_bytes=10_000,
            max_files=2,
        )
    assert caught.value.status == status
    assert "full" not in caught.value.message
    assert nothing_stored()


async def test_a_map_of_very_many_places(parse: Parse, nothing_stored: Callable[[], bool]) -> None:
    variables = {"files": [None] * 1001}
    places = {"0": [f"variables.files.{number}" for number in range(1001)]}
    form = body(operations(variables), file_map(places), FILE)
    await assert_refused(parse, nothing_stored, form, "more than 1000 places")
