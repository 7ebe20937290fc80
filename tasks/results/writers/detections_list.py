"""A plain list of detections, in the shape that many detection services answer with."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from tasks.results.writers.base import CONFIDENCE_DIGITS, Tables, coordinate, rows


def write_detections_list(path: Path, summary: Mapping[str, Any], tables: Tables) -> None:
    """A JSON array with an object for each detection, in order of time."""
    names = ("frame_index", "timestamp_seconds", "label", "confidence", "x1", "y1", "x2", "y2", "track_id")
    with path.open("wb") as output:
        separator = b"[\n"
        for table in tables:
            for frame_index, seconds, label, confidence, *corners, track_id in rows(table.detections, *names):
                detection = {
                    "coordinates": [coordinate(value) for value in corners],
                    "confidence": round(confidence, CONFIDENCE_DIGITS),
                    "timestamp": seconds,
                    "item_name": label,
                    "frame_index": frame_index,
                    "track_id": track_id,
                }
                output.write(separator + orjson.dumps(detection))
                separator = b",\n"
        output.write(b"\n]\n" if separator == b",\n" else b"[]\n")
