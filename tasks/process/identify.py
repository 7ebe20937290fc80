"""Describe the faces of the tracks that segments began, went on with, or ended."""

from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np

from media.chosen_frames import read_chosen_frames
from media.crops import encode_jpeg
from media.frames import Frame
from media.timeline import Timeline
from ml_models.base import FloatArray
from ml_models.errors import ModelInputError
from ml_models.face_chips import FaceChip, portrait
from tasks.faces.looking import Look, LookedAt, look_at_tracks, look_due
from tasks.faces.reading import FaceRules, faces_of, take_faces
from tasks.faces.tracks import FaceTrack, FaceTracks
from tasks.process.embedders import loaded_embedder
from tasks.process.protocol import Message
from tasks.process.report import Report
from tasks.results.table import SegmentTable

cv2.setNumThreads(1)


def identify(values: dict[str, Any], blobs: Sequence[bytes], report: Report) -> Message:
    """Take the faces of tracked segments into their tracks, and look at those that are due.

    The first blob is the video's timeline, the others are the tracked `SegmentTable` of each segment;
    `values["tracks"]` are the tracks so far, `values["live"]` the numbers of those that may go on, None if
    that is not known. The answer holds the tracks that go on, and what the register is to be told; its first
    blob has the embeddings, float32 (n, d), the others a JPEG of each.
    """
    timeline = Timeline.from_bytes(blobs[0])
    tracks = FaceTracks(map(FaceTrack.from_json, values["tracks"]))
    touched = _take(tracks, values, blobs[1:], (timeline.width, timeline.height), report)
    ended = _ended(tracks, values)
    looks = [
        look
        for track in tracks.by_id.values()
        if track.track_id in ended or track.track_id in touched
        if (look := look_due(track, is_final=track.track_id in ended)) is not None
    ]
    work = _Work(values, timeline, report)
    work.look_at(looks)
    going_on = [track for track in tracks.by_id.values() if track.track_id not in ended]
    return Message(
        "result",
        {
            "tracks": [track.to_json() for track in going_on],
            "sightings": work.sightings,
            "frames_decoded": work.frames_decoded,
            "faces_embedded": work.faces_embedded,
        },
        [np.array(work.embeddings, dtype="<f4").tobytes(), *work.portraits],
    )


def _take(
    tracks: FaceTracks,
    values: dict[str, Any],
    tables: Sequence[bytes],
    frame_size: tuple[int, int],
    report: Report,
) -> set[int]:
    """The tracks that these segments have."""
    rules = FaceRules(values["min_pixels"], values["needs_landmarks"], frame_size)
    on_table = report.counter("tables_read")
    touched: set[int] = set()
    has_landmarks = False
    for table in tables:
        faces = faces_of(SegmentTable.from_parquet(table))
        touched |= take_faces(tracks, faces, rules)
        has_landmarks |= bool(faces.has_landmarks.any())
        on_table()
    if touched and rules.needs_landmarks and not has_landmarks:
        raise ModelInputError(
            f"{values['ml_model']} needs the five landmarks of each face, and the detector gave none"
        )
    return touched


def _ended(tracks: FaceTracks, values: dict[str, Any]) -> set[int]:
    if values["is_last"]:
        return set(tracks.by_id)
    return set() if values["live"] is None else set(tracks.by_id).difference(values["live"])


class _Work:
    """Decodes and embeds, and counts it."""

    def __init__(self, values: dict[str, Any], timeline: Timeline, report: Report) -> None:
        self._values = values
        self._timeline = timeline
        self._report = report
        self._on_packet = report.counter("packets_read")
        self.frames_decoded = 0
        self.faces_embedded = 0
        self.sightings: list[dict[str, Any]] = []
        self.embeddings: list[FloatArray] = []
        self.portraits: list[bytes] = []

    def look_at(self, looks: Sequence[Look]) -> None:
        """Find out what the tracks look like."""
        if not looks:
            return
        self._embedder = loaded_embedder(self._values, self._report)
        similarity = self._values["like_similarity"]
        for one in look_at_tracks(looks, self._frames, self._embed, similarity):
            one.track.shown_seconds = one.track.length_seconds
            self.sightings.append(_sighting(one))
            self.embeddings.append(one.embedding)
            self.portraits.append(encode_jpeg(portrait(one.best)))

    def _frames(self, frame_indices: Sequence[int]) -> Iterator[Frame]:
        for frame in read_chosen_frames(
            self._values["source"],
            frame_indices,
            self._timeline,
            on_packet=self._on_packet,
            thread_count=self._values["thread_count"],
        ):
            self.frames_decoded += 1
            yield frame

    def _embed(self, chip: FaceChip) -> FloatArray:
        self.faces_embedded += 1
        self._report({"faces_embedded": self.faces_embedded})
        return self._embedder.embed(chip.image, chip.box, chip.landmarks, self._report)


def _sighting(one: LookedAt) -> dict[str, Any]:
    track = one.track
    return {
        "track_id": track.track_id,
        "first_seconds": track.first_seconds,
        "last_seconds": track.last_seconds,
        "quality": one.quality,
        "places": track.sighted_places(),
        "beside": track.neighbours(),
        "is_final": one.is_final,
    }
