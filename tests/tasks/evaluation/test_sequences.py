"""What folders of ground truth may look like, and what is said of wrong ones."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import supervision as sv

from ml_models.catalog import find_spec
from tasks.evaluation.errors import GroundTruthError
from tasks.evaluation.metrics import judge, total
from tasks.evaluation.run import Found, RunOptions, run_sequence
from tasks.evaluation.sequences import LabelledSequence, Pictures, TruthFormat, find_sequences
from tasks.evaluation.truth import NO_ID, Truth, read_mot

LINE = "1,4,10,20,30,40,1,1,1\n"


def write(folder: Path, files: dict[str, Any]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def test_the_layouts_of_mot(tmp_path):
    folder = write(
        tmp_path,
        {
            "a/gt/gt.txt": LINE,
            "a/img1/000002.png": "",
            "a/img1/000001.png": "",
            "a/seqinfo.ini": "[Sequence]\nframeRate=14\n",
            "b/gt/gt.txt": LINE,
            "b/any.mkv": "",
            "c/gt/gt.txt": LINE,
            "c.mp4": "",
            "d.txt": LINE,
            "d.webm": "",
            "notes.txt": "no clip, no ground truth",
        },
    )
    found = {one.name: one.source for one in find_sequences(folder)}
    assert found == {
        "a": Pictures((folder / "a/img1/000001.png", folder / "a/img1/000002.png"), 14.0),
        "b": folder / "b/any.mkv",
        "c": folder / "c.mp4",
        "d": folder / "d.webm",
    }
    (own,) = find_sequences(folder / "a")
    assert own.source == found["a"]


def test_mot_with_and_without_classes(tmp_path):
    text = "1,4,10,20,30,40,1,1,1\n\n2,5,10,20,30,40,0,1,1\n2,6,1,2,3,4,1,8,1\n3,7,1,2,3,4,0.5,-1,-1,-1\n4,8,1,2,3,4\n"
    truth = read_mot(write(tmp_path, {"gt.txt": text}) / "gt.txt")
    assert truth.frames.tolist() == [0, 1, 1, 2, 3]
    assert truth.ids.tolist() == [4, 5, 6, 7, 8]
    assert truth.boxes[0].tolist() == [10, 20, 40, 60]
    assert truth.ignored.tolist() == [False, True, True, False, False]
    assert truth.distractors.tolist() == [0, 0, 8, 0, 0]


def test_the_layouts_of_coco(tmp_path):
    document = {
        "videos": [{"id": 9, "name": "b.mp4"}],
        "images": [
            {"id": 1, "video": "a.mp4", "frame_index": 5},
            {"id": 2, "video_id": 9, "frame_index": 0},
            {"id": 3, "file_name": "z.jpg"},
            {"id": 4, "file_name": "y.jpg"},
        ],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 2, "bbox": [1, 2, 3, 4], "instance_id": 6},
            {"id": 2, "image_id": 3, "category_id": 2, "bbox": [1, 2, 3, 4], "iscrowd": 1},
        ],
        "categories": [{"id": 2, "name": "cat"}],
    }
    folder = write(
        tmp_path,
        {"annotations.json": document, "a.mp4": "", "b.mp4": "", "y.jpg": "", "z.jpg": "", "c.txt": ""},
    )
    pictures, first, second = find_sequences(folder)
    assert pictures.source == Pictures((folder / "y.jpg", folder / "z.jpg"), is_video=False)
    assert (pictures.truth.frames.tolist(), pictures.truth.ignored.tolist()) == ([1], [True])
    assert pictures.truth.ids.tolist() == [NO_ID]
    assert (first.name, first.source) == ("a.mp4", folder / "a.mp4")
    assert (first.truth.frames.tolist(), first.truth.ids.tolist(), first.truth.labels.tolist()) == (
        [5],
        [6],
        ["cat"],
    )
    assert first.truth.annotated_frames == {5}
    assert (second.name, len(second.truth.frames)) == ("b.mp4", 0)


@pytest.mark.parametrize(
    ("files", "truth_format", "said"),
    [
        ({}, None, "no ground truth"),
        ({"a.txt": LINE}, None, "no ground truth"),
        ({"a.txt": "1,2,3\n", "a.mp4": ""}, None, "3 columns"),
        ({"a.txt": "1,2,x,4,5,6\n", "a.mp4": ""}, None, "no MOT ground truth"),
        ({"a/gt/gt.txt": LINE}, None, "neither pictures"),
        ({"annotations.json": "{"}, None, "no COCO ground truth"),
        ({"annotations.json": {"images": []}}, None, "KeyError: 'categories'"),
        (
            {
                "annotations.json": {
                    "categories": [],
                    "annotations": [],
                    "images": [{"id": 1, "video": "a.mp4", "frame_index": 0}],
                }
            },
            None,
            "no video",
        ),
        ({"a.txt": LINE, "a.mp4": ""}, TruthFormat.COCO, "no COCO ground truth"),
    ],
)
def test_what_is_wrong_is_said(files, truth_format, said, tmp_path):
    with pytest.raises(GroundTruthError, match=said):
        find_sequences(write(tmp_path, files), truth_format)


def test_a_folder_that_is_none(tmp_path):
    with pytest.raises(GroundTruthError, match="no folder"):
        find_sequences(tmp_path / "none")


def found_in(truth_boxes: np.ndarray, frames: list[int]) -> Found:
    count = len(frames)
    return Found(10, frames, list(truth_boxes), [0.9] * count, ["person"] * count, [3] * count)


def test_finding_all_nothing_or_only_what_does_not_count(tmp_path):
    lines = "".join(f"{n + 1},4,10,20,30,40,1,1,1\n" for n in range(10)) + "1,9,200,20,30,40,1,8,1\n"
    truth = read_mot(write(tmp_path, {"gt.txt": lines}) / "gt.txt")
    perfect = judge("a", truth, found_in(truth.boxes, truth.frames.tolist()), [""])
    scores = perfect.scores
    assert [scores.ap, scores.ap50, scores.mota, scores.idf1, scores.hota] == pytest.approx([1.0] * 5)
    assert (scores.truth_boxes, scores.truth_tracks, scores.id_switches) == (10, 1, 0)
    nothing = judge("b", truth, Found(10), [""])
    scores = nothing.scores
    assert [scores.ap, scores.ap50, scores.mota, scores.idf1, scores.hota] == pytest.approx([0.0] * 5)
    both = total([perfect, nothing])
    assert (both.mota, both.truth_boxes) == (pytest.approx(0.5), 20)


def test_without_ids_there_is_ap_alone(tmp_path):
    lines = "".join(f"{n + 1},-1,10,20,30,40,1,1,1\n" for n in range(3))
    truth = read_mot(write(tmp_path, {"gt.txt": lines}) / "gt.txt")
    scores = judge("a", truth, found_in(truth.boxes, [0, 1, 2]), [""]).scores
    assert (scores.ap50, scores.mota, scores.hota, scores.truth_tracks) == (
        pytest.approx(1.0),
        None,
        None,
        None,
    )


def test_boxes_without_an_id_beside_others_are_left_out_of_the_scores_of_tracks(tmp_path):
    lines = "".join(f"{n + 1},4,10,20,30,40,1,1,1\n" for n in range(8))
    nameless = "".join(f"{n + 1},-1,200,20,30,40,1,1,1\n" for n in range(8))
    truth = read_mot(write(tmp_path, {"gt.txt": lines + nameless}) / "gt.txt")
    ids = [3] * 8 + [5] * 4 + [6] * 4  # of the boxes without an id a switch cannot be known
    found = Found(8, truth.frames.tolist(), list(truth.boxes), [0.9] * 16, ["person"] * 16, ids)
    scores = judge("a", truth, found, [""]).scores
    assert [scores.ap, scores.mota, scores.idf1, scores.hota] == pytest.approx([1.0] * 4)
    assert (scores.truth_boxes, scores.truth_tracks, scores.id_switches) == (16, 1, 0)
    assert int(truth.nameless.sum()) == 8
    missed = judge("a", truth, Found(8, *(list(column[:8]) for column in (
        truth.frames, truth.boxes, [0.9] * 8, ["person"] * 8, ids,
    ))), [""])  # fmt: skip
    assert (missed.scores.mota, missed.scores.hota) == (pytest.approx(1.0), pytest.approx(1.0))


class _Model:
    """Finds nothing, and counts the frames it is shown."""

    spec = find_spec("yunet-2026may")

    def __init__(self):
        self.frames = 0

    def analyze(self, images):
        self.frames += len(images)
        return [sv.Detections.empty() for _ in images]


def test_frames_after_the_last_listed_one_are_not_looked_at(media_dir):
    truth = Truth(
        np.array([2]), np.array([1]), np.array([[0.0, 0, 9, 9]]), np.array(["face"], dtype=object),
        np.array([False]), np.array([0]), frozenset({2, 5}),
    )  # fmt: skip
    model, shown = _Model(), []
    sequence = LabelledSequence("clip", media_dir / "short_hamilton_clip.mp4", truth)
    found = run_sequence(
        sequence, model, RunOptions("SORT", 0.5), lambda done, total: shown.append((done, total))
    )
    assert model.frames == 6, "those between are there for the tracker"
    assert shown[-1] == (6, 6)
    assert judge("clip", truth, found, ["face"]).frame_count == 2
