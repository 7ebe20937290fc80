"""How many faces of a track are embedded, and which."""

import numpy as np
import pytest

from ml_models.face_chips import FaceChip
from tasks.faces import looking
from tasks.faces.looking import Look, look_at_tracks, reliability
from tasks.faces.tracks import Candidate, FaceTrack

COUNT = 16
VERY_ALIKE, ALIKE, UNLIKE = 0.9, 0.8, 0.5


def look_at(monkeypatch, cosine):
    """Faces that are so much like each other: what is embedded, by place in time, and the description."""
    random = np.random.default_rng(1)
    noise, _ = np.linalg.qr(random.normal(size=(COUNT + 1, COUNT + 1)))
    faces = np.sqrt(cosine) * noise[:1] + np.sqrt(1 - cosine) * noise[1:]
    candidates = [Candidate(1.0, -place, place / 4, (0, 0, 4, 4), None) for place in range(COUNT)]
    qualities = dict(enumerate(random.permutation(COUNT) / 100 + 0.5))
    monkeypatch.setattr(looking, "face_quality", lambda image, *_: float(qualities[int(image[0, 0, 0])]))
    monkeypatch.setattr(looking, "_cut_chips", _take_all)
    embedded = []

    def embed(chip):
        place = int(chip.image[0, 0, 0])
        embedded.append(place)
        return faces[place].astype(np.float32)

    track = FaceTrack(1, 0.0, COUNT / 4, candidates)
    (found,) = look_at_tracks([Look(track, True, candidates)], None, embed, 0.3)
    best = max(qualities, key=qualities.get)
    assert int(found.best.image[0, 0, 0]) == best
    assert found.quality == pytest.approx(float(qualities[best]))
    return embedded, best, found.embedding, faces


def _take_all(looks, frames):
    for look in looks:
        for candidate in look.candidates:
            image = np.full((4, 4, 3), candidate.frame_index, dtype=np.uint8)
            look.take(candidate, FaceChip(image, np.array([0, 0, 4, 4], np.float32), None))


@pytest.mark.parametrize(
    ("cosine", "places"), [(VERY_ALIKE, {0, 5, 10, 15}), (ALIKE, {0, 2, 5, 8, 10, 12, 15})]
)
def test_of_faces_that_agree_a_few_spread_over_the_track_are_enough(monkeypatch, cosine, places):
    embedded, best, embedding, faces = look_at(monkeypatch, cosine)
    assert set(embedded) == places | {best}
    assert len(embedded) == len(places) + 1
    whole = faces.mean(axis=0)
    assert embedding @ whole / np.linalg.norm(whole) > 0.97


def test_of_faces_that_differ_all_are_embedded_once(monkeypatch):
    embedded, _, embedding, faces = look_at(monkeypatch, UNLIKE)
    assert sorted(embedded) == list(range(COUNT))
    whole = faces.mean(axis=0)
    assert embedding == pytest.approx(whole / np.linalg.norm(whole), abs=1e-6)


def test_reliability_grows_with_number_and_likeness():
    same = np.tile(np.eye(4, dtype=np.float32)[0], (3, 1))
    assert reliability(same) == pytest.approx(1)
    assert reliability(same[:1]) == 0
    assert reliability(np.eye(4, dtype=np.float32)) == 0
    half = np.linalg.cholesky(np.full((16, 16), 0.5) + np.eye(16) / 2).astype(np.float32)
    assert reliability(half) == pytest.approx(0.941, abs=0.001)
    assert reliability(half[:5]) == pytest.approx(0.833, abs=0.001)
