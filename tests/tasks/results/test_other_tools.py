"""Results of a real clip, read by the tools they are made for."""

import asyncio
import csv
import json
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import av
import cv2
import duckdb
import jsonschema
import numpy as np
import pytest
import trackeval
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from domain.analyses.files import RESULT_FILES, ResultFormat, crops_key, overlay_key
from domain.analyses.models import AnalysisStatus
from domain.analyses.options import DetectionOptions, Tiling, TrackingOptions, camel_case
from domain.analyses.settings import AnalysisSettings
from tests.tasks.harness import harness
from tests.tools.chromium import play
from tests.tools.datumaro import read_cvat

pytestmark = pytest.mark.xdist_group("results_of_other_tools")

CLIP = "short_hamilton_clip.mp4"
SETTINGS = AnalysisSettings(
    "yunet-2026may",
    min_confidence=0.6,
    frame_stride=2,
    overlay=True,
    crops=True,
    detection=DetectionOptions(region=((0, 0), (1, 0), (1, 1), (0, 1)), tiling=Tiling(4096, 0.1)),
    tracking=TrackingOptions(min_iou=0.3),
)
SCHEMA = Path(__file__).parents[3] / "docs" / "result.schema.json"


@pytest.fixture(scope="module")
def folder(tmp_path_factory, media_dir, weights_dir) -> Path:
    """All result files of one analysis."""
    folder = tmp_path_factory.mktemp("results")

    async def make() -> None:
        async with harness(folder / "data", weights_dir) as work:
            analysis = await work.analyse(media_dir / CLIP, SETTINGS)
            assert analysis.status == AnalysisStatus.SUCCEEDED, analysis.error_message
            for form in ResultFormat:
                (folder / RESULT_FILES[form][0]).write_bytes(await work.result(analysis, form))
            for key in (crops_key(analysis.id), overlay_key(analysis.id)):
                (folder / Path(key).name).write_bytes(await work.runtime.storage.get(key))

    asyncio.run(make())
    return folder


@pytest.fixture(scope="module")
def document(folder) -> dict[str, Any]:
    """The JSON result, which the others are compared with."""
    return json.loads((folder / "result.json").read_text())


def boxes_of(document: dict[str, Any]) -> Iterator[tuple[int, str, int | None, float, float, float, float]]:
    """Frame, label, track, left, top, right, bottom."""
    for frame in document["frames"]:
        for found in frame["detections"]:
            box = found["box"]
            yield (
                frame["frameIndex"],
                found["label"],
                found["trackId"],
                box["x"],
                box["y"],
                box["x"] + box["width"],
                box["y"] + box["height"],
            )


def corners(x: float, y: float, width: float, height: float) -> tuple[float, float, float, float]:
    return x, y, x + width, y + height


def assert_same_boxes(found: list[Any], expected: list[Any], within: float = 0.002) -> None:
    """Of tuples that end with four coordinates; order does not matter."""
    assert len(found) == len(expected) > 0
    for one, other in zip(sorted(found), sorted(expected), strict=True):
        assert tuple(one[:-4]) == tuple(other[:-4])
        assert one[-4:] == pytest.approx(other[-4:], abs=within)


def test_json_is_as_its_schema_says(document):
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema)
    document = json.loads(json.dumps(document))
    document["frames"][0]["detections"].append({"label": "tv", "confidence": 2, "box": {}, "trackId": None})
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema)


def test_json_says_how_frames_were_looked_at_and_tracked(document):
    settings = document["settings"]
    assert (settings["mode"], settings["motionGating"], document["framesSkipped"]) == ("EXACT", False, 0)
    assert settings["region"] == [[0, 0], [1, 0], [1, 1], [0, 1]]
    assert settings["tiling"] == {"tilePixels": 4096, "overlap": 0.1}
    assert settings["trackerParameters"] == {
        **{camel_case(name): None for name in vars(TrackingOptions())},
        "minIou": 0.3,
    }


def test_coco_opens_in_pycocotools_and_scores_one_against_itself(folder, document):
    with redirect_stdout(StringIO()):
        truth = COCO(folder / "result.coco.json")
        results = truth.loadRes(truth.dataset["annotations"])
        evaluation = COCOeval(truth, results, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert evaluation.stats[:2] == pytest.approx([1.0, 1.0])
    assert truth.getImgIds() == [frame["frameIndex"] for frame in document["frames"]]
    names = {category["id"]: category["name"] for category in truth.dataset["categories"]}
    found = [
        (one["image_id"], names[one["category_id"]], *corners(*one["bbox"]))
        for one in truth.loadAnns(truth.getAnnIds())
    ]
    assert_same_boxes(found, [(frame, label, *box) for frame, label, _, *box in boxes_of(document)])


def test_cvat_opens_in_datumaro(folder, document):
    found = read_cvat(folder / "result.cvat.xml")
    assert found["labels"] == sorted({label for _, label, *_ in boxes_of(document)})
    seen = [box for box in found["boxes"] if not box[-1]["outside"]]
    # Datumaro keeps two digits, of widths and heights too.
    expected = [(frame, label, *box) for frame, label, _, *box in boxes_of(document)]
    assert_same_boxes([box[:-1] for box in seen], expected, within=0.021)
    tracks = Counter(box[-1]["track_id"] for box in seen)
    for track_id, count in Counter(track for _, _, track, *_ in boxes_of(document) if track).items():
        assert tracks[track_id] == count
    assert all(box[-1]["keyframe"] for box in found["boxes"])


def test_mot_opens_in_trackeval_and_is_perfect_against_itself(folder, document, tmp_path):
    lines = [
        line.split(",")
        for line in (folder / "result.mot.txt").read_text().splitlines()
        if line.split(",")[1] != "-1"
    ]
    assert lines
    truth = tmp_path / "truth" / "clip" / "gt"
    truth.mkdir(parents=True)
    (truth / "gt.txt").write_text("".join(",".join([*line[:6], "1,1,1"]) + "\n" for line in lines))
    tracker = tmp_path / "trackers" / "framewise" / "data"
    tracker.mkdir(parents=True)
    (tracker / "clip.txt").write_text("".join(",".join(line) + "\n" for line in lines))
    dataset = trackeval.datasets.MotChallenge2DBox(
        {
            "GT_FOLDER": str(tmp_path / "truth"),
            "TRACKERS_FOLDER": str(tmp_path / "trackers"),
            "SEQ_INFO": {"clip": document["video"]["frameCount"]},
            "SKIP_SPLIT_FOL": True,
            "PRINT_CONFIG": False,
        }
    )
    with redirect_stdout(StringIO()):
        data = dataset.get_preprocessed_seq_data(dataset.get_raw_seq_data("framewise", "clip"), "pedestrian")
        hota = trackeval.metrics.HOTA().eval_sequence(data)
    assert data["num_tracker_dets"] == sum(track is not None for _, _, track, *_ in boxes_of(document))
    assert hota["HOTA"] == pytest.approx(np.ones_like(hota["HOTA"]))


def test_parquet_opens_in_duckdb(folder, document):
    found = duckdb.sql(
        f"SELECT frame_index, label, track_id, x1, y1, x2, y2 FROM '{folder / 'result.parquet'}'"
    ).fetchall()
    expected = [(frame, label, track or 0, *box) for frame, label, track, *box in boxes_of(document)]
    assert_same_boxes([(frame, label, track or 0, *box) for frame, label, track, *box in found], expected)


def test_csv_opens_in_csv(folder, document):
    with (folder / "result.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = [
        (
            int(row["frame_index"]),
            row["label"],
            int(row["track_id"] or 0),
            *corners(*(float(row[name]) for name in ("x", "y", "width", "height"))),
        )
        for row in rows
    ]
    expected = [(frame, label, track or 0, *box) for frame, label, track, *box in boxes_of(document)]
    assert_same_boxes(found, expected)


def test_the_list_of_detections_has_the_shape_that_was_asked_for(folder, document):
    detections = json.loads((folder / "result.detections.json").read_text())
    times = {frame["frameIndex"]: frame["timestampSeconds"] for frame in document["frames"]}
    assert [one["timestamp"] for one in detections] == [times[one["frame_index"]] for one in detections]
    found = [(one["frame_index"], one["item_name"], *one["coordinates"]) for one in detections]
    assert_same_boxes(found, [(frame, label, *box) for frame, label, _, *box in boxes_of(document)])


def test_the_overlay_plays_in_chromium(folder, document, tmp_path):
    found = play(folder / "overlay.mp4", tmp_path)
    video = document["video"]
    assert (found.get("width"), found.get("height")) == (video["width"], video["height"]), found
    with av.open(str(folder / "overlay.mp4")) as container:
        assert found["duration"] == pytest.approx(container.duration / av.time_base, abs=0.05)
        first = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert found["mean"] == pytest.approx(first.mean(axis=(0, 1)), abs=4)


def test_crops_show_what_the_boxes_hold(folder, document, media_dir):
    with zipfile.ZipFile(folder / "crops.zip") as archive:
        assert archive.testzip() is None
        crops = {name: archive.read(name) for name in archive.namelist()}
    tracks = {track["trackId"]: track["label"] for track in document["tracks"]}
    named = [(name, *name.rsplit("/", 1)) for name in crops]
    found = {name: (label, int(file[6:12]), int(file[19:25])) for name, label, file in named}
    assert {(track, label) for label, track, _ in found.values()} == set(tracks.items())
    assert max(Counter(track for _, track, _ in found.values()).values()) == 3
    boxes = {(frame, track): box for frame, _, track, *box in boxes_of(document)}
    wanted = {frame for _, _, frame in found.values()}
    frames = {}
    with av.open(str(media_dir / CLIP)) as container:
        for index, frame in zip(range(max(wanted) + 1), container.decode(video=0), strict=False):
            if index in wanted:
                frames[index] = frame.to_ndarray(format="bgr24")
    for name, (_, track, frame_index) in found.items():
        x1, y1, x2, y2 = boxes[frame_index, track]
        expected = frames[frame_index][int(y1) : int(np.ceil(y2)), int(x1) : int(np.ceil(x2))]
        picture = cv2.imdecode(np.frombuffer(crops[name], np.uint8), cv2.IMREAD_COLOR)
        assert picture.shape == expected.shape
        assert np.abs(picture.astype(float) - expected).mean() < 4
