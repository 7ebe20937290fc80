"""Small tables of tracked detections."""

from typing import Any

import numpy as np
import pyarrow as pa

from tasks.results.table import OPTIONAL_FIELDS, TRACKED_SCHEMA, SegmentTable

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


def with_masks(table: SegmentTable, masks: list[dict[str, Any] | None], points: list[float]) -> SegmentTable:
    """The same with these masks, and for each detection these points, whose scores are 0.5."""
    count = len(table.detections)
    given = {
        "landmarks": [points] * count,
        "mask": masks,
        "landmark_scores": [[0.5] * (len(points) // 2)] * count,
    }
    columns = {name: table.detections[name] for name in table.detections.column_names}
    types = pa.schema([TRACKED_SCHEMA.field("landmarks"), *OPTIONAL_FIELDS])
    columns |= {name: pa.array(values, types.field(name).type) for name, values in given.items()}
    return SegmentTable(pa.table(columns), table.frame_index, table.timestamp_seconds)
