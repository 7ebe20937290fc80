"""Well-formed requests: what arrives, where it is, and who owns it."""

import hashlib
import json
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphql_api.uploads.multipart import StreamedFile
from graphql_api.uploads.multipart.form_reader import FileBegin, FileData, FileEnd, FormReader
from storage.local import LocalStorage
from tests.graphql_api.uploads.multipart.conftest import MAX_FILE_BYTES, MAX_FILES, Parse
from tests.graphql_api.uploads.multipart.forms import (
    BOUNDARY,
    QUERY,
    body,
    chunked,
    file_map,
    files_body,
    operations,
    part,
)

# Everything a parser may take for the end of a part, or for the end of a line.
TRICKY = b"\r\n--\r\n\r\n--" + BOUNDARY[:-1].encode() + b"\r\n--" + BOUNDARY[:5].encode() + b"\r\r\n\n--\r\n-"


@pytest.mark.parametrize("chunk_bytes", [1, 2, 7, 64, 1000, 10**9])
async def test_files_arrive_whole(parse: Parse, storage: LocalStorage, chunk_bytes: int) -> None:
    contents = [TRICKY * 3, b"", TRICKY + b"\r\n"]
    streamed = await parse(chunked(files_body(*contents), chunk_bytes))
    files = streamed.operations["variables"]["files"]
    assert streamed.operations["query"] == QUERY
    assert files == streamed.files
    for number, (file, content) in enumerate(zip(files, contents, strict=True)):
        assert isinstance(file, StreamedFile)
        assert file.filename == f"{number}.mp4"
        assert file.content_type == "video/mp4"
        assert file.size_bytes == len(content)
        assert file.sha256 == hashlib.sha256(content).hexdigest()
        assert not file.too_large
        assert file.storage_key.startswith("uploads/")
        assert await storage.get(file.storage_key) == content


@pytest.mark.parametrize("place", [0, 1, 2, 3])
@pytest.mark.parametrize("chunk_bytes", [7, 10**9])
async def test_other_fields_are_ignored(
    parse: Parse, storage: LocalStorage, place: int, chunk_bytes: int
) -> None:
    parts = [
        operations({"file": None}),
        file_map({"0": ["variables.file"]}),
        part("0", "content", "a.mp4"),
    ]
    parts[place:place] = [
        part("token", "secret"),
        part("token", b"x" * 2**18),
        part("1", "", headers="A: b\r\n"),
    ]
    streamed = await parse(chunked(body(*parts), chunk_bytes))
    assert list(streamed.operations) == ["query", "variables"]
    assert streamed.files == [streamed.operations["variables"]["file"]]
    assert await storage.get(streamed.files[0].storage_key) == b"content"


async def test_as_many_files_as_allowed_leave_room_for_other_fields(parse: Parse) -> None:
    others = b"".join(part(f"e{number}", "x") for number in range(10))
    assert len((await parse(others + files_body(*[b"x"] * MAX_FILES))).files) == MAX_FILES


@pytest.mark.parametrize("chunk_bytes", [1, 7, 10**9])
@pytest.mark.parametrize("preamble", ["\r\n", "\n", "For old mail readers.\r\n", "--a-bound\r\n--\r\n"])
async def test_what_stands_before_the_first_boundary_is_skipped(
    parse: Parse, storage: LocalStorage, preamble: str, chunk_bytes: int
) -> None:
    streamed = await parse(chunked(preamble.encode() + files_body(TRICKY), chunk_bytes))
    assert await storage.get(streamed.files[0].storage_key) == TRICKY


async def test_large_files(parse: Parse, storage: LocalStorage) -> None:
    contents = [hashlib.sha256(bytes([seed])).digest() * (MAX_FILE_BYTES // 32) for seed in range(4)]
    streamed = await parse(chunked(files_body(*contents), 65_536))
    for file, content in zip(streamed.files, contents, strict=True):
        assert (file.size_bytes, file.too_large) == (MAX_FILE_BYTES, False)
        assert await storage.get(file.storage_key) == content


async def test_files_deep_in_the_variables_and_in_two_places(parse: Parse) -> None:
    variables = {
        "input": {"items": [{"file": None}, {"file": None}], "cover": None},
        "__proto__": {"x": None},
    }
    paths = {"a": ["variables.input.items.1.file", "variables.input.cover"], "b": ["variables.__proto__.x"]}
    streamed = await parse(
        body(operations(variables), file_map(paths), part("b", "B", "b"), part("a", "A", "a"))
    )
    found = streamed.operations["variables"]
    assert found["input"]["items"][0]["file"] is None
    assert found["input"]["items"][1]["file"] is found["input"]["cover"]
    assert found["input"]["cover"].filename == "a"
    assert found["__proto__"]["x"].filename == "b"


async def test_a_file_need_not_have_a_name(parse: Parse, storage: LocalStorage) -> None:
    streamed = await parse(
        body(operations({"f": None}), file_map({"0": ["variables.f"]}), part("0", "content"))
    )
    assert streamed.files[0].filename == "unnamed"
    assert await storage.get(streamed.files[0].storage_key) == b"content"


async def test_a_request_without_files(parse: Parse) -> None:
    streamed = await parse(body(operations({}), file_map({})))
    assert streamed.files == []


async def test_what_is_not_released_is_removed(
    parse: Parse, storage: LocalStorage, nothing_stored: Callable[[], bool]
) -> None:
    async with await parse(files_body(b"kept", b"dropped")) as streamed:
        kept, dropped = streamed.files
        streamed.release(kept)
    assert await storage.get(kept.storage_key) == b"kept"
    assert await storage.stat(dropped.storage_key) is None
    await streamed.discard()
    assert await storage.get(kept.storage_key) == b"kept"

    await storage.delete(kept.storage_key)
    with pytest.raises(ZeroDivisionError):
        async with await parse(files_body(b"x")):
            raise ZeroDivisionError
    assert nothing_stored()


async def test_a_file_over_the_limit_is_marked_and_not_kept(parse: Parse, storage: LocalStorage) -> None:
    contents = [b"before", b"x" * (MAX_FILE_BYTES + 1), b"after", b"y" * MAX_FILE_BYTES]
    streamed = await parse(chunked(files_body(*contents), 65_536))
    assert [file.too_large for file in streamed.files] == [False, True, False, False]
    too_large = streamed.files[1]
    assert too_large.filename == "1.mp4"
    assert too_large.size_bytes == MAX_FILE_BYTES + 1
    assert (too_large.storage_key, too_large.sha256) == ("", "")
    kept = sorted(file.storage_key for file in streamed.files if not file.too_large)
    assert sorted([key async for key in storage.list()]) == kept
    assert await storage.remove_abandoned(-60) == 0


@pytest.mark.parametrize(
    "name",
    ["x-graphql-yoga-csrf", "apollo-require-preflight", "graphql-require-preflight", "x-requested-with"],
)
async def test_any_preflight_header_will_do(parse: Parse, name: str) -> None:
    headers = {"graphql-require-preflight": "", name: "1"}
    assert (await parse(files_body(b"x"), headers=headers)).files
    headers = {"graphql-require-preflight": "", "authorization": "Bearer token"}
    assert (await parse(files_body(b"x"), headers=headers)).files


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("clip.mp4", "clip.mp4"),
        ("../../etc/passwd", "passwd"),
        ("C:\\\\Users\\\\me\\\\clip.mp4", "clip.mp4"),
        ("/absolute/clip.mp4", "clip.mp4"),
        ("a\tb\x01\x7f.mp4", "ab.mp4"),
        ("Über die Brücke.mp4", "Über die Brücke.mp4"),
        ("U\u0308ber.mp4", "Über.mp4"),
        ("%C3%9Cber%20%22uns%22.mp4", 'Über "uns".mp4'),
        ("100%.mp4", "100%.mp4"),
        ("%ff.mp4", "%ff.mp4"),
        ("..%2F..%2Fclip.mp4", "clip.mp4"),
        ("evil\u202e4pm.exe", "evil4pm.exe"),
        ("a\u2066b\u200fc\ufeffd\u200be\u00adf\u2060\U000e0041.mp4", "abcdef.mp4"),
        ("\u0600\u0661.mp4", "\u0600\u0661.mp4"),
        ("", "unnamed"),
        ("..", "unnamed"),
        ("folder/", "unnamed"),
        (" \u0085 ", "unnamed"),
        ("👩\u200d👧.mp4", "👩\u200d👧.mp4"),
        ("x" * 1000 + ".mp4", "x" * 251 + ".mp4"),
        ("ü" * 1000 + ".mp4", "ü" * 125 + ".mp4"),
    ],
)
async def test_filenames_are_made_safe(parse: Parse, sent: str, expected: str) -> None:
    form = body(operations({"f": None}), file_map({"0": ["variables.f"]}), part("0", "", sent))
    assert (await parse(form)).files[0].filename == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Content-Type: video/MP4; codecs=x\r\n", "video/mp4"),
        ("Content-Type: nonsense\r\n", "application/octet-stream"),
        ("Content-Type: text/html<script>\r\n", "application/octet-stream"),
        ("", "application/octet-stream"),
    ],
)
async def test_content_types(parse: Parse, header: str, expected: str) -> None:
    form = body(operations({"f": None}), file_map({"0": ["variables.f"]}), part("0", "", "x", header))
    assert (await parse(form)).files[0].content_type == expected


async def test_preamble_line_and_epilogue_are_ignored(parse: Parse) -> None:
    form = b"\r\n" + files_body(b"x") + b"an epilogue\r\n--" + BOUNDARY.encode() + b"\r\n"
    assert len((await parse(form)).files) == 1


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    content=st.lists(
        st.sampled_from(
            [b"\r", b"\n", b"-", b"--", b"\r\n--" + BOUNDARY[:9].encode(), BOUNDARY[:-1].encode()]
        )
        | st.binary(max_size=20)
    ).map(b"".join),
    cuts=st.lists(st.integers(0, 600)),
)
def test_the_reader_gives_back_any_content_in_any_pieces(content: bytes, cuts: list[int]) -> None:
    form = files_body(content)
    edges = [0, *sorted(cut for cut in cuts if cut < len(form)), len(form)]
    reader = FormReader(BOUNDARY.encode(), max_file_bytes=10**9, max_files=5)
    events = []
    for start, end in pairwise(edges):
        events += reader.hashed(reader.parse([form[start:end]]))
    reader.finish()
    begin, *data, end_of_file = [event for event in events if type(event).__name__.startswith("File")]
    assert isinstance(begin, FileBegin)
    assert b"".join(piece.data for piece in data if isinstance(piece, FileData)) == content
    assert end_of_file == FileEnd(len(content), hashlib.sha256(content).hexdigest())


async def test_operations_may_be_as_long_as_a_quarter_of_a_mebibyte(parse: Parse) -> None:
    long = json.dumps({"query": "x" * (2**18 - 40), "variables": {"f": None}})
    form = body(part("operations", long), file_map({"0": ["variables.f"]}), part("0", "x", "x"))
    assert len((await parse(form)).operations["query"]) == 2**18 - 40
