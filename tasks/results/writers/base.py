"""What a writer of result files is given, and what the formats share."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tasks.results.table import OPTIONAL_FIELDS, SegmentTable

Tables = Iterable[SegmentTable]
"""The tables in order of time. A writer may go through them more than once."""

Writer = Callable[[Path, Mapping[str, Any], Tables], None]

COORDINATE_DIGITS = 3
CONFIDENCE_DIGITS = 6


def coordinate(pixels: float) -> float:
    """Rounded as result files have it."""
    return round(pixels, COORDINATE_DIGITS)


def with_sizes(detections: pa.Table, schema: pa.Schema) -> pa.Table:
    """The columns of `schema`, of which x, y, width and height are computed."""
    sizes = {
        "x": detections["x1"],
        "y": detections["y1"],
        "width": pc.subtract(detections["x2"], detections["x1"]),
        "height": pc.subtract(detections["y2"], detections["y1"]),
    }
    columns = [sizes[name] if name in sizes else detections[name] for name in schema.names]
    return pa.Table.from_arrays(columns, schema=schema)


def rows(detections: pa.Table, *names: str) -> Iterator[tuple[Any, ...]]:
    """The values of these columns, detection after detection; None of those that the model does not give."""
    return zip(*(_values(detections, name) for name in names), strict=True)


def _values(detections: pa.Table, name: str) -> list[Any]:
    if name in OPTIONAL_FIELDS.names and name not in detections.column_names:
        return [None] * len(detections)
    return detections[name].to_pylist()  # type: ignore[no-any-return]
