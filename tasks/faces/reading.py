"""Taking the faces of tracked segments into what is known of their tracks."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from domain.analyses.settings import FACE_LABEL
from ml_models.face_quality import promise
from tasks.faces.tracks import CANDIDATE_SECONDS, GRID_SECONDS, Candidate, FaceTracks
from tasks.results.table import SegmentTable

LANDMARKS = 5
APART_SHARE = 0.2
"""Two boxes of which less of the smaller one is shared lie in different places."""
DOUBLE_SHARE = 0.5
"""Of two boxes of which more is shared, the less certain one is taken for a part of the same face."""


@dataclass(frozen=True)
class FaceRules:
    """Which detections may become candidates.

    Args:
        min_pixels: The least shorter side of the box.
        needs_landmarks: Whether it must have landmarks.
        frame_size: Width and height of the video.
    """

    min_pixels: int
    needs_landmarks: bool
    frame_size: tuple[int, int]


@dataclass(frozen=True)
class Faces:
    """The tracked faces of a segment, n of them in order of time.

    Args:
        track_ids: (n,).
        frame_indices: (n,).
        seconds: (n,).
        confidences: (n,).
        boxes: (n, 4).
        landmarks: (n, 5, 2), zeros where there are none.
        has_landmarks: (n,).
    """

    track_ids: npt.NDArray[np.int64]
    frame_indices: npt.NDArray[np.int64]
    seconds: npt.NDArray[np.float64]
    confidences: npt.NDArray[np.float64]
    boxes: npt.NDArray[np.float64]
    landmarks: npt.NDArray[np.float64]
    has_landmarks: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.track_ids)


def faces_of(segment: SegmentTable) -> Faces:
    """The detections of faces that belong to a track."""
    table = segment.detections
    is_tracked_face = pc.and_(pc.is_valid(table["track_id"]), pc.equal(table["label"], FACE_LABEL))
    table = table.filter(is_tracked_face).combine_chunks()
    landmarks, has_landmarks = _landmarks(table)
    corners = [table[name].to_numpy().astype(np.float64) for name in ("x1", "y1", "x2", "y2")]
    return Faces(
        table["track_id"].to_numpy().astype(np.int64),
        table["frame_index"].to_numpy(),
        table["timestamp_seconds"].to_numpy(),
        table["confidence"].to_numpy().astype(np.float64),
        np.stack(corners, axis=1),
        landmarks,
        has_landmarks,
    )


def _landmarks(table: pa.Table) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    column = table["landmarks"]
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy()
    has_landmarks = lengths == 2 * LANDMARKS
    landmarks = np.zeros((len(table), LANDMARKS, 2))
    if has_landmarks.any():
        given = column.filter(pa.array(has_landmarks))
        values = pc.list_flatten(given).to_numpy()
        landmarks[has_landmarks] = values.reshape(-1, LANDMARKS, 2)
    return landmarks, has_landmarks


def take_faces(tracks: FaceTracks, faces: Faces, rules: FaceRules) -> set[int]:
    """Take the faces of the next segment into their tracks; the tracks that they belong to."""
    if not len(faces):
        return set()
    cells = (faces.seconds // GRID_SECONDS).astype(np.int64)
    for row in _last_of(faces.track_ids):
        tracks.track(int(faces.track_ids[row]), float(faces.seconds[row]))
    _take_first_seconds(tracks, faces)
    _take_places(tracks, faces, cells)
    is_double = _take_neighbours(tracks, faces)
    _take_candidates(tracks, faces, rules, is_double)
    return set(faces.track_ids.tolist())


def _take_first_seconds(tracks: FaceTracks, faces: Faces) -> None:
    track_ids, rows = np.unique(faces.track_ids, return_index=True)
    for track_id, seconds in zip(track_ids.tolist(), faces.seconds[rows].tolist(), strict=True):
        track = tracks.by_id[track_id]
        track.first_seconds = min(track.first_seconds, seconds)


def _last_of(values: npt.NDArray[np.int64]) -> list[int]:
    """The row of the last of each value."""
    _, rows = np.unique(values[::-1], return_index=True)
    return (len(values) - 1 - rows).tolist()  # type: ignore[no-any-return]


def _take_places(tracks: FaceTracks, faces: Faces, cells: npt.NDArray[np.int64]) -> None:
    _, rows = np.unique(np.stack([faces.track_ids, cells], axis=1), axis=0, return_index=True)
    for row in np.sort(rows).tolist():
        x1, y1, x2, y2 = faces.boxes[row].tolist()
        tracks.by_id[int(faces.track_ids[row])].see_at(int(cells[row]), (x1, y1, x2, y2))


def _take_candidates(
    tracks: FaceTracks, faces: Faces, rules: FaceRules, is_double: npt.NDArray[np.bool_]
) -> None:
    """Offer each track the best face of each piece of time."""
    cells = (faces.seconds // CANDIDATE_SECONDS).astype(np.int64)
    promises = promise(faces.boxes, faces.landmarks, faces.has_landmarks, faces.confidences, rules.frame_size)
    shorter = np.minimum(faces.boxes[:, 2] - faces.boxes[:, 0], faces.boxes[:, 3] - faces.boxes[:, 1])
    usable = (promises > 0) & (shorter >= rules.min_pixels) & ~is_double
    if rules.needs_landmarks:
        usable &= faces.has_landmarks
    rows = np.flatnonzero(usable)
    # By track and cell; among those the best first, and the earlier one among equals.
    order = rows[np.lexsort((rows, -promises[rows], cells[rows], faces.track_ids[rows]))]
    groups = np.stack([faces.track_ids[order], cells[order]], axis=1)
    _, firsts = np.unique(groups, axis=0, return_index=True)
    for row in order[firsts].tolist():
        x1, y1, x2, y2 = faces.boxes[row].tolist()
        points = faces.landmarks[row].ravel().tolist() if faces.has_landmarks[row] else None
        candidate = Candidate(
            float(promises[row]),
            -int(faces.frame_indices[row]),
            float(faces.seconds[row]),
            (x1, y1, x2, y2),
            points,
        )
        tracks.by_id[int(faces.track_ids[row])].offer(candidate)


def _take_neighbours(tracks: FaceTracks, faces: Faces) -> npt.NDArray[np.bool_]:
    """Count the frames in which two tracks lie apart; which faces are doubles of others, (n,)."""
    is_double = np.zeros(len(faces), dtype=np.bool_)
    starts = np.flatnonzero(np.diff(faces.frame_indices, prepend=-1))
    ends = np.append(starts[1:], len(faces))
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        if end - start < 2:
            continue
        track_ids = faces.track_ids[start:end].tolist()
        shared = _shared(faces.boxes[start:end])
        for one, other in np.argwhere(shared < APART_SHARE).tolist():
            if track_ids[one] != track_ids[other]:
                tracks.by_id[track_ids[one]].see_beside(track_ids[other], 1)
        confidences = faces.confidences[start:end]
        is_surer = confidences[None, :] > confidences[:, None]
        is_double[start:end] = ((shared > DOUBLE_SHARE) & is_surer).any(axis=1)
    return is_double


def _shared(boxes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Of each two of n boxes, the part of the smaller one that lies in both: (n, n)."""
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(axis=2)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    smaller = np.maximum(np.minimum(areas[:, None], areas[None, :]), np.finfo(np.float64).tiny)
    shared: npt.NDArray[np.float64] = common / smaller
    return shared
