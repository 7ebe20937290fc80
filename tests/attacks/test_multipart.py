"""Uploads of every wrong shape: as multipart forms, and by tus."""

import base64
import json
from collections.abc import Iterator
from typing import Any

from tests.attacks.size import sized
from tests.attacks.target import Target
from tests.attacks.wire import head, one_answer, post, statuses

QUERY = "mutation($files: [Upload!]!) { uploadVideos(files: $files) { videos { id } userErrors { code } } }"
OPERATIONS: dict[str, Any] = {"query": QUERY, "variables": {"files": [None]}}
REFUSED = {200, 400, 401, 403, 408, 413, 414, 415, 431}


def part(name: str, content: bytes | str, filename: str | None = None, extra: str = "") -> bytes:
    file = "" if filename is None else f'; filename="{filename}"'
    data = content.encode() if isinstance(content, str) else content
    return (
        f'--x\r\nContent-Disposition: form-data; name="{name}"{file}\r\n{extra}\r\n'.encode() + data + b"\r\n"
    )


def form(*parts: bytes, end: bytes = b"--x--\r\n") -> bytes:
    return b"".join(parts) + end


def sent(target: Target, body: bytes, content_type: str = "multipart/form-data; boundary=x") -> bytes:
    return post(target, body, f"Content-Type: {content_type}")


OK = part("operations", json.dumps(OPERATIONS))
MAP = part("map", '{"0": ["variables.files.0"]}')
FILE = part("0", b"not a video", "a.mp4")

WRONG_MAPS: list[Any] = [
    None, 1, "x", [], [[]], [["variables.files.0"]], {}, {"0": None}, {"0": 1}, {"0": "variables.files.0"}, {"0": {}}, {"0": []}, {"0": [None]}, {"0": [1]}, {"0": [[]]}, {"0": [""]}, {"0": ["."]}, {"0": ["variables"]}, {"0": ["variables."]}, {"0": ["variables.files"]}, {"0": ["variables.files."]}, {"0": ["variables.files.1"]}, {"0": ["variables.files.-1"]}, {"0": ["variables.files.00"]}, {"0": ["variables.files.1e9"]}, {"0": ["variables.files.99999999999999999999"]}, {"0": ["variables.files.0.0"]}, {"0": ["variables.nope.0"]}, {"0": ["query"]}, {"0": ["operations.variables.files.0"]}, {"0": ["0.variables.files.0"]}, {"0": ["variables.__proto__.x"]}, {"0": ["__proto__"]}, {"0": ["constructor.prototype"]}, {"0": ["variables.__class__.__init__.__globals__"]}, {"__proto__": ["variables.files.0"]}, {"constructor": ["variables.files.0"]}, {"0": ["variables.files.0", "variables.files.0"]}, {"0": ["variables.files.0"] * 5_000}, {"0": ["variables.files.0"], "1": ["variables.files.0"]}, {"": ["variables.files.0"]}, {"operations": ["variables.files.0"]}, {"map": ["variables.files.0"]}, {str(n): ["variables.files.0"] for n in range(5_000)}, {"0": ["variables." + "a." * 50_000]}, {"x" * 100_000: ["variables.files.0"]}, {"\ud800": ["variables.files.0"]}, {"0": ["variables.files.0"], "٣": ["variables.files.٣"]}, True, 1e308, "\x00",
]  # fmt: skip
WRONG_OPERATIONS: list[Any] = [
    None, 1, "x", [], [OPERATIONS], [OPERATIONS] * 100, {}, {"query": 1}, {"query": QUERY}, {"query": QUERY, "variables": None}, {"query": QUERY, "variables": []}, {"query": QUERY, "variables": {"files": None}}, {"query": QUERY, "variables": {"files": {}}}, {"query": QUERY, "variables": {"files": "x"}}, {"query": QUERY, "variables": {"files": ["x"]}}, {"query": QUERY, "variables": {"files": [None] * 9_000}}, {"query": "{ me { id } }", "variables": {"files": [None]}}, {"query": "nonsense", "variables": {"files": [None]}}, {"query": QUERY.replace("Upload!", "Int!"), "variables": {"files": [None]}}, {"query": QUERY, "variables": {"files": [None]}, "operationName": "nope"}, {"query": "subscription { myAnalysesProgress { status } }", "variables": {"files": [None]}}, {"query": "{ " + "a " * 20_000 + "}", "variables": {"files": [None]}}, {"query": "mutation($files: [Upload!]!) { " + " ".join(f"a{n}: uploadVideos(files: $files) {{ videos {{ id }} }}" for n in range(100)) + " }", "variables": {"files": [None]}},
]  # fmt: skip


def forms() -> Iterator[bytes]:
    for wrong in WRONG_MAPS:
        yield form(OK, part("map", json.dumps(wrong)), FILE)
    for wrong in WRONG_OPERATIONS:
        yield form(part("operations", json.dumps(wrong)), MAP, FILE)
    deep = "[" * 100_000
    yield form(part("operations", deep), MAP, FILE)
    yield form(OK, part("map", deep), FILE)
    yield form(part("operations", '{"query": "x", "variables": ' + "[" * 900 + "]" * 900 + "}"), MAP, FILE)
    yield form(part("operations", b"\xff\xfe"), MAP, FILE)
    yield form(part("operations", "{" * 200_000), MAP, FILE)
    yield form(part("operations", "x" * 2**20), MAP, FILE)
    yield from (
        form(),
        form(OK),
        form(OK, MAP),
        form(MAP, OK, FILE),
        form(FILE, OK, MAP),
        form(OK, OK, MAP, FILE),
    )
    yield form(OK, MAP, *[FILE] * 200)
    yield form(OK, MAP, *[part(str(n), b"x", "a") for n in range(300)])
    many: dict[str, Any] = {"query": QUERY, "variables": {"files": [None] * 300}}
    yield form(
        part("operations", json.dumps(many)),
        part("map", json.dumps({str(n): [f"variables.files.{n}"] for n in range(300)})),
    )
    for name in ("../../x", "\x00", "x" * 3_000, "\\", 'a"b', "é" * 500, "%00", "a\r\nb", ";;;;", "CON", "."):
        yield form(OK, MAP, part("0", b"x", name))
        yield form(OK, MAP, part(name, b"x", "a"))
    yield form(OK, MAP, part("0", b"x", "a", "X: " + "x" * 2**20 + "\r\n"))
    yield form(OK, MAP, part("0", b"x", "a", "X" * 2**20 + ": 1\r\n"))
    yield form(OK, MAP, part("0", b"x", "a", "".join(f"X-{n}: 1\r\n" for n in range(20_000))))
    yield form(OK, MAP, part("0", b"x", "a", "Content-Type: " + "a;" * 2_000 + "\r\n"))
    yield form(OK, MAP, part("0", b"x", 'a"' + '; a="b' * 600))
    yield form(OK, MAP, FILE, end=b"")
    yield form(OK, MAP, FILE, end=b"--x")
    yield form(OK, MAP, FILE, end=b"--x--\r\n" + b"junk" * 100_000)
    yield b"--x\r\n" * 50_000
    yield b"\r\n--x" * 50_000
    yield b"--x--" * 50_000
    yield b"--" * 200_000
    yield form(OK, MAP, part("0", b"\r\n--" * 100_000, "a"))
    yield form(OK, MAP, part("0", b"\r\n--x-\r\n--xx" * 40_000, "a"))
    yield form(OK, MAP, part("0", b"\r" * 400_000, "a"))
    yield form(OK, MAP, part("0", b"\r\n--x" + b" " * 2**20, "a"))
    yield form(OK, MAP, part("0", b"\r\n--x" + b" \t" * 2**14 + b"\r\n", "a"))
    yield b"\r\n" * 200_000
    yield b"x" * 2**20


def boundaries() -> Iterator[str]:
    for boundary in (
        "",
        '""',
        "x" * 71,
        "x" * 60_000,
        "\xff",
        "x y ",
        '"x',
        "x; boundary=y",
        "-",
        "\x01",
        "'",
        "x\ty",
    ):
        yield f"multipart/form-data; boundary={boundary}"
    yield from (
        "multipart/form-data",
        "multipart/form-data;",
        "multipart/form-data; Boundary*=utf-8''x",
        "multipart/form-data; charset=x; boundary",
    )


async def test_forms(target: Target) -> None:
    async with target.under_attack("multipart forms", keeps_files=True):
        for number, body in enumerate(forms()):
            found = await statuses(target, [sent(target, body)] * sized(1, 10), patience_seconds=20)
            assert set(found) <= REFUSED | {None}, (number, body[:200], found)


async def test_boundaries(target: Target) -> None:
    async with target.under_attack("multipart boundaries", keeps_files=True):
        for content_type in boundaries():
            found = await statuses(target, [sent(target, form(OK, MAP, FILE), content_type)])
            assert set(found) <= REFUSED | {None}, (content_type, found)


async def test_forms_that_are_not_allowed(target: Target) -> None:
    """Without a sign-in, or without what shows that no foreign page sent it, nothing of the body is read."""
    body = form(OK, MAP, FILE)
    async with target.under_attack("multipart without permission"):
        for headers in ((), ("Authorization: Bearer x",), ("Authorization: Bearer ",), ("Cookie: a=b",)):
            data = head(
                "POST",
                "/graphql",
                *headers,
                "Content-Type: multipart/form-data; boundary=x",
                f"Content-Length: {len(body)}",
            )
            found = await statuses(target, [data + body] * sized(2, 20))
            assert set(found) <= {401, 403}, found


def tus_requests(target: Target, place: str) -> Iterator[bytes]:
    token = f"Authorization: Bearer {target.token}"
    chunk = "Content-Type: application/offset+octet-stream"
    numbers = (
        "-1",
        "",
        " ",
        "x",
        "1e3",
        "99999999999999999999",
        "0x1",
        "+1",
        "\xb2",
        "1,1",
        "9" * 5_000,
        "NaN",
    )
    for number in numbers:
        yield head("POST", "/uploads", token, "Tus-Resumable: 1.0.0", f"Upload-Length: {number}")
        yield (
            head(
                "PATCH", place, "Tus-Resumable: 1.0.0", chunk, f"Upload-Offset: {number}", "Content-Length: 1"
            )
            + b"x"
        )
    for version in ("", "0.2.2", "2.0.0", "x" * 9_000, "1.0.0, 1.0.0", "1.0.0\x80"):
        yield head("POST", "/uploads", token, f"Tus-Resumable: {version}", "Upload-Length: 5")
        yield head("HEAD", place, f"Tus-Resumable: {version}")
    for metadata in ("filename", "filename !!!", "filename " + "A" * 40_000, "a b c d", "," * 20_000, "filename YQ==,filename YQ==", " ", "=", "filename AA==", "filename //79", "filename " + base64.b64encode(b"../../etc/passwd").decode(), "é YQ==", "filename YQ==," * 3_000):  # fmt: skip
        yield head(
            "POST",
            "/uploads",
            token,
            "Tus-Resumable: 1.0.0",
            "Upload-Length: 5",
            f"Upload-Metadata: {metadata}",
        )
    for checksum in (
        "",
        "sha1",
        "sha1 ",
        "sha1 !!!",
        "md4 YQ==",
        "sha1 " + "A" * 30_000,
        "x" * 30_000,
        "SHA1 YQ==",
        "sha256 YQ==",
    ):
        yield (
            head(
                "PATCH",
                place,
                "Tus-Resumable: 1.0.0",
                chunk,
                "Upload-Offset: 0",
                f"Upload-Checksum: {checksum}",
                "Content-Length: 1",
            )
            + b"x"
        )
    for header in (
        "Upload-Defer-Length: 1",
        "Upload-Concat: partial",
        "Upload-Concat: final;/uploads/x /uploads/y",
        "Upload-Concat: " + "x" * 9_000,
    ):
        yield head("POST", "/uploads", token, "Tus-Resumable: 1.0.0", header)
    for body in (b"x" * 100, b"x" * 2**20):
        yield (
            head(
                "PATCH",
                place,
                "Tus-Resumable: 1.0.0",
                chunk,
                "Upload-Offset: 0",
                f"Content-Length: {len(body)}",
            )
            + body
        )
        yield (
            head(
                "PATCH",
                place,
                "Tus-Resumable: 1.0.0",
                chunk,
                "Upload-Offset: 0",
                "Transfer-Encoding: chunked",
            )
            + b"%x\r\n" % len(body)
            + body
            + b"\r\n0\r\n\r\n"
        )
        yield (
            head(
                "POST",
                "/uploads",
                token,
                "Tus-Resumable: 1.0.0",
                chunk,
                "Upload-Length: 7",
                f"Content-Length: {len(body)}",
            )
            + body
        )
    for kind in (
        "",
        "application/json",
        "application/offset+octet-stream" * 100,
        "multipart/form-data; boundary=x",
    ):
        yield (
            head(
                "PATCH",
                place,
                "Tus-Resumable: 1.0.0",
                f"Content-Type: {kind}",
                "Upload-Offset: 0",
                "Content-Length: 1",
            )
            + b"x"
        )
    for method in ("PATCH", "HEAD", "DELETE", "OPTIONS", "POST", "GET", "\x7f"):
        yield head(
            "POST",
            "/uploads/x",
            "Tus-Resumable: 1.0.0",
            f"X-HTTP-Method-Override: {method}",
            "Content-Length: 0",
        )
        yield head(
            "POST",
            place + "x",
            "Tus-Resumable: 1.0.0",
            f"X-HTTP-Method-Override: {method}",
            "Content-Length: 0",
        )


async def test_tus(target: Target) -> None:
    async with target.under_attack("tus requests", keeps_files=True):
        for _ in range(sized(1, 10)):
            new = head(
                "POST",
                "/uploads",
                f"Authorization: Bearer {target.token}",
                "Tus-Resumable: 1.0.0",
                "Upload-Length: 10",
            )
            answer = await one_answer(target, new)
            assert answer is not None
            assert answer.status == 201, answer
            place = answer.headers["location"].removeprefix(target.url)
            found = await statuses(target, list(tus_requests(target, place)), patience_seconds=20)
            assert set(found) <= {
                None,
                200,
                201,
                204,
                400,
                401,
                403,
                404,
                405,
                409,
                410,
                412,
                413,
                414,
                415,
                431,
                460,
            }, found
