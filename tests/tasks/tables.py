"""Small tables of tracked detections."""

import numpy as np
import pyarrow as pa

from tasks.results.table import TRACKED_SCHEMA, SegmentTable

Box = tuple[float, float, float, float]


def tracked(frames: list[tuple[int, float, list[tuple[str, float, Box, int | None]]]]) -> SegmentTable:
    """A table of (frame index, seconds, [(label, confidence, (x1, y1, x2, y2), track id)])."""
    rows = [
        {
            "frame_index": index,
            "timestamp_seconds": seconds,
            "label": label,
            "confidence": confidence,
            "x1": x1,
            "y1": y1,
            "x2": x2,
            "y2": y2,
            "landmarks": None,
            "embedding": None,
            "track_id": track_id,
        }
        for index, seconds, detections in frames
        for label, confidence, (x1, y1, x2, y2), track_id in detections
    ]
    return SegmentTable(
        pa.Table.from_pylist(rows, schema=TRACKED_SCHEMA),
        np.array([index for index, _, _ in frames], dtype=np.int64),
        np.array([seconds for _, seconds, _ in frames], dtype=np.float64),
    )
