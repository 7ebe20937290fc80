"""Masks of a Mask R-CNN and scores of a Keypoint R-CNN, from a video to the result."""

import json

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from domain.analyses.files import ResultFormat
from domain.analyses.models import AnalysisStatus
from domain.analyses.settings import AnalysisSettings
from ml_models.factory import create_ml_model
from tests.ml_models.clips import read_frames
from tests.tasks.harness import harness

CLIP, STRIDE = "gestures/eat.mkv", 8
NAMES = ("mask", "landmarks", "landmarkScores")


@pytest.mark.parametrize("kind", ["mask_rcnn", "keypoint_rcnn"])
async def test_what_the_model_gives_is_in_the_result(kind, models_dir, tmp_path, media_dir):
    from tests.ml_models.detectron2_models import tiny

    cfg = getattr(tiny, kind)()
    tiny.save(models_dir, "untrained", cfg, tiny.untrained(cfg), floor=0.1)
    model = create_ml_model("own-untrained", weights_dir=tmp_path)
    assert model.spec.revision == 2
    settings = AnalysisSettings("own-untrained", min_confidence=0.1, frame_stride=STRIDE)
    async with harness(tmp_path / "data", None, models_dir=models_dir, slots=1) as work:
        analysis = await work.analyse(media_dir / CLIP, settings)
        assert analysis.status == AnalysisStatus.SUCCEEDED, analysis.error_message
        document = json.loads(await work.result(analysis, ResultFormat.JSON))
    frames = read_frames(media_dir / CLIP)[::STRIDE]
    assert len(frames) == len(document["frames"])
    for image, frame in zip(frames, document["frames"], strict=True):
        (found,) = model.analyze([image])
        assert len(frame["detections"]) == len(found) > 3
        for place, one in enumerate(frame["detections"]):
            if kind == "mask_rcnn":
                assert (coco_mask.decode(one["mask"]) == found.mask[place]).all()
            else:
                landmarks, scores = (found.data[name][place] for name in ("landmarks", "landmark_scores"))
                np.testing.assert_allclose(one["landmarks"], landmarks, atol=0.001)
                np.testing.assert_allclose(one["landmarkScores"], scores, atol=1e-5)
        assert {name for one in frame["detections"] for name in NAMES if name in one} == (
            {"mask"} if kind == "mask_rcnn" else {"landmarks", "landmarkScores"}
        )
