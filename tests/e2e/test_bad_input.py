"""What is wrong gets its own clear error, and the server stays as it was."""

import asyncio
import os
from pathlib import Path

import pytest

from tests import broken_samples, samples
from tests.e2e.conftest import MAX_UPLOAD_BYTES

pytestmark = pytest.mark.xdist_group("server")


def _bad_files(directory: Path, media_dir: Path) -> list[Path]:
    empty = directory / "empty.mp4"
    empty.write_bytes(b"")
    noise = directory / "noise.mkv"
    noise.write_bytes(os.urandom(100_000))
    sparse = directory / "sparse.mp4"
    with sparse.open("wb") as file:
        file.truncate(MAX_UPLOAD_BYTES * 2)
    clips = [media_dir / "nasa_13013.mp4", media_dir / "gestures" / "eat.mkv"]
    truncated = [
        broken_samples.make_truncated(directory / f"{clip.stem}-{tenths}{clip.suffix}", clip, tenths)
        for clip in clips
        for tenths in range(1, 10)
    ]
    return [
        empty,
        noise,
        sparse,
        broken_samples.make_text(directory / "text.mp4"),
        broken_samples.make_encrypted_zip(directory / "zip.mp4"),
        samples.make_audio_only(directory / "audio.m4a"),
        samples.make_audio_with_cover(directory / "cover.mp4"),
        broken_samples.make_picture(directory / "picture.mp4"),
        broken_samples.make_huge_header(directory / "huge.avi"),
        *truncated,
    ]


async def test_bad_files_are_rejected_with_reasons_and_leave_nothing(server, api, tmp_path, media_dir):
    files = server.data_dir / "files"
    before = {path for path in files.rglob("*") if path.is_file()}
    bad_files = _bad_files(tmp_path, media_dir)
    reasons = await _reasons(api, bad_files)
    resident_bytes = server.resident_bytes()
    assert await _reasons(api, bad_files) == reasons
    assert server.resident_bytes() - resident_bytes < 64 * 2**20
    assert "max_upload_bytes" in reasons["sparse.mp4"]
    assert len(set(reasons.values())) >= 6, reasons
    assert {path for path in files.rglob("*") if path.is_file()} == before
    good = await api.upload(
        media_dir / "gestures" / "eat.mkv", analyze={"mlModel": "frame-marker", "minConfidence": 0}
    )
    assert (await api.finished(good["analyses"][0]["id"]))["status"] == "SUCCEEDED"


async def _reasons(api, paths: list[Path]) -> dict[str, str]:
    """Why each of these files was rejected."""
    reasons = {}
    for path in paths:
        uploaded = await api.upload(path)
        video = await api.probed(uploaded["videos"][0]["id"])
        assert video["status"] == "REJECTED", path.name
        assert video["url"] is None
        reasons[path.name] = video["rejectionReason"]
        assert len(reasons[path.name]) > 20
    return reasons


@pytest.mark.parametrize(
    ("settings", "field", "code"),
    [
        ({"frameStride": 0}, "frameStride", "INVALID"),
        ({"frameStride": -3}, "frameStride", "INVALID"),
        ({"minConfidence": 1.5}, "minConfidence", "INVALID"),
        ({"minConfidence": -0.1}, "minConfidence", "INVALID"),
        ({"startSeconds": -1}, "startSeconds", "INVALID"),
        ({"endSeconds": -1}, "endSeconds", "INVALID"),
        ({"startSeconds": 5, "endSeconds": 5}, "endSeconds", "INVALID"),
        ({"labels": []}, "labels", "INVALID"),
        ({"labels": ["unicorn"]}, "labels", "INVALID"),
        ({"createPeople": True, "mlModel": "opencv-haar-face"}, "mlModel", "INVALID"),
        ({"createPeople": True, "tracker": "NONE"}, "tracker", "INVALID"),
        ({"recreatePeople": True}, "recreatePeople", "INVALID"),
        ({"mlModel": "yolo-nano"}, "mlModel", "MODEL_UNAVAILABLE"),
        ({"mlModel": ""}, "mlModel", "MODEL_UNAVAILABLE"),
    ],
)
async def test_bad_settings_name_their_field(api, media_dir, settings, field, code):
    uploaded = await api.upload(media_dir / "gestures" / "eat.mkv", analyze=settings)
    assert uploaded["videos"] == []
    (error,) = uploaded["userErrors"]
    assert (error["code"], error["path"]) == (code, ["analyze", field])
    video = (await api.upload(media_dir / "gestures" / "eat.mkv"))["videos"][0]
    payload = await api.data(
        """mutation($input: StartAnalysisInput!) { startAnalysis(input: $input)
        { analysis { id } userErrors { code path } } }""",
        input={"videoId": video["id"], "settings": settings},
    )
    assert payload["startAnalysis"] == {
        "analysis": None,
        "userErrors": [{"code": code, "path": ["input", "settings", field]}],
    }


@pytest.mark.parametrize(
    "query",
    [
        "{ video(id: 5.5) { id } }",
        "{ nothing }",
        "{ videos(first: 101) { edges { node { id } } } }",
        "{ videos(first: -1) { edges { node { id } } } }",
        '{ videos(after: "nonsense") { edges { node { id } } } }',
        "{ analyses(filter: {status: [DONE]}) { edges { node { id } } } }",
        'mutation { startAnalysis(input: {videoId: "x", settings: {tracker: MAGIC}}) { analysis { id } } }',
        "{ me {",
        "",
    ],
)
async def test_bad_queries_are_client_errors(api, query):
    answer = await api.execute(query)
    codes = {error["extensions"]["code"] for error in answer["errors"]}
    assert codes <= {"BAD_USER_INPUT", "LIMIT_EXCEEDED"}, answer


async def test_an_upload_that_breaks_off_leaves_nothing(server, api, media_dir):
    files = server.data_dir / "files"
    before = sorted(path for path in files.rglob("*") if path.is_file())
    host, port = server.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    head = (
        b'--x\r\nContent-Disposition: form-data; name="operations"\r\n\r\n'
        b'{"query":"mutation($files:[Upload!]!){uploadVideos(files:$files){videos{id}}}","variables":{"files":[null]}}\r\n'
        b'--x\r\nContent-Disposition: form-data; name="map"\r\n\r\n{"0":["variables.files.0"]}\r\n'
        b'--x\r\nContent-Disposition: form-data; name="0"; filename="a.mp4"\r\n\r\n'
    )
    writer.write(
        f"POST /graphql HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {api.token}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 9000000\r\n\r\n".encode()
        + head
        + b"0" * 3_000_000
    )
    await writer.drain()
    await asyncio.sleep(0.5)
    writer.close()
    await writer.wait_closed()
    async with asyncio.timeout(60):
        while sorted(path for path in files.rglob("*") if path.is_file()) != before:
            await asyncio.sleep(0.1)


_START = """mutation($input: StartAnalysisInput!) { startAnalysis(input: $input)
    { analysis { id settings { labels } } userErrors { code path } } }"""


@pytest.mark.parametrize("key", ["", "k" * 256])
async def test_an_idempotency_key_of_a_wrong_length_is_named(api, media_dir, key):
    video = (await api.upload(media_dir / "gestures" / "eat.mkv"))["videos"][0]
    payload = await api.data(_START, input={"videoId": video["id"], "settings": {}, "idempotencyKey": key})
    assert payload["startAnalysis"]["userErrors"] == [
        {"code": "INVALID", "path": ["input", "idempotencyKey"]}
    ]


async def test_a_video_that_is_not_there_is_named_by_its_field(server, api, media_dir):
    other = await server.sign_up("owner-of-a-video")
    video = (await other.upload(media_dir / "gestures" / "eat.mkv"))["videos"][0]
    for video_id in (video["id"], "nonsense"):
        payload = await api.data(_START, input={"videoId": video_id, "settings": {}})
        assert payload["startAnalysis"]["userErrors"] == [{"code": "NOT_FOUND", "path": ["input", "videoId"]}]


async def test_a_label_given_twice_counts_once(api, media_dir):
    video = (await api.upload(media_dir / "gestures" / "eat.mkv"))["videos"][0]
    payload = await api.data(_START, input={"videoId": video["id"], "settings": {"labels": ["face", "face"]}})
    assert payload["startAnalysis"]["analysis"]["settings"]["labels"] == ["face"]


async def test_an_upload_without_files_is_an_error(api):
    payload = await api.data(
        "mutation { uploadVideos(files: []) { videos { id } userErrors { code path } } }"
    )
    assert payload["uploadVideos"] == {"videos": [], "userErrors": [{"code": "INVALID", "path": ["files"]}]}
