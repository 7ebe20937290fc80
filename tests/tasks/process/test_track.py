"""The tracking job on a real clip: six persons come one by one from below, stop at a table, and go to the right.

What is expected was read from the clip's own frames by eye. Seen from above, the feet of five of them begin left
of the middle (those of the fifth do not, at 92 s), and all six leave the frame on the right.
"""

import random

import cv2
import numpy as np
import pytest

from ml_models.looking.cuts import GRID, CutFinder, sure_faces
from tasks.counting.record import count_tracks
from tasks.process.protocol import Message, decode
from tasks.process.track import track_segment
from tasks.results.table import SegmentTable, SegmentTableBuilder
from tests.ml_models.clips import detections_of, read_frames

CLIP = "one-by-one-person-detection.mp4"
STEP = 2
FRAMES_PER_SECOND = 10 / STEP
WIDTH, HEIGHT = 768, 432
SHAPES = {
    "lines": [
        {"name": "middle", "start": (0.5, 1.0), "end": (0.5, 0.0), "labels": ["person"]},
        {"name": "way out", "start": (0.78, 1.0), "end": (0.78, 0.0), "labels": ["person"]},
    ],
    "zones": [
        {
            "name": "table",
            "points": ((0.52, 0.0), (0.75, 0.0), (0.75, 1.0), (0.52, 1.0)),
            "labels": ["person"],
        }
    ],
}


class _Report:
    def counter(self, name):
        return lambda: None

    def __call__(self, values):
        pass

    def indivisible(self):
        return _Nothing()


class _Nothing:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


@pytest.fixture(scope="module")
def frames(media_dir, weights_dir):
    return detections_of(media_dir / CLIP, "yolox-nano", weights_dir, step=STEP)


def tables_of(frames, borders):
    tables, builder = [], SegmentTableBuilder()
    for index, (seconds, found) in enumerate(frames):
        if index in borders:
            tables.append(builder.build().to_parquet())
            builder = SegmentTableBuilder()
        labels = np.asarray(found.data["class_name"]).tolist()
        builder.add(index * STEP, seconds, found.xyxy, found.confidence, labels, None, None)
    return [*tables, builder.build().to_parquet()]


def track(frames, borders, chance):
    """Cut at these borders, tracked some segments at once: the answers' tables, and the last answer."""
    waiting, tracks, states, found = tables_of(frames, borders), [], [], []
    while waiting:
        count = chance.randint(1, min(3, len(waiting)))
        values = {
            "tracker": "BYTE_TRACK",
            "parameters": {"min_confidence": 0.3, "frames_per_second": FRAMES_PER_SECOND},
            "counting": {"shapes": SHAPES, "width": WIDTH, "height": HEIGHT},
            "min_confidence": 0.3,
            "labels": None,
            "tracks": tracks,
            "segments": count,
        }
        request = decode(Message("track", values, [*waiting[:count], *states]).encode())
        answer = decode(track_segment(request.values, request.blobs, _Report()).encode())
        tracks, states = answer.values["tracks"], list(answer.blobs[count:])
        found += [SegmentTable.from_parquet(blob) for blob in answer.blobs[:count]]
        waiting = waiting[count:]
    return found, answer.values


def rows_of(tables):
    return [row for table in tables for row in table.detections.to_pylist()]


def times(found, name):
    return [one[name] for one in found]


def about(seconds):
    return pytest.approx(seconds, abs=1.0)


def test_six_persons_are_counted_as_the_eye_counts_them(frames):
    tables, answer = track(frames, (), random.Random(0))
    counted = answer["counted"]
    assert [(line["in"], line["out"]) for line in counted["lines"]] == [(5, 0), (6, 0)]
    (zone,) = counted["zones"]
    assert (zone["occupancy"], zone["entries"], zone["exits"]) == (0, 6, 6)
    last_seconds = {one["track_id"]: one["last_seconds"] for one in answer["tracks"]}
    record = count_tracks(tables, SHAPES, WIDTH, HEIGHT, last_seconds)
    middle, way_out = record["lines"]
    assert times(middle["crossings"], "timestampSeconds") == about([7, 24, 51, 76, 125])
    assert times(way_out["crossings"], "timestampSeconds") == about([19, 44, 69, 86, 119, 135])
    visits = record["zones"][0]["visits"]
    assert times(visits, "enteredSeconds") == about([7, 24, 51, 76, 93, 125])
    assert times(visits, "leftSeconds") == about([19, 44, 69, 86, 119, 135])
    assert record["zones"][0]["maxOccupancy"] == 1
    for live, final in zip(
        (*counted["lines"], *counted["zones"]), (*record["lines"], *record["zones"]), strict=True
    ):
        same = {"name", "in", "out", "entries", "exits"} & live.keys()
        assert {name: live[name] for name in same} == {name: final[name] for name in same}
    assert zone["mean_dwell_seconds"] == record["zones"][0]["meanDwellSeconds"]


@pytest.mark.parametrize("seed", [1, 2])
def test_wherever_the_clip_is_cut_tracks_and_counts_are_the_same(frames, seed):
    chance = random.Random(seed)
    whole, expected = track(frames, (), chance)
    borders = {index for index in range(1, len(frames)) if chance.random() < 0.06}
    cut, answer = track(frames, borders, chance)
    assert len(cut) > 20
    assert rows_of(cut) == rows_of(whole)
    for name in ("tracks", "tracks_by_label", "counted"):
        assert answer[name] == expected[name]


def tracked_with_cuts(images, frames, borders):
    """Rows of faces of these images, tracked in segments with these borders, with tracks that end at cuts."""
    lumas = [
        cv2.resize(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), GRID, interpolation=cv2.INTER_AREA)
        for image in images
    ]
    size = images[0].shape[1::-1]
    values = {
        "tracker": "BYTE_TRACK",
        "parameters": {"min_confidence": 0.5, "frames_per_second": 30.0},
        "min_confidence": 0.5,
        "labels": None,
        "tracks": [],
        "ends_at_cuts": True,
        "size": size,
    }
    states, rows = [], []
    for start, end in zip([0, *borders], [*borders, len(frames)], strict=True):
        builder, finder = SegmentTableBuilder(), CutFinder()
        for index in range(start, end):
            seconds, found = frames[index]
            labels = found.data["class_name"].tolist()
            builder.add(index, seconds, found.xyxy, found.confidence, labels, None, None)
            finder.add(index, lumas[index])
            finder.see(index, sure_faces(found.xyxy, found.confidence, *size))
        blob = builder.build(finder.frame_indices, finder.edges, finder.jumps).to_parquet()
        answer = track_segment(values, [blob, *states], _Report())
        values |= {name: answer.values[name] for name in ("tracks", "edge")}
        states = list(answer.blobs[1:])
        rows += SegmentTable.from_parquet(answer.blobs[0]).detections.to_pylist()
    return rows


def shots_of_tracks(rows, cuts):
    shots = {}
    for row in rows:
        if row["track_id"] is not None:
            shots.setdefault(row["track_id"], set()).add(
                int(np.searchsorted(cuts, row["frame_index"], "right"))
            )
    return list(shots.values())


def test_no_track_goes_on_after_a_cut_wherever_segments_end(media_dir, weights_dir):
    """Of the four shots each shows a face in the middle, where the tracker would go on with the one before."""
    clip, cuts = media_dir / "short_hamilton_clip.mp4", [20, 82, 211]
    images, frames = list(read_frames(clip)), detections_of(clip, "yunet-2026may", weights_dir)
    whole = tracked_with_cuts(images, frames, [])
    assert tracked_with_cuts(images, frames, [82]) == whole
    assert tracked_with_cuts(images, frames, [60, 61, 68, 150, 211]) == whole
    shots = shots_of_tracks(whole, cuts)
    assert all(len(one) == 1 for one in shots)
    assert set().union(*shots) == {0, 1, 2, 3}
    # Of each shot but the first, which begins with a face that is found later, the first frame counts.
    assert {20, 82, 211} <= {row["frame_index"] for row in whole if row["track_id"] is not None}


def test_people_who_take_turns_before_one_backdrop_have_tracks_of_their_own(media_dir, weights_dir):
    """Two signers in one room, in turns of some frames each: only where they sit is anything new."""
    images, frames = [], []
    clips = [media_dir / "gestures" / name for name in ("eat.mkv", "milk.mkv")]
    found = [
        (list(read_frames(clip))[:20], detections_of(clip, "yunet-2026may", weights_dir, limit=20))
        for clip in clips
    ]
    for start in (0, 10):
        for pictures, faces in found:
            images += pictures[start : start + 10]
            frames += faces[start : start + 10]
    frames = [(index / 30, faces) for index, (_, faces) in enumerate(frames)]
    for borders in ([], [10, 20, 30], [9, 11], [7, 21, 29]):
        rows = tracked_with_cuts(images, frames, borders)
        shots = shots_of_tracks(rows, [10, 20, 30])
        assert all(len(one) == 1 for one in shots)
        assert set().union(*shots) == {0, 1, 2, 3}
