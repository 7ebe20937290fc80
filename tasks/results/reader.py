"""Reading the detections of an analysis by page and time window."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from domain.analyses.files import tracked_key
from domain.analyses.models import Analysis, Segment
from domain.videos.models import Video
from storage.base import AbstractStorage
from storage.errors import FileMissingError
from tasks.results.table import OPTIONAL_FIELDS, SegmentTable

COLUMNS = (
    *("frame_index", "timestamp_seconds", "label", "confidence", "x1", "y1", "x2", "y2", "track_id"),
    "landmarks",
)


@dataclass(frozen=True)
class DetectionFilter:
    """Which detections; None means any. A window holds its start and not its end."""

    from_seconds: float | None = None
    to_seconds: float | None = None
    labels: tuple[str, ...] | None = None
    track_id: int | None = None
    min_confidence: float | None = None


@dataclass(frozen=True)
class Position:
    """A detection's place: the number of its segment, and its row there."""

    segment: int
    row: int


async def read_detections(
    storage: AbstractStorage, analysis: Analysis, wanted: DetectionFilter, after: Position | None, limit: int
) -> list[tuple[Position, dict[str, Any]]]:
    """Up to `limit` detections after a position, in order, of the segments tracked so far."""
    found: list[tuple[Position, dict[str, Any]]] = []
    for number in await _segments(analysis, wanted, after.segment if after else 0):
        try:
            data = await storage.get(tracked_key(analysis.id, number))
        except FileMissingError:
            return found
        first_row = after.row + 1 if after is not None and after.segment == number else 0
        rows = await asyncio.to_thread(_rows, data, wanted, first_row, limit - len(found))
        found.extend((Position(number, row), values) for row, values in rows)
        if len(found) >= limit:
            break
    return found


async def _segments(analysis: Analysis, wanted: DetectionFilter, first: int) -> Sequence[int]:
    """Numbers of the tracked segments, from `first` on, that the time window touches."""
    if wanted.from_seconds is None and wanted.to_seconds is None:
        return range(first, analysis.tracked_segments)
    video = await Video.get(id=analysis.video_id)
    time_base = Fraction(video.time_base or 1)
    segments = (
        await Segment.filter(analysis_id=analysis.id, number__gte=first, number__lt=analysis.tracked_segments)
        .order_by("number")
        .values_list("number", "plan")
    )
    numbers = []
    for number, plan in segments:
        starts = float(plan["start_pts"] * time_base)
        ends = float("inf") if plan["end_pts"] is None else float(plan["end_pts"] * time_base)
        if wanted.to_seconds is not None and starts >= wanted.to_seconds:
            continue
        if wanted.from_seconds is not None and ends <= wanted.from_seconds:
            continue
        numbers.append(number)
    return numbers


def _rows(
    data: bytes, wanted: DetectionFilter, first_row: int, limit: int
) -> list[tuple[int, dict[str, Any]]]:
    stored = SegmentTable.from_parquet(data).detections
    given = [name for name in OPTIONAL_FIELDS.names if name in stored.column_names]
    table = stored.select([*COLUMNS, *given])
    table = table.append_column("row", pa.array(range(len(table)), pa.int64()))
    mask = pc.greater_equal(table["row"], first_row)
    for condition in _conditions(table, wanted):
        mask = pc.and_(mask, pc.fill_null(condition, fill_value=False))
    rows = table.take(pc.indices_nonzero(mask).slice(0, limit)).to_pylist()
    return [(row.pop("row"), row) for row in rows]


def _conditions(table: pa.Table, wanted: DetectionFilter) -> list[Any]:
    conditions = []
    if wanted.from_seconds is not None:
        conditions.append(pc.greater_equal(table["timestamp_seconds"], wanted.from_seconds))
    if wanted.to_seconds is not None:
        conditions.append(pc.less(table["timestamp_seconds"], wanted.to_seconds))
    if wanted.labels is not None:
        conditions.append(pc.is_in(table["label"], pa.array(wanted.labels, pa.string())))
    if wanted.track_id is not None:
        conditions.append(pc.equal(table["track_id"], wanted.track_id))
    if wanted.min_confidence is not None:
        conditions.append(
            pc.greater_equal(table["confidence"], pa.scalar(wanted.min_confidence, pa.float32()))
        )
    return conditions
