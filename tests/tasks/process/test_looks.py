"""However frames are looked at, each frame of the stride has its row, and the same segment the same bytes."""

import asyncio
from typing import Any

import numpy as np
import pytest

from media.probe import probe
from media.segments import plan_segments
from tasks.process.errors import ProcessDiedError
from tasks.process.process import AnalysisProcess
from tasks.process.protocol import Message
from tasks.results.table import SegmentTable
from tests.tasks.process.trial_models import started

CLIP = "short_hamilton_clip.mp4"
LEFT_HALF = [[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [0.0, 1.0]]
WAYS: dict[str, dict[str, Any] | None] = {
    "exact": None,
    "gated": {"mode": "EXACT", "motion_gating": True},
    "fast": {"mode": "FAST"},
    "fast without gating": {"mode": "FAST", "motion_gating": False},
    "region": {"mode": "EXACT", "region": LEFT_HALF},
    "tiles": {"mode": "EXACT", "tiling": {"tile_pixels": 400, "overlap": 0.2}},
    "everything": {
        "mode": "FAST",
        "region": LEFT_HALF,
        "tiling": {"tile_pixels": 400, "overlap": 0.2},
        "motion_gating": True,
    },
}
STRIDE = {"tiles": 12, "everything": 4}


@pytest.fixture(scope="module")
def requests(media_dir, weights_dir):
    timeline = probe(media_dir / CLIP).timeline
    plans = plan_segments(timeline, target_seconds=1.0, start_seconds=2.0, end_seconds=5.0)

    def make(way: str, stride: int | None = None) -> list[Message]:
        return [
            Message(
                "detect",
                {
                    "source": str(media_dir / CLIP),
                    "plan": vars(plan),
                    "time_base": str(timeline.time_base),
                    "frame_stride": stride or STRIDE.get(way, 1),
                    "thread_count": 1,
                    "ml_model": "yunet-2026may",
                    "weights_dir": str(weights_dir),
                    "weights_mirror": None,
                    "min_confidence": 0.6,
                    "labels": None,
                    "detection_options": WAYS[way],
                },
            )
            for plan in plans
        ]

    make.times = timeline.timestamps_seconds
    return make


async def detect(process: AnalysisProcess, requests: list[Message]) -> list[bytes]:
    return [(await process.request(request)).blobs[0] for request in requests]


def tables(blobs: list[bytes]) -> list[SegmentTable]:
    return [SegmentTable.from_parquet(blob) for blob in blobs]


def skipped(blobs: list[bytes]) -> int:
    return sum(table.frames_skipped for table in tables(blobs))


def faces(blobs: list[bytes]) -> dict[int, list[tuple[float, ...]]]:
    """Sure ones by frame."""
    found: dict[int, list[tuple[float, ...]]] = {}
    for table in tables(blobs):
        rows = table.detections.to_pydict()
        for place, index in enumerate(rows["frame_index"]):
            if rows["confidence"][place] >= 0.6:
                corners = tuple(rows[name][place] for name in ("x1", "y1", "x2", "y2"))
                found.setdefault(index, []).append(corners)
    return found


async def test_each_frame_has_its_row_and_neither_order_nor_process_changes_anything(requests):
    async with started() as one, started() as other:
        found = {way: await detect(one, requests(way)) for way in WAYS}
        # This one has done other ways and later segments before.
        backwards = {way: await detect(other, requests(way)[::-1]) for way in reversed(WAYS)}
    for way, blobs in found.items():
        assert len(blobs) > 1
        assert backwards[way][::-1] == blobs, way
        assert_rows(requests, way, tables(blobs))
    assert_region(tables(found["exact"]), tables(found["region"]))
    assert_nearly_the_same(found["exact"], found["gated"], found["fast"])
    assert 0 < skipped(found["fast without gating"]) < skipped(found["fast"])


def assert_rows(requests, way: str, found: list[SegmentTable]) -> None:
    for request, table in zip(requests(way), found, strict=True):
        first = request.values["plan"]["first_frame_index"]
        frames = range(first, first + request.values["plan"]["frame_count"])
        expected = [index for index in frames if index % STRIDE.get(way, 1) == 0]
        assert table.frame_index.tolist() == expected
        assert table.timestamp_seconds.tolist() == requests.times[expected].tolist()
        assert set(table.detections["frame_index"].to_pylist()) <= set(expected)
        assert table.counts()["face"] > 0


def assert_region(exact: list[SegmentTable], region: list[SegmentTable]) -> None:
    for table in region:
        sides = (table.detections[name].to_pylist() for name in ("x1", "x2"))
        middles = [(left + right) / 2 for left, right in zip(*sides, strict=True)]
        assert middles
        assert max(middles) <= 320 + 1e-3
    assert sum(len(table.detections) for table in region) < sum(len(table.detections) for table in exact)


def assert_nearly_the_same(exact: list[bytes], gated: list[bytes], fast: list[bytes]) -> None:
    assert skipped(exact) == 0
    assert 0 < skipped(gated) < skipped(fast)
    expected = faces(exact)
    total = sum(map(len, expected.values()))
    assert total > 50
    for blobs, share in ((gated, 0.97), (fast, 0.95)):
        found = faces(blobs)
        near = sum(
            any(np.abs(np.subtract(box, other)).max() < 25 for other in found.get(index, []))
            for index, boxes in expected.items()
            for box in boxes
        )
        assert near >= share * total
    assert faces(fast) != expected


async def test_a_segment_begun_anew_after_a_kill_has_the_same_bytes(requests):
    (asked, *_) = requests("fast", stride=1)
    async with started() as process:
        (expected,) = await detect(process, [asked])
    async with started() as process:
        begun = asyncio.Event()
        working = asyncio.create_task(
            process.request(
                asked, lambda progress: begun.set() if progress.get("frames_done", 0) > 5 else None
            )
        )
        await begun.wait()
        await process.kill()
        with pytest.raises(ProcessDiedError):
            await working
    async with started() as process:
        assert await detect(process, [asked]) == [expected]
