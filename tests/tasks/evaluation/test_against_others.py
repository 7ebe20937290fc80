"""`framewise evaluate` gives the numbers that the field's own tools give."""

import io
import json
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import motmetrics
import numpy as np
import pytest
import supervision as sv
import trackeval
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from rich.console import Console
from trackers.eval import evaluate_mot_sequences

from cli.evaluate import EvaluateOptions, evaluate_folder
from settings import Settings
from tasks.evaluation.run import tracked_rows
from tests.tasks.evaluation.labelled import MODEL, coco_of, found_lines, run, true_lines, write_pictures

pytestmark = pytest.mark.xdist_group("evaluation")

CLIP = "short_hamilton_clip.mp4"
WITHIN = 0.001


@pytest.fixture(scope="module")
def labelled(tmp_path_factory, media_dir, weights_dir) -> Any:
    """A folder with a clip and a sequence of pictures, and what was found in them."""
    folder = tmp_path_factory.mktemp("labelled")
    pictures = write_pictures(media_dir / CLIP, folder / "mot" / "still" / "img1")
    (folder / "mot" / "still" / "seqinfo.ini").write_text("[Sequence]\nframeRate=25\n")
    (folder / "mot" / "moving.mp4").symlink_to(media_dir / CLIP)
    found = {
        "moving": run(media_dir / CLIP, weights_dir, folder),
        "still": run(pictures, weights_dir, folder),
    }
    lines = {name: true_lines(one, seed) for seed, (name, one) in enumerate(found.items())}
    for name in found:
        (folder / "mot" / name / "gt").mkdir(parents=True, exist_ok=True)
        (folder / "mot" / name / "gt" / "gt.txt").write_text("".join(lines[name]))
    tracker = folder / "tracker"
    tracker.mkdir()
    for name, one in found.items():
        (tracker / f"{name}.txt").write_text("".join(found_lines(one)))
    return SimpleNamespace(folder=folder, mot=folder / "mot", tracker=tracker, found=found, lines=lines)


def evaluate(folder: Path, weights_dir: Path, tmp_path: Path) -> tuple[dict[str, Any], str]:
    """The scores as JSON, and the table."""
    output = io.StringIO()
    settings = Settings(data_dir=tmp_path, weights_mirror=str(weights_dir))
    options = EvaluateOptions(folder, MODEL, "BYTE_TRACK", min_confidence=0.6, json_file=tmp_path / "scores")
    evaluate_folder(settings, options, Console(file=output, width=120))
    return json.loads((tmp_path / "scores").read_text()), output.getvalue()


@pytest.fixture(scope="module")
def scores(labelled, weights_dir, tmp_path_factory) -> dict[str, Any]:
    document, table = evaluate(labelled.mot, weights_dir, tmp_path_factory.mktemp("scores"))
    by_name = {one["name"]: one for one in document["sequences"]} | {"all": document["total"]}
    assert list(by_name) == ["moving", "still", "all"]
    for name, one in by_name.items():
        (line,) = [line for line in table.splitlines() if line.strip().startswith(name)]
        shown = line.split()
        assert shown[4:9] == [f"{one[key]:.3f}" for key in ("ap50", "ap", "mota", "idf1", "hota")]
    return by_name


def test_the_ground_truth_is_hard_enough(scores):
    for one in scores.values():
        assert all(0.1 < one[name] < 0.97 for name in ("ap50", "ap", "mota", "idf1", "hota")), one
        assert one["idSwitches"] > 3


def test_tracking_scores_are_those_of_trackers(labelled, scores):
    expected = evaluate_mot_sequences(labelled.mot, labelled.tracker, metrics=["CLEAR", "HOTA", "Identity"])
    for name, result in [*expected.sequences.items(), ("all", expected.aggregate)]:
        assert scores[name]["mota"] == pytest.approx(result.CLEAR.MOTA, abs=WITHIN)
        assert scores[name]["idf1"] == pytest.approx(result.Identity.IDF1, abs=WITHIN)
        assert scores[name]["hota"] == pytest.approx(result.HOTA.HOTA, abs=WITHIN)
        assert scores[name]["idSwitches"] == result.CLEAR.IDSW


@pytest.mark.filterwarnings("ignore:Operation with tuple is deprecated")  # motmetrics with pandas 3
def test_mota_and_idf1_are_those_of_motmetrics(labelled, scores):
    for name, found in labelled.found.items():
        truth = np.array([line.split(",") for line in labelled.lines[name]], dtype=float)
        truth = truth[truth[:, 6] == 1]
        truth[:, 4:6] += truth[:, 2:4]
        rows = np.array(tracked_rows(found))
        frames, tracks = np.array(found.frames)[rows] + 1, np.array(found.tracks)[rows]
        boxes = np.array(found.boxes)[rows]
        accumulator = motmetrics.MOTAccumulator()
        for frame in range(1, found.frame_count + 1):
            true_here, found_here = truth[truth[:, 0] == frame], frames == frame
            # Not motmetrics' own IoU, which needs NumPy 1.
            distances = 1 - sv.box_iou_batch(true_here[:, 2:6], boxes[found_here])
            distances[distances > 0.5] = np.nan
            accumulator.update(true_here[:, 1], tracks[found_here], distances, frameid=frame)
        summary = motmetrics.metrics.create().compute(accumulator, metrics=["mota", "idf1", "num_switches"])
        assert scores[name]["mota"] == pytest.approx(summary["mota"].iloc[0], abs=WITHIN)
        assert scores[name]["idf1"] == pytest.approx(summary["idf1"].iloc[0], abs=WITHIN)
        assert scores[name]["idSwitches"] == summary["num_switches"].iloc[0]


def test_hota_is_that_of_trackeval(labelled, scores, tmp_path):
    for name, found in labelled.found.items():
        folder = tmp_path / name / "framewise" / "data"
        folder.mkdir(parents=True)
        (folder / f"{name}.txt").write_text((labelled.tracker / f"{name}.txt").read_text())
        dataset = trackeval.datasets.MotChallenge2DBox(
            {
                "GT_FOLDER": str(labelled.mot),
                "TRACKERS_FOLDER": str(tmp_path / name),
                "SEQ_INFO": {name: found.frame_count},
                "SKIP_SPLIT_FOL": True,
                "PRINT_CONFIG": False,
            }
        )
        with redirect_stdout(io.StringIO()):
            raw = dataset.get_raw_seq_data("framewise", name)
            hota = trackeval.metrics.HOTA().eval_sequence(
                dataset.get_preprocessed_seq_data(raw, "pedestrian")
            )
        assert scores[name]["hota"] == pytest.approx(np.mean(hota["HOTA"]), abs=WITHIN)


@pytest.fixture(scope="module")
def coco_scores(labelled, weights_dir, tmp_path_factory) -> Iterator[dict[str, Any]]:
    """The clip alone, with the same ground truth as COCO."""
    folder = tmp_path_factory.mktemp("coco")
    (folder / "moving.mp4").symlink_to(labelled.mot / "moving.mp4")
    count = labelled.found["moving"].frame_count
    (folder / "annotations.json").write_text(coco_of(labelled.lines["moving"], "moving.mp4", count))
    document, _ = evaluate(folder, weights_dir, folder)
    return document | {"truth": folder / "annotations.json"}


def test_ap_is_that_of_pycocotools(labelled, scores, coco_scores):
    found = labelled.found["moving"]
    results = [
        {
            "image_id": found.frames[row] + 1,
            "category_id": 3,
            "bbox": [*found.boxes[row][:2], *(found.boxes[row][2:] - found.boxes[row][:2])],
            "score": found.confidences[row],
        }
        for row in range(len(found.frames))
    ]
    with redirect_stdout(io.StringIO()):
        truth = COCO(coco_scores["truth"])
        evaluation = COCOeval(truth, truth.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    for one in (coco_scores["total"], scores["moving"]):
        assert one["ap"] == pytest.approx(evaluation.stats[0], abs=WITHIN)
        assert one["ap50"] == pytest.approx(evaluation.stats[1], abs=WITHIN)


def test_the_same_ground_truth_as_coco_gives_the_same_scores(scores, coco_scores):
    (sequence,) = coco_scores["sequences"]
    assert sequence["name"] == "moving.mp4"
    for name in ("ap", "ap50", "mota", "idf1", "hota", "idSwitches", "truthBoxes", "truthTracks"):
        assert sequence[name] == coco_scores["total"][name]
        assert sequence[name] == pytest.approx(scores["moving"][name], abs=WITHIN)
