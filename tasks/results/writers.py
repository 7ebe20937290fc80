"""Result files: one writer a format, each streaming segment after segment.

A result is a function of the video and the settings alone: it names no ids and no times of the run, so the
same analysis gives the same bytes wherever and however it ran.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from tasks.results.table import TRACKED_SCHEMA, SegmentTable

JSON_FORMAT = "framewise.result/1"

Tables = Iterable[SegmentTable]
Writer = Callable[[Path, Mapping[str, Any], Tables], None]

_COORDINATE_DIGITS = 3
_CONFIDENCE_DIGITS = 6


def write_json(path: Path, summary: Mapping[str, Any], tables: Tables) -> None:
    """One document: `summary`'s entries, then `frames`, every analysed frame with its detections."""
    head = orjson.dumps({"format": JSON_FORMAT, **summary})
    with path.open("wb") as output:
        output.write(head[:-1] + b',"frames":[')
        separator = b"\n"
        for table in tables:
            rows = _rows_by_frame(table.detections)
            frames = zip(table.frame_index.tolist(), table.timestamp_seconds.tolist(), strict=True)
            for frame_index, timestamp_seconds in frames:
                frame = {
                    "frameIndex": frame_index,
                    "timestampSeconds": timestamp_seconds,
                    "detections": rows.get(frame_index, []),
                }
                output.write(separator + orjson.dumps(frame))
                separator = b",\n"
        output.write(b"]}\n")


def write_jsonl(path: Path, summary: Mapping[str, Any], tables: Tables) -> None:
    """A line for each detection."""
    with path.open("wb") as output:
        for table in tables:
            _write_lines(output, table.detections)


def _write_lines(output: BinaryIO, detections: pa.Table) -> None:
    for frame_index, timestamp_seconds, detection in _detections(detections):
        row = {"frameIndex": frame_index, "timestampSeconds": timestamp_seconds, **detection}
        output.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))


_CSV_SCHEMA = pa.schema(
    [
        TRACKED_SCHEMA.field(name)
        for name in ("frame_index", "timestamp_seconds", "label", "track_id", "confidence")
    ]
    + [pa.field(name, pa.float32()) for name in ("x", "y", "width", "height")]
)


def write_csv(path: Path, summary: Mapping[str, Any], tables: Tables) -> None:
    """A line for each detection, with a header line; x and y are the box's left and top."""
    with pa_csv.CSVWriter(path, _CSV_SCHEMA) as writer:
        for table in tables:
            writer.write_table(_with_sizes(table.detections, _CSV_SCHEMA))


def write_parquet(path: Path, summary: Mapping[str, Any], tables: Tables) -> None:
    """A row for each detection; see `TRACKED_SCHEMA`."""
    with pq.ParquetWriter(path, TRACKED_SCHEMA, compression="zstd") as writer:
        for table in tables:
            writer.write_table(table.detections.replace_schema_metadata())


_MOT_SCHEMA = pa.schema(
    [("frame", pa.int64()), ("id", pa.int32())]
    + [(name, pa.float32()) for name in ("x", "y", "width", "height", "confidence")]
    + [(name, pa.int8()) for name in ("world_x", "world_y", "world_z")]
)


def write_mot(path: Path, summary: Mapping[str, Any], tables: Tables) -> None:
    """MOT Challenge: frame from 1, id (-1: no track), left, top, width, height, confidence, -1, -1, -1."""
    options = pa_csv.WriteOptions(include_header=False)
    with pa_csv.CSVWriter(path, _MOT_SCHEMA, write_options=options) as writer:
        for table in tables:
            detections = table.detections
            unknown = pa.array([-1] * len(detections), pa.int8())
            sizes = _with_sizes(detections, _CSV_SCHEMA)
            columns = [
                pc.add(detections["frame_index"], 1),
                pc.fill_null(detections["track_id"], -1),
                *(sizes[name] for name in ("x", "y", "width", "height", "confidence")),
                *[unknown] * 3,
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=_MOT_SCHEMA))


WRITERS: dict[str, Writer] = {
    "JSON": write_json,
    "JSONL": write_jsonl,
    "CSV": write_csv,
    "PARQUET": write_parquet,
    "MOT": write_mot,
}
"""A writer for each of domain.analyses.files.ResultFormat."""


def _with_sizes(detections: pa.Table, schema: pa.Schema) -> pa.Table:
    sizes = {
        "x": detections["x1"],
        "y": detections["y1"],
        "width": pc.subtract(detections["x2"], detections["x1"]),
        "height": pc.subtract(detections["y2"], detections["y1"]),
    }
    columns = [sizes[name] if name in sizes else detections[name] for name in schema.names]
    return pa.Table.from_arrays(columns, schema=schema)


def _rows_by_frame(detections: pa.Table) -> dict[int, list[dict[str, Any]]]:
    rows: dict[int, list[dict[str, Any]]] = {}
    for frame_index, _, detection in _detections(detections):
        rows.setdefault(frame_index, []).append(detection)
    return rows


def _detections(detections: pa.Table) -> Iterator[tuple[int, float, dict[str, Any]]]:
    """Frame index, timestamp and JSON form of each detection."""
    names = ("frame_index", "timestamp_seconds", "label", "confidence", "x1", "y1", "x2", "y2", "landmarks")
    columns = [detections[name].to_pylist() for name in (*names, "track_id")]
    for frame_index, timestamp_seconds, label, confidence, x1, y1, x2, y2, landmarks, track_id in zip(
        *columns, strict=True
    ):
        detection: dict[str, Any] = {
            "label": label,
            "confidence": round(confidence, _CONFIDENCE_DIGITS),
            "box": {
                "x": round(x1, _COORDINATE_DIGITS),
                "y": round(y1, _COORDINATE_DIGITS),
                "width": round(x2 - x1, _COORDINATE_DIGITS),
                "height": round(y2 - y1, _COORDINATE_DIGITS),
            },
            "trackId": track_id,
        }
        if landmarks is not None:
            points = [round(value, _COORDINATE_DIGITS) for value in landmarks]
            detection["landmarks"] = [list(point) for point in zip(points[::2], points[1::2], strict=True)]
        yield frame_index, timestamp_seconds, detection
