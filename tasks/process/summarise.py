"""Write the result files of an analysis, and the video with boxes drawn on it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from media.crops import write_crops
from media.overlay import write_overlay
from media.thumbnail import representative_image
from media.timeline import Timeline
from tasks.counting.record import count_tracks
from tasks.pictures.draw import draw_pictures
from tasks.process.drawn_boxes import boxes_to_draw
from tasks.process.protocol import Message
from tasks.process.report import Report
from tasks.results.best_crops import best_crops
from tasks.results.table import SegmentTable, merged
from tasks.results.writers import WRITERS

_KEPT_BYTES = 16 * 2**20
"""Up to so many bytes of stored detections are held in memory at once."""

_ROWS_AT_ONCE = 8192
"""Writing many small tables takes longer than one large; their rows are Python's objects for a while."""


def summarise(values: dict[str, Any], blobs: Sequence[bytes], report: Report) -> Message:
    """Write each format, and the overlay, the crops and the pictures if asked for, into the request's folder.

    For all but the formats, the first blob is the video's timeline.
    """
    paths: list[str] = values["tracked"]
    folder = Path(values["folder"])
    tables = _Tables(paths, report.counter("tables_read"))
    shapes = None
    if values["counting"] is not None:
        shapes = values["counting"]["shapes"]
        values["summary"]["counting"] = _counted(values, tables)
    for result_format, file_name in values["formats"].items():
        WRITERS[result_format](folder / file_name, values["summary"], tables)
    if values["crops"] is not None:
        write_crops(
            values["source"],
            folder / values["crops"],
            best_crops(tables, values["summary"]["video"]),
            timeline=Timeline.from_bytes(blobs[0]),
            on_packet=report.counter("crop_packets_read"),
            thread_count=values["thread_count"],
        )
    if values["overlay"] is not None:
        write_overlay(
            values["source"],
            str(folder / values["overlay"]),
            boxes_to_draw(tables, values["frame_stride"]),
            timeline=Timeline.from_bytes(blobs[0]),
            on_progress=lambda frames: report({"overlay_frames_done": frames}),
            on_packet=report.counter("packets_read"),
            thread_count=values["thread_count"],
        )
    if values["pictures"] is not None:
        _draw_pictures(values, shapes, Timeline.from_bytes(blobs[0]), tables, report)
    return Message("result")


def _counted(values: dict[str, Any], tables: Iterable[SegmentTable]) -> dict[str, Any]:
    counting, tracks = values["counting"], values["summary"]["tracks"]
    last_seconds = {track["trackId"]: track["lastSeconds"] for track in tracks}
    width, height = counting["width"], counting["height"]
    return count_tracks(tables, counting["shapes"], width, height, last_seconds, values.get("present"))


def _draw_pictures(
    values: dict[str, Any],
    shapes: dict[str, Any] | None,
    timeline: Timeline,
    tables: Iterable[SegmentTable],
    report: Report,
) -> None:
    on_packet = report.counter("picture_packets_read")

    def background(start_seconds: float, end_seconds: float) -> npt.NDArray[np.uint8]:
        window = start_seconds, end_seconds
        return representative_image(values["source"], timeline, window_seconds=window, on_packet=on_packet)

    draw_pictures(
        Path(values["folder"]),
        values["pictures"],
        tables,
        values["summary"],
        shapes,
        background,
        (timeline.width, timeline.height),
    )


class _Tables:
    """Gives the tables each time it is gone through: read once if they are small, else one by one."""

    def __init__(self, paths: Sequence[str], on_table: Callable[[], None]) -> None:
        self._paths = paths
        self._on_table = on_table
        is_small = sum(Path(path).stat().st_size for path in paths) <= _KEPT_BYTES
        self._kept = list(self._read()) if is_small else None

    def __iter__(self) -> Iterator[SegmentTable]:
        for table in self._read() if self._kept is None else self._kept:
            self._on_table()
            yield table

    def _read(self) -> Iterator[SegmentTable]:
        return merged(map(SegmentTable.from_parquet, self._paths), _ROWS_AT_ONCE)
