"""CSV, Parquet and MOT Challenge: a row for each detection."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from tasks.results.table import OPTIONAL_FIELDS, TRACKED_SCHEMA
from tasks.results.writers.base import Tables, with_sizes

_CSV_SCHEMA = pa.schema(
    [
        TRACKED_SCHEMA.field(name)
        for name in ("frame_index", "timestamp_seconds", "label", "track_id", "confidence")
    ]
    + [pa.field(name, pa.float32()) for name in ("x", "y", "width", "height")]
)

_MOT_SCHEMA = pa.schema(
    [("frame", pa.int64()), ("id", pa.int32())]
    + [(name, pa.float32()) for name in ("x", "y", "width", "height", "confidence")]
    + [(name, pa.int8()) for name in ("world_x", "world_y", "world_z")]
)


def write_csv(path: Path, summary: Mapping[str, Any], tables: Tables) -> None:
    """A line for each detection, with a header line; x and y are the box's left and top."""
    with pa_csv.CSVWriter(path, _CSV_SCHEMA) as writer:
        for table in tables:
            writer.write_table(with_sizes(table.detections, _CSV_SCHEMA))


def write_parquet(path: Path, summary: Mapping[str, Any], tables: Tables) -> None:
    """A row for each detection; see `TRACKED_SCHEMA`, and `OPTIONAL_FIELDS` where the model gives them."""
    schema = _schema(tables)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for table in tables:
            found = table.detections.replace_schema_metadata()
            for column in schema:
                if column.name not in found.column_names:
                    found = found.append_column(column, pa.nulls(len(found), column.type))
            writer.write_table(found.select(schema.names))


def _schema(tables: Tables) -> pa.Schema:
    given: set[str] = set()
    for table in tables:
        given.update(table.detections.column_names)
    return pa.schema([*TRACKED_SCHEMA, *(column for column in OPTIONAL_FIELDS if column.name in given)])


def write_mot(path: Path, summary: Mapping[str, Any], tables: Tables) -> None:
    """MOT Challenge: frame from 1, id (-1: no track), left, top, width, height, confidence, -1, -1, -1."""
    options = pa_csv.WriteOptions(include_header=False)
    with pa_csv.CSVWriter(path, _MOT_SCHEMA, write_options=options) as writer:
        for table in tables:
            detections = table.detections
            unknown = pa.array([-1] * len(detections), pa.int8())
            sizes = with_sizes(detections, _CSV_SCHEMA)
            columns = [
                pc.add(detections["frame_index"], 1),
                pc.fill_null(detections["track_id"], -1),
                *(sizes[name] for name in ("x", "y", "width", "height", "confidence")),
                *[unknown] * 3,
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=_MOT_SCHEMA))
