"""`framewise evaluate` looks at frames as an analysis does: mode, region, tiles, gating, stride."""

import asyncio
from pathlib import Path

import cv2
import numpy as np
import pytest
import supervision as sv

from benchmarks.detecting import Clip, analysis_process, detect
from benchmarks.recall import boxes_of
from ml_models.catalog import find_spec
from ml_models.factory import create_ml_model
from tasks.evaluation.metrics import judge
from tasks.evaluation.run import RunOptions, run_sequence
from tasks.evaluation.sequences import LabelledSequence, Pictures
from tasks.evaluation.truth import Truth

CLIP = "short_hamilton_clip.mp4"
MODEL = "yunet-2026may"
FAST = {"mode": "FAST", "motion_gating": True}
LEFT = ((0.0, 0.0), (0.4, 0.0), (0.4, 1.0), (0.0, 1.0))


def truth_of(frames, annotated):
    count = len(frames)
    return Truth(
        np.array(frames, dtype=np.int64), np.full(count, -1), np.tile([10.0, 10, 60, 60], (count, 1)),
        np.array(["face"] * count, dtype=object), np.zeros(count, dtype=bool), np.zeros(count, dtype=np.int64),
        annotated,
    )  # fmt: skip


class _Model:
    """Finds the same face wherever it looks, and counts how often."""

    spec = find_spec(MODEL)

    def __init__(self):
        self.shapes = []

    def analyze(self, images):
        self.shapes += [image.shape[:2] for image in images]
        found = sv.Detections(
            xyxy=np.array([[10.0, 10, 60, 60]]), confidence=np.array([0.9]), class_id=np.array([0]),
            data={"class_name": np.array(["face"])},
        )  # fmt: skip
        return [found for _ in images]


def test_what_an_analysis_process_finds_is_what_is_evaluated(media_dir, weights_dir, tmp_path):
    clip = media_dir / CLIP

    async def analysed():
        async with analysis_process() as process:
            return await detect(process, Clip(clip), MODEL, weights_dir, FAST)

    tables = asyncio.run(analysed()).tables
    model = create_ml_model(MODEL, weights_dir=tmp_path, mirror=str(weights_dir))
    found = run_sequence(
        LabelledSequence("clip", clip, truth_of([], None)),
        model,
        RunOptions("SORT", 0.6, detection_options=FAST),
    )
    expected = boxes_of(tables, 0.0)
    assert found.frames_looked_at == found.frames_seen - sum(table.frames_skipped for table in tables)
    assert found.frames_looked_at < found.frames_seen == found.frame_count == 275
    for frame, boxes in expected.items():
        rows = [row for row, number in enumerate(found.frames) if number == frame]
        assert [found.confidences[row] for row in rows] == pytest.approx([one[1] for one in boxes], abs=1e-6)
        assert np.array([found.boxes[row] for row in rows]) == pytest.approx(
            np.array([one[2] for one in boxes]), abs=1e-3
        )
    assert len(found.frames) == sum(map(len, expected.values()))


def run(source: Path | Pictures, truth: Truth, model: _Model, **options):
    return run_sequence(LabelledSequence("clip", source, truth), model, RunOptions(**options))


def test_without_a_tracker_only_frames_that_count_are_looked_at(media_dir):
    truth, model = truth_of([2, 5], frozenset({2, 5})), _Model()
    found = run(media_dir / CLIP, truth, model, tracker="NONE", min_confidence=0.5)
    assert (len(model.shapes), found.frames) == (2, [2, 5])
    gated = run(media_dir / CLIP, truth, model, tracker="NONE", min_confidence=0.5, detection_options=FAST)
    assert gated.frames_seen == 6, "what is still depends on the frames before"


def test_with_a_stride_only_its_frames_count(media_dir):
    truth, model = truth_of([2, 5, 9], frozenset({2, 4, 5, 9})), _Model()
    found = run(media_dir / CLIP, truth, model, tracker="SORT", min_confidence=0.5, frame_stride=2)
    assert found.frames == [0, 2, 4, 6, 8]
    judged = judge("clip", found.truth, found, ["face"], 0.5)
    assert (judged.frame_count, judged.scores.truth_boxes) == (2, 1)
    assert (judged.scores.recall, judged.scores.precision) == (1.0, 0.5)
    every = run(
        media_dir / CLIP, truth_of([2, 5], None), model, tracker="SORT", min_confidence=0.5, frame_stride=5
    )
    assert judge("clip", every.truth, every, ["face"]).frame_count == 55
    assert every.truth.frames.tolist() == [5]


def test_what_is_outside_of_the_region_does_not_count(media_dir):
    truth, model = truth_of([0, 0], frozenset({0})), _Model()
    truth.boxes[1] = [400, 10, 460, 60]
    found = run(
        media_dir / CLIP, truth, model, tracker="NONE", min_confidence=0.5, detection_options={"region": LEFT}
    )  # fmt: skip
    assert model.shapes == [(360, 288)], "the left of it and a margin"
    scores = judge("clip", found.truth, found, ["face"], 0.5).scores
    assert (scores.truth_boxes, scores.recall, scores.precision) == (1, 1.0, 1.0)


def test_tiles_are_looked_at(media_dir):
    model, tiling = _Model(), {"tile_pixels": 320, "overlap": 0.2}
    run(
        media_dir / CLIP, truth_of([2], frozenset({2})), model, tracker="NONE", min_confidence=0.5,
        detection_options={"tiling": tiling},
    )  # fmt: skip
    assert model.shapes.count((320, 320)) > 3
    assert model.shapes.count((360, 640)) == 1


def test_pictures_are_a_video_or_each_for_itself(tmp_path):
    paths = []
    for number in range(4):
        paths.append(tmp_path / f"{number}.png")
        cv2.imwrite(str(paths[-1]), np.full((80, 100, 3), 90, dtype=np.uint8))
    truth, options = truth_of([0], frozenset(range(4))), {"tracker": "NONE", "min_confidence": 0.5}
    video = run(Pictures(tuple(paths)), truth, _Model(), **options, detection_options=FAST)
    assert (video.frames, video.frames_looked_at) == ([0, 1, 2, 3], 1)
    album = run(Pictures(tuple(paths), is_video=False), truth, _Model(), **options, detection_options=FAST)
    assert album.frames_looked_at == 4
    strided = Pictures(tuple(paths), is_video=False)
    assert run(strided, truth, _Model(), **options, frame_stride=3).frames == [0, 1, 2, 3]
