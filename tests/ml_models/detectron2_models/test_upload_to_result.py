"""A Faster R-CNN that was trained here, from the upload of a video to its result, on a real server."""

import av
import numpy as np
import pytest

from tests.e2e.server import fetch, running_server
from tests.ml_models.clips import read_frames

FRAMES = 24
pytestmark = pytest.mark.xdist_group("server")


@pytest.fixture
def clip(tmp_path):
    from tests.ml_models.detectron2_models import tiny

    path = tmp_path / "shapes.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=12)
        stream.width, stream.height, stream.pix_fmt = tiny.WIDTH, tiny.HEIGHT, "yuv420p"
        stream.options = {"crf": "8", "g": "8"}
        for index in range(FRAMES):
            image = np.full((tiny.HEIGHT, tiny.WIDTH, 3), 30, np.uint8)
            tiny.paint(image, 0, 5 + index, 20, 30)
            tiny.paint(image, 1, 90 - index // 2, 50 - index, 26)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())
    return path


async def test_from_upload_to_result(shapes_dir, clip, tmp_path):
    with running_server(tmp_path, models_dir=shapes_dir, slots=1) as server:
        api = await server.sign_up("ada")
        models = await api.data("{ mlModels { name labels isReady } }")
        (listed,) = [model for model in models["mlModels"] if model["name"] == "own-shapes"]
        assert listed == {"name": "own-shapes", "labels": ["circle", "square"], "isReady": True}
        uploaded = await api.upload(clip)
        video = await api.probed(uploaded["videos"][0]["id"])
        started = await api.data(
            """mutation($input: StartAnalysisInput!) { startAnalysis(input: $input) {
            analysis { id } userErrors { code message } } }""",
            input={
                "videoId": video["id"],
                "settings": {"mlModel": "own-shapes", "minConfidence": 0.05, "tracker": "SORT"},
            },
        )
        assert started["startAnalysis"]["userErrors"] == []
        analysis_id = started["startAnalysis"]["analysis"]["id"]
        finished = await api.finished(analysis_id)
        assert finished["status"] == "SUCCEEDED", finished
        assert {count["label"] for count in finished["counts"]} == {"circle", "square"}
        url = await api.data("query($id: ID!) { analysis(id: $id) { resultUrl } }", id=analysis_id)
        document = (await fetch(url["analysis"]["resultUrl"])).json()
    compare(document, clip, shapes_dir)


def compare(document, clip, shapes_dir):
    """Each frame's detections are those of Detectron2's own predictor on the frame as PyAV decodes it."""
    from tests.ml_models.detectron2_models.predictor import predicted, predictor_of

    predictor = predictor_of(shapes_dir, "shapes", 0.05)
    frames = {frame["frameIndex"]: frame["detections"] for frame in document["frames"]}
    images = read_frames(clip)
    assert len(images) == FRAMES
    strong = 0
    for index, image in enumerate(images):
        expected = predicted(predictor, image)
        found = frames.get(index, [])
        assert len(found) == len(expected)
        boxes = np.array([[one["box"][key] for key in ("x", "y", "width", "height")] for one in found])
        boxes[:, 2:] += boxes[:, :2]
        np.testing.assert_allclose(boxes, expected.pred_boxes.tensor.numpy(), atol=0.02)
        confidence = np.array([one["confidence"] for one in found])
        np.testing.assert_allclose(confidence, expected.scores.numpy(), atol=0.0002)
        names = [("circle", "square")[kind] for kind in expected.pred_classes]
        assert [one["label"] for one in found] == names
        strong += int((confidence > 0.8).sum())
    assert strong >= FRAMES, "the shapes are found, not just boxes compared"
