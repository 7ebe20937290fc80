"""Draws the examples of `docs/counting.md` from made-up tracks: `python docs/images/draw_pictures.py`."""

import math
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from tasks.counting.record import count_tracks
from tasks.pictures.draw import draw_pictures
from tasks.results.table import TRACKED_SCHEMA, SegmentTable

HERE = Path(__file__).parent
FILES = {"HEAT_MAP": "heat-map.png", "TIMELINE": "timeline.png", "TRAJECTORIES": "trajectories.png"}
SHOWN = ("timeline.png", "trajectories.png")
WIDTH, HEIGHT = 640, 360
FRAMES, FRAMES_PER_SECOND = 300, 10
COLOURS = 256
SHAPES = {
    "lines": [{"name": "door", "start": (0.6, 1.0), "end": (0.6, 0.1)}],
    "zones": [{"name": "counter", "points": ((0.12, 0.45), (0.4, 0.4), (0.44, 0.95), (0.08, 0.95))}],
}


def way(track_id: int, frame: int) -> tuple[float, float] | None:
    """Where the feet of a thing are, or None while it is away."""
    begin, length = ((0, 120), (60, 150), (100, 110), (170, 130))[track_id - 1]
    share = (frame - begin) / length
    if not 0 <= share <= 1:
        return None
    there = math.sin(math.pi * share) if track_id == 4 else share
    x = 40 + there * (440 if track_id == 4 else 560)
    return x, 190 + 36 * track_id + 24 * math.sin(5 * share + track_id)


def table() -> SegmentTable:
    """All detections."""
    rows = []
    for frame in range(FRAMES):
        for track_id in range(1, 5):
            place = way(track_id, frame)
            if place is None:
                continue
            x, y = place
            label = "dog" if track_id == 2 else "person"
            height = 40 if track_id == 2 else 110
            values = (frame, frame / FRAMES_PER_SECOND, label, 0.9, x - 22, y - height, x + 22, y, None, None)
            rows.append(dict(zip(TRACKED_SCHEMA.names, (*values, track_id), strict=True)))
    frames = np.arange(FRAMES, dtype=np.int64)
    return SegmentTable(pa.Table.from_pylist(rows, TRACKED_SCHEMA), frames, frames / FRAMES_PER_SECOND)


def main() -> None:
    """Draw them beside this file."""
    rows = table().detections.to_pylist()
    tracks, counts = [], []
    for track_id in range(1, 5):
        own = [row for row in rows if row["track_id"] == track_id]
        tracks.append({"trackId": track_id, "label": own[0]["label"], "detectionCount": len(own)})
    for label in ("dog", "person"):
        detections = sum(row["label"] == label for row in rows)
        counts.append(
            {
                "label": label,
                "detections": detections,
                "tracks": sum(track["label"] == label for track in tracks),
            }
        )
    last = {row["track_id"]: row["timestamp_seconds"] for row in rows}
    summary = {
        "video": {"filename": "drawn.mp4"},
        "settings": {"tracker": "BYTE_TRACK"},
        "counts": counts,
        "tracks": tracks,
        "counting": count_tracks([table()], SHAPES, WIDTH, HEIGHT, last),
    }
    shade = np.linspace(90, 190, WIDTH).astype(np.uint8)[None, :, None]
    background = np.broadcast_to(shade, (HEIGHT, WIDTH, 3)).copy()
    with tempfile.TemporaryDirectory() as folder:
        draw_pictures(
            Path(folder), FILES, [table()], summary, SHAPES, lambda start, end: background, (WIDTH, HEIGHT)
        )
        for name in SHOWN:
            picture = Image.open(Path(folder, name)).quantize(COLOURS)
            picture.save(HERE / name, optimize=True)


if __name__ == "__main__":
    main()
