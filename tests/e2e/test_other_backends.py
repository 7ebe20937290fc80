"""The same main job over PostgreSQL and S3 instead of SQLite and a folder."""

from pathlib import Path

import av
import pytest

from tests.databases import PostgresServer
from tests.e2e.server import fetch, running_server
from tests.storage.conftest import ceph_server, s3_url  # noqa: F401

pytestmark = pytest.mark.xdist_group("s3")


async def test_an_analysis_over_postgres_and_s3(
    tmp_path: Path,
    media_dir: Path,
    weights_dir: Path,
    postgres_server: PostgresServer,
    s3_url: str,  # noqa: F811
) -> None:
    await postgres_server.run("CREATE DATABASE framewise_e2e")
    settings = {
        "database_url": postgres_server.url("framewise_e2e"),
        "storage_url": s3_url,
        "weights_mirror": weights_dir,
        "slots": 2,
    }
    with running_server(tmp_path, **settings) as server:
        api = await server.sign_up("ada")
        clip = media_dir / "short_hamilton_clip.mp4"
        uploaded = await api.upload(clip, analyze={"mlModel": "yunet-2026may", "overlay": True})
        analysis_id = uploaded["analyses"][0]["id"]
        finished = await api.finished(analysis_id)
        assert finished["status"] == "SUCCEEDED", finished["errorMessage"]
        assert finished["framesDone"] == 275
        links = await api.data(
            "query($id: ID!) { analysis(id: $id) { resultUrl overlayUrl detections(first: 5) { edges { node { frameIndex } } } } }",
            id=analysis_id,
        )
        assert len(links["analysis"]["detections"]["edges"]) == 5
        assert (await fetch(links["analysis"]["resultUrl"])).json()["video"]["frameCount"] == 275
        part = await fetch(links["analysis"]["overlayUrl"], Range="bytes=4-7")
        assert (part.status_code, part.content) == (206, b"ftyp")
        whole = tmp_path / "overlay.mp4"
        whole.write_bytes((await fetch(links["analysis"]["overlayUrl"])).content)
        with av.open(str(whole)) as container:
            assert sum(1 for _ in container.decode(video=0)) == 275
        video_id = uploaded["videos"][0]["id"]
        await api.data("mutation($id: ID!) { deleteVideo(id: $id) { deletedId } }", id=video_id)
        assert (await fetch(links["analysis"]["resultUrl"])).status_code == 404
    assert not list((server.data_dir / "files").glob("**/*"))
