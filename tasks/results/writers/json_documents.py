"""JSON and JSONL: every detection with all that is known of it. `docs/result.schema.json` says the form."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import orjson
import pyarrow as pa

from tasks.results.writers.base import CONFIDENCE_DIGITS, Tables, coordinate, rows

JSON_FORMAT = "framewise.result/1"


def write_json(path: Path, summary: Mapping[str, Any], tables: Tables) -> None:
    """One document: `summary`'s entries, then `frames`, every analysed frame with its detections."""
    head = orjson.dumps({"format": JSON_FORMAT, **summary})
    with path.open("wb") as output:
        output.write(head[:-1] + b',"frames":[')
        separator = b"\n"
        for table in tables:
            found = _by_frame(table.detections)
            frames = zip(table.frame_index.tolist(), table.timestamp_seconds.tolist(), strict=True)
            for frame_index, timestamp_seconds in frames:
                frame = {
                    "frameIndex": frame_index,
                    "timestampSeconds": timestamp_seconds,
                    "detections": found.get(frame_index, []),
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


def _by_frame(detections: pa.Table) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    for frame_index, _, detection in _detections(detections):
        found.setdefault(frame_index, []).append(detection)
    return found


def _detections(detections: pa.Table) -> Iterator[tuple[int, float, dict[str, Any]]]:
    """Frame index, timestamp and JSON form of each detection."""
    names = ("frame_index", "timestamp_seconds", "label", "confidence", "x1", "y1", "x2", "y2", "landmarks")
    for frame_index, timestamp_seconds, label, confidence, x1, y1, x2, y2, landmarks, *rest in rows(
        detections, *names, "landmark_scores", "mask", "track_id"
    ):
        landmark_scores, mask, track_id = rest
        detection: dict[str, Any] = {
            "label": label,
            "confidence": round(confidence, CONFIDENCE_DIGITS),
            "box": {
                "x": coordinate(x1),
                "y": coordinate(y1),
                "width": coordinate(x2 - x1),
                "height": coordinate(y2 - y1),
            },
            "trackId": track_id,
        }
        if landmarks is not None:
            points = [coordinate(value) for value in landmarks]
            detection["landmarks"] = [list(point) for point in zip(points[::2], points[1::2], strict=True)]
        if landmark_scores is not None:
            detection["landmarkScores"] = [round(score, CONFIDENCE_DIGITS) for score in landmark_scores]
        if mask is not None:
            detection["mask"] = mask
        yield frame_index, timestamp_seconds, detection
