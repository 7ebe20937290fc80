"""Drawing all pictures of an analysis in two goes through its tables."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tasks.pictures.canvas import Image, write_png
from tasks.pictures.heat_map import HeatMap
from tasks.pictures.page import Frame
from tasks.pictures.timeline import TimelinePicture
from tasks.pictures.trajectories import Trajectories
from tasks.results.table import SegmentTable


def draw_pictures(
    folder: Path,
    files: Mapping[str, str],
    tables: Iterable[SegmentTable],
    summary: Mapping[str, Any],
    shapes: Mapping[str, Any] | None,
    background: Callable[[float, float], Image],
    box_size: tuple[int, int],
) -> None:
    """Write the pictures into a folder.

    Args:
        folder: Where to.
        files: File names by kind, see domain.analyses.files.PictureKind.
        tables: The tables in order of time, gone through twice.
        summary: Of the results; its `counting` is what was counted at `shapes`.
        shapes: Lines and zones, None if nothing was counted.
        background: Gives a frame (height, width, 3) with square pixels from between two times.
        box_size: Width and height of the frames that boxes are in.
    """
    start, end, frame_count = _span(tables)
    frame = Frame.of(background(start, end), *box_size)
    heat_map, trajectories = HeatMap(frame), Trajectories(frame, summary)
    timeline = TimelinePicture(summary, start, end)
    for table in tables:
        heat_map.add(table)
        trajectories.add(table)
        timeline.add(table)
    counting = summary.get("counting")
    frame_seconds = (end - start) / max(frame_count - 1, 1)
    for kind, canvas in (
        ("HEAT_MAP", heat_map.draw(summary)),
        ("TIMELINE", timeline.draw(counting, frame_seconds)),
        ("TRAJECTORIES", trajectories.draw(counting, shapes)),
    ):
        write_png(str(folder / files[kind]), canvas)


def _span(tables: Iterable[SegmentTable]) -> tuple[float, float, int]:
    """The times of the first and the last frame, and how many there are."""
    start, end, count = np.inf, -np.inf, 0
    for table in tables:
        if len(table.timestamp_seconds):
            start = min(start, float(table.timestamp_seconds[0]))
            end = max(end, float(table.timestamp_seconds[-1]))
            count += len(table.timestamp_seconds)
    return (start, end, count) if count else (0.0, 0.0, 0)
