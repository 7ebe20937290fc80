"""COCO: an image for each analysed frame, an annotation for each detection.

The form is that of https://cocodataset.org/#format-data, with `videos`, `video_id` and `track_id` as in its
extensions for video, and `score` as in its results. A mask is its compressed run-length encoding, which COCO
has for crowds only; `iscrowd` is 0 all the same, since each is of one thing.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from media.masks import MaskRuns
from tasks.results.writers.base import CONFIDENCE_DIGITS, Tables, coordinate, rows

_VIDEO_ID = 1


def write_coco(path: Path, summary: Mapping[str, Any], tables: Tables) -> None:
    """One document; it names no licence, since that of the video is not known here."""
    video = summary["video"]
    categories = {label: number for number, label in enumerate(_labels(tables), 1)}
    head = {
        "info": {
            "description": _description(summary),
            "version": "1.0",
            "contributor": "Framewise",
        },
        "licenses": [],
        "videos": [
            {
                "id": _VIDEO_ID,
                "name": video["filename"],
                "width": video.get("width"),
                "height": video.get("height"),
            }
        ],
        "categories": [
            {"id": number, "name": label, "supercategory": ""} for label, number in categories.items()
        ],
    }
    with path.open("wb") as output:
        output.write(orjson.dumps(head)[:-1])
        _write_array(output, "images", _images(video, tables))
        _write_array(output, "annotations", _annotations(categories, tables))
        output.write(b"}\n")


def frame_name(frame_index: int) -> str:
    """The file name that the picture of a frame is given in a dataset."""
    return f"frame_{frame_index:06}.jpg"


def _description(summary: Mapping[str, Any]) -> str:
    video, settings = summary["video"], summary.get("settings", {})
    model = f" by {settings['mlModel']}" if "mlModel" in settings else ""
    return f"Detections{model} in {video['filename']}"


def _labels(tables: Tables) -> list[str]:
    found: set[str] = set()
    for table in tables:
        found.update(table.detections["label"].unique().to_pylist())
    return sorted(found)


def _write_array(output: BinaryIO, name: str, items: Iterator[dict[str, Any]]) -> None:
    output.write(f',\n"{name}":['.encode())
    separator = b"\n"
    for item in items:
        output.write(separator + orjson.dumps(item))
        separator = b",\n"
    output.write(b"]")


def _images(video: Mapping[str, Any], tables: Tables) -> Iterator[dict[str, Any]]:
    for table in tables:
        frames = zip(table.frame_index.tolist(), table.timestamp_seconds.tolist(), strict=True)
        for frame_index, timestamp_seconds in frames:
            yield {
                "id": frame_index,
                "file_name": frame_name(frame_index),
                "width": video.get("width"),
                "height": video.get("height"),
                "video_id": _VIDEO_ID,
                "frame_index": frame_index,
                "timestamp_seconds": timestamp_seconds,
            }


def _annotations(categories: Mapping[str, int], tables: Tables) -> Iterator[dict[str, Any]]:
    number = 0
    for table in tables:
        for frame_index, label, confidence, x1, y1, x2, y2, track_id, mask in rows(
            table.detections, "frame_index", "label", "confidence", "x1", "y1", "x2", "y2", "track_id", "mask"
        ):
            number += 1  # from 1: pycocotools takes an annotation 0 for none
            width, height = x2 - x1, y2 - y1
            annotation = {
                "id": number,
                "image_id": frame_index,
                "category_id": categories[label],
                "bbox": [coordinate(x1), coordinate(y1), coordinate(width), coordinate(height)],
                "area": coordinate(width * height),
                "iscrowd": 0,
                "score": round(confidence, CONFIDENCE_DIGITS),
                "track_id": track_id,
            }
            if mask is not None:
                annotation |= {"segmentation": mask, "area": MaskRuns.from_rle(mask).area}
            yield annotation
