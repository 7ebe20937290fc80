"""Masks from the model to each result, as the tools read them that results are made for."""

import asyncio
import json
from contextlib import redirect_stdout
from copy import deepcopy
from functools import partial
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import av
import cv2
import duckdb
import jsonschema
import numpy as np
import pyarrow.parquet as pq
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from domain.analyses.files import RESULT_FILES, ResultFormat, overlay_key
from domain.analyses.models import AnalysisStatus, Tracker
from domain.analyses.options import AnalysisMode, DetectionOptions, Tiling
from domain.analyses.settings import AnalysisSettings
from graphql_api.analyses.detections import page_of_detections
from ml_models import catalog
from tasks.results.reader import DetectionFilter
from tests.ml_models.clips import read_frames
from tests.tasks.harness import harness
from tests.tasks.shape_finder import install_shape_finder, shapes_in
from tests.tools.datumaro import read_cvat

pytestmark = [
    pytest.mark.xdist_group("results_of_masks"),
    # pycocotools 2 is older than numpy 2.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

WIDTH, HEIGHT, FRAMES, SEGMENT = 480, 360, 36, 12
SCHEMA = Path(__file__).parents[3] / "docs" / "result.schema.json"
KEPT = DetectionOptions(region=((0, 0), (0.4, 0), (0.4, 0.6), (0, 0.6)))
shape_settings = partial(AnalysisSettings, "shape-finder", min_confidence=0.0)
ANALYSES = {
    "exact": shape_settings(tracker=Tracker.SORT, overlay=True),
    "untracked": shape_settings(tracker=Tracker.NONE, min_confidence=0.1),
    "tiles": shape_settings(detection=DetectionOptions(tiling=Tiling(256, 0.5))),
    "region": shape_settings(detection=KEPT),
    "fast": shape_settings(detection=DetectionOptions(mode=AnalysisMode.FAST)),
    "boxes": AnalysisSettings("frame-marker", min_confidence=0.0),
}


def painted(index: int) -> np.ndarray:
    """A ring that wanders and a triangle; nothing in the second segment."""
    image = np.full((HEIGHT, WIDTH, 3), 20, np.uint8)
    if index // SEGMENT != 1:
        cv2.circle(image, (60 + 2 * index, 130 - index), 30, (240, 240, 240), 12)
        cv2.fillPoly(image, [np.array([[380, 30], [400, 30], [390, 48]])], (240, 240, 240))
    return image


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "shapes.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=12)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = {"crf": "10", "g": str(SEGMENT), "sc_threshold": "0"}
        for index in range(FRAMES):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(painted(index), format="bgr24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def truth(clip) -> list[np.ndarray]:
    """For each frame the masks of what is in it, the surest first."""
    truth = []
    for image in read_frames(clip):
        found = shapes_in(image)
        truth.append(found.mask[np.argsort(-found.confidence)])
    assert [len(masks) for masks in truth] == [2] * SEGMENT + [0] * SEGMENT + [2] * SEGMENT
    return truth


@pytest.fixture(scope="module")
def results(clip, tmp_path_factory) -> dict[str, Path]:
    """A folder of result files for each analysis; `page.json` is what the API gives."""
    from tests.tasks.plugin import install_plugin

    root = tmp_path_factory.mktemp("masks")
    site = root / "site"
    install_shape_finder(site)
    install_plugin(site)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(site))
        patch.setenv("PYTHONPATH", str(site))
        catalog._plugin_specs.cache_clear()
        asyncio.run(_analyse(clip, root))
    return {name: root / name for name in ANALYSES}


async def _analyse(clip: Path, root: Path) -> None:
    async with harness(root / "data", None, slots=1, segment_seconds=1.0) as work:
        storage = work.runtime.storage
        context = SimpleNamespace(state=SimpleNamespace(storage=storage))
        for name, settings in ANALYSES.items():
            analysis = await work.analyse(clip, settings)
            assert analysis.status == AnalysisStatus.SUCCEEDED, analysis.error_message
            assert analysis.segment_count == 3
            (root / name).mkdir()
            for form in ResultFormat:
                (root / name / RESULT_FILES[form][0]).write_bytes(await work.result(analysis, form))
            if settings.overlay:
                (root / name / "overlay.mp4").write_bytes(await storage.get(overlay_key(analysis.id)))
            page = await page_of_detections(context, analysis, DetectionFilter(), 100, None)
            shown = [
                {
                    "frame": edge.node.frame_index,
                    "mask": edge.node.mask and vars(edge.node.mask),
                    "landmarks": edge.node.landmarks and [vars(one) for one in edge.node.landmarks],
                }
                for edge in page.edges
            ]
            (root / name / "page.json").write_text(json.dumps(shown))


def masks_of(folder: Path) -> list[list[np.ndarray]]:
    """Those of each frame, from the JSON result."""
    document = json.loads((folder / "result.json").read_text())
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    return [
        [coco_mask.decode(one["mask"]).astype(bool) for one in frame["detections"]]
        for frame in document["frames"]
    ]


def assert_same(found, expected) -> None:
    assert len(found) == len(expected)
    for some, others in zip(found, expected, strict=True):
        np.testing.assert_array_equal(np.array(some).reshape(-1, HEIGHT, WIDTH), others)


def share_of(first, second) -> float:
    return (first & second).sum() / (first | second).sum()


def test_json_has_the_masks_of_the_model(results, truth):
    assert_same(masks_of(results["exact"]), truth)
    lines = [json.loads(line) for line in (results["exact"] / "result.jsonl").read_text().splitlines()]
    assert_same(
        [[coco_mask.decode(line["mask"])] for line in lines], [[one] for some in truth for one in some]
    )
    assert {tuple(line["landmarkScores"]) for line in lines} == {(0.25, 3.5)}


@pytest.mark.parametrize("name", ["tiles", "region"])
def test_masks_of_a_part_lie_where_they_are_in_the_frame(name, results, truth):
    expected = truth if name == "tiles" else [masks[:1] for masks in truth]
    assert_same(masks_of(results[name]), expected)


def test_between_looks_the_mask_moves_with_its_box(results, truth):
    skipped = json.loads((results["fast"] / "result.json").read_text())["framesSkipped"]
    assert skipped >= SEGMENT
    found = masks_of(results["fast"])
    assert [len(masks) for masks in found] == [len(masks) for masks in truth]
    shares = [
        share_of(one, other)
        for some, others in zip(found, truth, strict=True)
        for one, other in zip(some, others, strict=True)
    ]
    assert min(shares) > 0.95


def test_coco_opens_in_pycocotools_with_its_masks(results, truth):
    with redirect_stdout(StringIO()):
        document = COCO(results["exact"] / "result.coco.json")
        scored = document.loadRes(deepcopy(document.dataset["annotations"]))
        evaluation = COCOeval(document, scored, "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert evaluation.stats[:2] == pytest.approx([1.0, 1.0])
    for frame, masks in enumerate(truth):
        found = document.loadAnns(document.getAnnIds(imgIds=[frame]))
        assert [document.annToMask(one).tolist() for one in found] == masks.astype(int).tolist()
        assert [(one["area"], one["iscrowd"]) for one in found] == [(mask.sum(), 0) for mask in masks]


@pytest.mark.parametrize("name", ["exact", "untracked"])
def test_cvat_opens_in_datumaro_with_polygons(name, results, truth):
    found = [one for one in read_cvat(results[name] / "result.cvat.xml")["boxes"] if not one[-1]["outside"]]
    kept = [mask for masks in truth for mask in masks[: 1 if name == "untracked" else 2]]
    assert len(found) == len(kept)
    by_frame = sorted(found, key=lambda one: (one[0], -float(one[-1]["confidence"])))
    for (_, _, *points, _), mask in zip(by_frame, kept, strict=True):
        canvas = np.zeros((HEIGHT * 8, WIDTH * 8), np.uint8)
        corners = np.rint(np.array(points).reshape(-1, 2) * 8).astype(np.int32)
        assert len(corners) < 60
        drawn = cv2.fillPoly(canvas, [corners], 1)[4::8, 4::8].astype(bool)
        outer = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
        filled = cv2.drawContours(mask.astype(np.uint8), outer, -1, 1, -1).astype(bool)
        assert share_of(drawn, filled) > 0.9


def test_parquet_opens_in_duckdb_with_masks(results, truth):
    path = results["exact"] / "result.parquet"
    rows = duckdb.sql(f"SELECT mask.size, mask.counts, landmark_scores FROM '{path}'").fetchall()
    found = [coco_mask.decode({"size": size, "counts": counts}) for size, counts, _ in rows]
    assert_same([found], [np.concatenate([masks for masks in truth if len(masks)])])
    assert {tuple(scores) for *_, scores in rows} == {(0.25, 3.5)}


def test_the_api_gives_masks_and_points(results, truth):
    shown = json.loads((results["exact"] / "page.json").read_text())
    found = [[coco_mask.decode(one["mask"]) for one in shown if one["frame"] == n] for n in range(FRAMES)]
    assert_same(found, truth)
    ys, xs = np.nonzero(truth[0][0])
    first, last = shown[0]["landmarks"]
    assert (first["x"], first["y"], first["score"]) == (xs.min(), ys.min(), 0.25)
    assert (last["x"], last["y"], last["score"]) == (xs.max() + 1, ys.max() + 1, 3.5)


def test_the_overlay_tints_the_mask(results, truth, clip):
    source, drawn = read_frames(clip), read_frames(results["exact"] / "overlay.mp4")
    assert len(drawn) == FRAMES
    for index in (3, 30):
        ring = truth[index][0]
        core = cv2.erode(ring.astype(np.uint8), np.ones((5, 5))).astype(bool)
        ys, xs = np.nonzero(ring)
        core[: ys.min() + 8] = False  # the label may lie there
        hole = np.zeros_like(ring)
        hole[(ys.min() + ys.max()) // 2, (xs.min() + xs.max()) // 2] = True
        change = np.abs(drawn[index].astype(int) - source[index]).max(axis=2)
        assert np.median(change[core]) > 25
        assert change[cv2.dilate(hole.astype(np.uint8), np.ones((5, 5))) > 0].max() < 25


def test_models_without_masks_have_none_anywhere(results):
    folder = results["boxes"]
    assert not {"mask", "landmark_scores"} & set(pq.read_schema(folder / "result.parquet").names)
    assert b"mask" not in (folder / "result.json").read_bytes()
    assert b"segmentation" not in (folder / "result.coco.json").read_bytes()
    assert b"polygon" not in (folder / "result.cvat.xml").read_bytes()
    assert {one["mask"] for one in json.loads((folder / "page.json").read_text())} == {None}
