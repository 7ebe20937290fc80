"""Lines, zones and pictures from a file to its results: the same however the work was cut up."""

import json
from dataclasses import asdict

from domain.analyses.counted import read_line_count
from domain.analyses.files import PictureKind, ResultFormat, picture_key
from domain.analyses.models import Analysis, AnalysisStatus, Segment
from domain.analyses.options import Anchor, Counting, CountingLine, Zone
from domain.analyses.progress import ProgressSnapshot, take_snapshot
from domain.analyses.settings import AnalysisSettings
from tests.tasks.harness import harness

COUNTING = Counting(
    (CountingLine("middle", (0.5, 1.0), (0.5, 0.0), anchor=Anchor.CENTER),),
    (Zone("left half", ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)), ("face",)),),
)
SETTINGS = AnalysisSettings(
    "yunet-2026may", min_confidence=0.6, frame_stride=2, counting=COUNTING, pictures=True
)


async def test_counts_and_pictures_do_not_depend_on_segments(tmp_path, media_dir, weights_dir):
    seen = []
    for number, (slots, segment_seconds) in enumerate([(1, 3600.0), (2, 1.0)]):
        changes = {"slots": slots, "segment_seconds": segment_seconds}
        async with harness(tmp_path / str(number), weights_dir, **changes) as work:
            analysis = await work.analyse(media_dir / "short_hamilton_clip.mp4", SETTINGS)
            assert analysis.status == AnalysisStatus.SUCCEEDED, analysis.error_message
            assert (await Segment.filter(analysis_id=analysis.id).count() == 1) == (number == 0)
            result = json.loads(await work.result(analysis, ResultFormat.JSON))
            pictures = [
                await work.runtime.storage.get(picture_key(analysis.id, kind)) for kind in PictureKind
            ]
            seen.append((result, analysis.counted, pictures))
            last = work.progress.snapshots[-1]
    assert seen[0] == seen[1]
    result, counted, pictures = seen[0]
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
    (line,), (zone,) = result["counting"]["lines"], result["counting"]["zones"]
    assert (line["name"], line["start"], line["anchor"]) == ("middle", [0.5, 1.0], "CENTER")
    assert line["in"] + line["out"] == len(line["crossings"]) > 0
    assert zone["entries"] == len(zone["visits"]) > 0
    assert zone["exits"] == sum(visit["wentOut"] for visit in zone["visits"])
    (shown,), (there,) = last.line_counts, last.zone_counts
    assert (shown.name, shown.came_in, shown.went_out) == ("middle", line["in"], line["out"])
    assert (there.entries, there.exits) == (zone["entries"], zone["exits"])
    assert there.mean_dwell_seconds == zone["meanDwellSeconds"]
    end = result["frames"][-1]["timestampSeconds"]
    still_seen = sum(not visit["wentOut"] and visit["leftSeconds"] == end for visit in zone["visits"])
    assert zone["occupancy"][-1]["count"] == there.occupancy
    assert 0 < still_seen <= there.occupancy <= there.entries - there.exits
    assert counted["lines"][0]["by_label"] == {"face": [line["in"], line["out"]]}
    assert ProgressSnapshot.from_json(last.to_json()) == last
    assert read_line_count(asdict(shown)) == shown


async def test_before_anything_is_tracked_all_counts_are_zero(tmp_path, media_dir):
    async with harness(tmp_path, None) as work:
        video = await work.add_video(media_dir / "nasa_13013.mp4")
        analysis = await Analysis.create(
            id=video.id, owner_id=work.owner.id, video_id=video.id, ml_model="yunet-2026may",
            tracker="SORT", frame_stride=1, min_confidence=0.5,
            counting=json.loads(json.dumps(asdict(COUNTING))),
        )  # fmt: skip
        snapshot = await take_snapshot(analysis.id)
        assert [(line.name, line.came_in, line.went_out) for line in snapshot.line_counts] == [
            ("middle", 0, 0)
        ]
        (zone,) = snapshot.zone_counts
        assert (zone.name, zone.occupancy, zone.entries, zone.exits) == ("left half", 0, 0, 0)
        assert zone.mean_dwell_seconds is None
