"""The detection that began a track, which trackers give no number."""

from collections.abc import Container

import numpy as np
import numpy.typing as npt
import supervision as sv

from ml_models.tracking.base import NO_TRACK
from tasks.results.table import SegmentTable

LEAST_OVERLAP = 0.3
"""Of the first two boxes of a track."""


def take_beginnings(
    segment: SegmentTable,
    ids: npt.NDArray[np.int64],
    known: Container[int],
    cuts: Container[int],
    min_confidence: float,
) -> None:
    """Give each track that begins in a segment the detection of the frame before that overlaps it most.

    Trackers number a thing from its second detection on, so that the first frame of each shot would show
    nobody. A track that is confirmed in the first frame of a segment stays without: the segment before may be
    stored already.

    Args:
        segment: Its detections, in order of frames.
        ids: The track of each detection, changed in place.
        known: Tracks of the segments before, which begin nowhere here.
        cuts: Frames with which a shot begins; none takes from the frame before.
        min_confidence: Weaker detections begin no track.
    """
    rows = np.flatnonzero(ids != NO_TRACK)
    firsts = rows[np.unique(ids[rows], return_index=True)[1]]
    table = segment.detections
    frames = table["frame_index"].to_numpy()
    is_free = (ids == NO_TRACK) & (table["confidence"].to_numpy() >= min_confidence)
    boxes = np.stack([table[name].to_numpy() for name in ("x1", "y1", "x2", "y2")], axis=1)
    labels = np.array(table["label"].to_pylist(), dtype=object)
    pairs: list[tuple[float, int, int]] = []
    for first in firsts.tolist():
        place = int(np.searchsorted(segment.frame_index, frames[first]))
        if place == 0 or int(ids[first]) in known or int(frames[first]) in cuts:
            continue
        start, end = np.searchsorted(frames, segment.frame_index[place - 1] + np.array([0, 1]))
        free = np.arange(start, end)
        free = free[is_free[start:end] & (labels[start:end] == labels[first])]
        if len(free):
            overlaps = sv.box_iou_batch(boxes[[first]], boxes[free])[0]
            pairs += [(-float(overlap), first, int(row)) for overlap, row in zip(overlaps, free, strict=True)]
    taken: set[int] = set()
    for overlap, first, row in sorted(pairs):
        if -overlap >= LEAST_OVERLAP and not {first, row} & taken:
            taken |= {first, row}
            ids[row] = ids[first]
