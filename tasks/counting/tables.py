"""Counting the tracks of stored tables."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.counting.counter import Seen, TrackCounter
from tasks.results.table import SegmentTable

_BOX = ("x1", "y1", "x2", "y2")


def count_table(counter: TrackCounter, table: SegmentTable) -> None:
    """Go on by the frames of a segment after threshold, label filter and tracker."""
    rows = table.detections.filter(pc.is_valid(table.detections["track_id"]))
    frames = rows["frame_index"].to_numpy()
    starts = np.searchsorted(frames, table.frame_index, side="left").tolist()
    ends = np.searchsorted(frames, table.frame_index, side="right").tolist()
    seen = list(_seen(rows))
    for start, end, seconds in zip(starts, ends, table.timestamp_seconds.tolist(), strict=True):
        counter.update(seconds, seen[start:end])


def _seen(rows: pa.Table) -> Iterator[Seen]:
    columns = (rows[name].to_pylist() for name in ("track_id", "label", *_BOX))
    return map(Seen, *columns)
