"""What is kept of a face track is the same, however its segments are split into pieces of work."""

from itertools import pairwise

import numpy as np
import orjson
import pyarrow as pa
import pytest

from ml_models.crops import ARCFACE_TEMPLATE
from tasks.faces.looking import agreeing, look_due
from tasks.faces.reading import FaceRules, Faces, faces_of, take_faces
from tasks.faces.tracks import (
    CANDIDATES_PER_TRACK,
    GRID_SECONDS,
    PLACES_PER_TRACK,
    Candidate,
    FaceTrack,
    FaceTracks,
)
from tasks.results.table import TRACKED_SCHEMA
from tests.tasks.tables import tracked

RULES = FaceRules(min_pixels=32, needs_landmarks=True, frame_size=(640, 360))
FPS = 25.0


def random_faces(seed: int, seconds: float) -> Faces:
    """Some people who come, move about and go, in no order."""
    random = np.random.default_rng(seed)
    rows = []
    for track_id in range(1, 7):
        start, end = sorted(random.uniform(0, seconds, 2))
        place, size = random.uniform(0, 250, 2), random.uniform(20, 140)
        for frame in range(int(start * FPS), int(end * FPS) + 1):
            place = place + random.normal(0, 2, 2)
            rows.append((frame, track_id, place, size + random.normal(0, 3), random.uniform(0.5, 1)))
    rows.sort(key=lambda row: row[:2])
    boxes = np.array([[*place, *(place + size)] for _, _, place, size, _ in rows])
    noise = random.normal(0, 4, (len(rows), 5, 2))
    landmarks = (ARCFACE_TEMPLATE + noise) / 112 * (boxes[:, 2:] - boxes[:, :2])[:, None] + boxes[:, None, :2]
    frames = np.array([row[0] for row in rows])
    return Faces(
        np.array([row[1] for row in rows]),
        frames,
        frames / FPS,
        np.array([row[4] for row in rows]),
        boxes,
        landmarks,
        random.random(len(rows)) > 0.1,
    )


def part(faces: Faces, first: int, end: int) -> Faces:
    chosen = (faces.frame_indices >= first) & (faces.frame_indices < end)
    return Faces(*(values[chosen] for values in vars(faces).values()))


def through_json(tracks: FaceTracks) -> FaceTracks:
    stored = orjson.loads(orjson.dumps([track.to_json() for track in tracks.by_id.values()]))
    return FaceTracks(map(FaceTrack.from_json, stored))


@pytest.mark.parametrize("seed", range(8))
def test_pieces_of_work_of_any_size_leave_the_same(seed):
    seconds = 60.0
    faces = random_faces(seed, seconds)
    whole = FaceTracks()
    assert take_faces(whole, faces, RULES) == set(whole.by_id)
    random = np.random.default_rng(seed)
    cuts = [0, *sorted(random.integers(1, int(seconds * FPS), 9).tolist()), int(seconds * FPS) + 1]
    pieces = FaceTracks()
    for first, end in pairwise(cuts):
        pieces = through_json(pieces)
        take_faces(pieces, part(faces, first, end), RULES)
    assert [track.to_json() for track in through_json(pieces).by_id.values()] == [
        pieces.by_id[track_id].to_json() for track_id in pieces.by_id
    ]
    assert pieces.by_id.keys() == whole.by_id.keys()
    for track_id, track in whole.by_id.items():
        other = pieces.by_id[track_id]
        assert other.candidates == track.candidates
        assert [one.box for one in other.candidates] == [one.box for one in track.candidates]
        assert other.sighted_places() == track.sighted_places()
        assert other.neighbours() == track.neighbours()
        assert (other.first_seconds, other.last_seconds) == (track.first_seconds, track.last_seconds)


def test_candidates_are_the_best_of_the_track_far_enough_apart():
    faces = random_faces(3, 60.0)
    tracks = FaceTracks()
    take_faces(tracks, faces, RULES)
    for track in tracks.by_id.values():
        assert len(track.candidates) <= CANDIDATES_PER_TRACK
        assert len({one.cell for one in track.candidates}) == len(track.candidates)
        assert track.candidates == sorted(track.candidates, reverse=True)
        assert len(track.places) <= PLACES_PER_TRACK
        for seconds, *_ in track.sighted_places():
            assert seconds % (GRID_SECONDS * track.places_step) == 0
    assert any(len(track.candidates) == CANDIDATES_PER_TRACK for track in tracks.by_id.values())


FACE = ("face", 0.9, (100.0, 100.0, 200.0, 200.0), 1)


def test_small_faces_other_labels_and_faces_without_landmarks_are_no_candidates():
    frames = [
        (0, 0.0, [FACE, ("cat", 0.9, (300, 0, 400, 100), 2), ("face", 0.9, (0, 0, 31, 90), 3)]),
        (1, 0.1, [("face", 0.9, (0, 0, 31, 90), 3), ("face", 0.9, (300, 0, 400, 100), None)]),
    ]
    faces = faces_of(tracked(frames))
    assert faces.track_ids.tolist() == [1, 3, 3]
    tracks = FaceTracks()
    take_faces(tracks, faces, FaceRules(32, needs_landmarks=False, frame_size=(640, 360)))
    assert [len(tracks.by_id[track_id].candidates) for track_id in (1, 3)] == [1, 0]
    tracks = FaceTracks()
    assert take_faces(tracks, faces, RULES) == {1, 3}
    assert not any(track.candidates for track in tracks.by_id.values())


def test_landmarks_are_read_where_there_are_some():
    table = tracked([(0, 0.0, [FACE, FACE])])
    points = ARCFACE_TEMPLATE.ravel().tolist()
    column = pa.array([None, points], TRACKED_SCHEMA.field("landmarks").type)
    place = TRACKED_SCHEMA.get_field_index("landmarks")
    with_points = table.detections.set_column(place, TRACKED_SCHEMA.field("landmarks"), column)
    faces = faces_of(type(table)(with_points, table.frame_index, table.timestamp_seconds))
    assert faces.has_landmarks.tolist() == [False, True]
    assert faces.landmarks[1] == pytest.approx(ARCFACE_TEMPLATE, abs=1e-4)


def test_two_are_beside_each_other_where_they_are_seen_apart_more_than_once():
    def at(x: float, track_id: int, confidence: float = 0.9):
        return ("face", confidence, (x, 0.0, x + 100, 100.0), track_id)

    frames = [
        (0, 0.0, [at(0, 1), at(300, 2), at(450, 3), at(40, 4, 0.6)]),
        (1, 0.04, [at(0, 1), at(300, 2), at(40, 4, 0.6)]),
    ]
    tracks = FaceTracks()
    take_faces(tracks, faces_of(tracked(frames)), FaceRules(32, needs_landmarks=False, frame_size=(640, 360)))
    beside = {track_id: track.neighbours() for track_id, track in tracks.by_id.items()}
    assert beside == {1: [2], 2: [1, 4], 3: [], 4: [2]}
    # Track 4 lies over the surer track 1: it is a part of the same face.
    assert not tracks.by_id[4].candidates
    assert tracks.by_id[1].candidates


def test_a_track_is_looked_at_when_it_is_new_when_it_has_doubled_and_when_it_ends():
    track = FaceTrack(1, 0.0, 2.0, [Candidate(1.0, -10, 0.4, (0, 0, 50, 50), None)])
    assert look_due(track, is_final=False) is not None
    track.shown_seconds = track.length_seconds
    assert look_due(track, is_final=False) is None
    assert look_due(track, is_final=True) is not None
    track.last_seconds = 4.0
    assert look_due(track, is_final=False) is not None
    track.candidates[0].quality = 0.1
    assert look_due(track, is_final=True) is None


def test_of_a_track_that_went_over_to_another_person_the_majority_counts():
    one, other = np.eye(4, dtype=np.float32)[:2]
    near = np.array([0.9, 0.1, 0.4, 0.0], dtype=np.float32)
    near /= np.linalg.norm(near)
    assert agreeing(np.stack([other, one, near]), 0.35) == [1, 2]
    assert agreeing(np.stack([other, one]), 0.35) == [0]
    assert agreeing(other[None], 0.35) == [0]
