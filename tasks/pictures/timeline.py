"""When who was seen: a row for each track, or for each label where there are many; zones and lines below."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from tasks.pictures.canvas import (
    FAINT,
    INK,
    RULE,
    Align,
    Canvas,
    Color,
    shortened,
    text_width,
)
from tasks.pictures.page import (
    HEAD_HEIGHT,
    MARGIN,
    OTHERS,
    TEXT_SIZE,
    counts_of,
    head,
    label_colors,
    label_order,
    title_of,
)
from tasks.results.table import SegmentTable

MAX_TRACKS = 40
"""With more tracks, labels have the rows."""
MAX_LABELS = 16
_PLOT_WIDTH = 1000
_MAX_NAME_WIDTH = 220
_NOTE_WIDTH = 90
"""Room for the figures right of the rows."""
_TRACK_HEIGHT = 20
_LABEL_HEIGHT = 44
_STEPS_SECONDS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200)
_MOST_TICKS = 10
_DAY_SECONDS = 86_400
_IN: Color = (0, 114, 178)
_OUT: Color = (213, 94, 0)
_ZONE: Color = (0, 158, 115)


class TimelinePicture:
    """Collects when who was seen, in as many columns as the picture has.

    Args:
        summary: Of the results, with all tracks.
        start_seconds: Of the first frame.
        end_seconds: Of the last frame.
    """

    def __init__(self, summary: Mapping[str, Any], start_seconds: float, end_seconds: float) -> None:
        self._summary = summary
        self._start = start_seconds
        self._length = max(end_seconds - start_seconds, 1e-3)
        tracks = summary["tracks"]
        self._by_track = 0 < len(tracks) <= MAX_TRACKS
        self._labels = label_order(summary)
        self._colors = label_colors(summary)
        names = [track["trackId"] for track in tracks] if self._by_track else self._labels[:MAX_LABELS]
        self._rows = {name: np.zeros(_PLOT_WIDTH, np.int32) for name in names}
        """Most detections in one frame, for each column of the picture."""

    def add(self, table: SegmentTable) -> None:
        """Add the detections of a segment."""
        rows = table.detections
        if self._by_track:
            rows = rows.filter(pc.is_valid(rows["track_id"]))
        names = rows["track_id" if self._by_track else "label"].to_pylist()
        frames = rows["frame_index"].to_pylist()
        columns = self._columns(rows["timestamp_seconds"].to_numpy()).tolist()
        in_frame: dict[Any, int] = {}
        frame_index = None
        for name, of_frame, column in zip(names, frames, columns, strict=True):
            if of_frame != frame_index:
                frame_index = of_frame
                in_frame.clear()
            row = self._rows.get(name)
            if row is not None:
                in_frame[name] = in_frame.get(name, 0) + 1
                row[column] = max(row[column], in_frame[name])

    def draw(self, counting: Mapping[str, Any] | None, frame_seconds: float) -> Canvas:
        """The picture; frames are so far apart that what is seen in each is seen all the time."""
        reach = math.ceil(1.5 * frame_seconds / self._length * _PLOT_WIDTH)
        lines = counting["lines"] if counting else ()
        zones = counting["zones"] if counting else ()
        names = self._names(lines, zones)
        left = MARGIN + min(max((text_width(name, TEXT_SIZE) for name in names), default=0), _MAX_NAME_WIDTH)
        left += 12
        row_height = _TRACK_HEIGHT if self._by_track else _LABEL_HEIGHT
        body = len(self._rows) * row_height + (len(lines) + len(zones)) * _LABEL_HEIGHT
        canvas = Canvas.blank(
            left + _PLOT_WIDTH + _NOTE_WIDTH + MARGIN, HEAD_HEIGHT + max(body, _LABEL_HEIGHT) + 56
        )
        head(canvas, title_of(self._summary), self._words())
        self._draw_axis(canvas, left, HEAD_HEIGHT, HEAD_HEIGHT + body)
        top = float(HEAD_HEIGHT)
        for number, (name, row) in enumerate(zip(names, self._rows.values(), strict=False)):
            if self._by_track:
                label = self._summary["tracks"][number]["label"]
                color = self._colors.get(label, OTHERS)
                self._draw_name(canvas, name, left, top + row_height / 2)
                _draw_bars(canvas, _bridged(row, reach) > 0, left, top + 4, top + row_height - 4, color)
            else:
                self._draw_name(canvas, name, left, top + row_height / 2)
                _draw_steps(canvas, _bridged(row, reach), left, top, row_height, self._colors[str(name)])
            top += row_height
        for line in lines:
            self._draw_name(canvas, line["name"], left, top + _LABEL_HEIGHT / 2)
            self._draw_crossings(canvas, line, left, top)
            top += _LABEL_HEIGHT
        for zone in zones:
            self._draw_name(canvas, zone["name"], left, top + _LABEL_HEIGHT / 2)
            _draw_steps(canvas, self._occupancy(zone), left, top, _LABEL_HEIGHT, _ZONE)
            top += _LABEL_HEIGHT
        return canvas

    def _names(self, lines: Sequence[Mapping[str, Any]], zones: Sequence[Mapping[str, Any]]) -> list[str]:
        if self._by_track:
            rows = [f"{track['label']} {track['trackId']}" for track in self._summary["tracks"]]
        else:
            rows = [str(name) for name in self._rows]
        return [*rows, *(shape["name"] for shape in (*lines, *zones))]

    def _words(self) -> str:
        found = counts_of(self._summary)
        if self._by_track:
            return f"When who was seen: {found}"
        hidden = len(self._labels) - len(self._rows)
        more = (
            f"; {hidden} rarer {'label is' if hidden == 1 else 'labels are'} left out" if hidden > 0 else ""
        )
        return f"How many were seen at once, by label: {found}{more}"

    def _draw_axis(self, canvas: Canvas, left: float, top: float, bottom: float) -> None:
        step = next(
            (step for step in _STEPS_SECONDS if self._length / step <= _MOST_TICKS),
            _DAY_SECONDS * math.ceil(self._length / _MOST_TICKS / _DAY_SECONDS),
        )
        first = math.ceil(self._start / step - 1e-9)
        for number in range(first, math.floor((self._start + self._length) / step + 1e-9) + 1):
            x = left + (number * step - self._start) / self._length * _PLOT_WIDTH
            canvas.line([(x, top), (x, bottom + 6)], RULE)
            canvas.text(_clock(number * step, step), x, bottom + 20, TEXT_SIZE, FAINT, Align.CENTER)

    def _draw_name(self, canvas: Canvas, name: str, left: float, y: float) -> None:
        canvas.text(shortened(name, TEXT_SIZE, _MAX_NAME_WIDTH), left - 12, y, TEXT_SIZE, INK, Align.RIGHT)

    def _draw_crossings(self, canvas: Canvas, line: Mapping[str, Any], left: float, top: float) -> None:
        middle = top + _LABEL_HEIGHT / 2
        canvas.line([(left, middle), (left + _PLOT_WIDTH, middle)], RULE)
        for crossing in line["crossings"]:
            x = left + float(self._columns(np.array([crossing["timestampSeconds"]]))[0])
            is_in = crossing["direction"] == "IN"
            tip = middle - 14 if is_in else middle + 14
            canvas.area([(x - 5, middle), (x + 5, middle), (x, tip)], _IN if is_in else _OUT)
        canvas.text(f"{line['in']} in", left + _PLOT_WIDTH + 12, middle - 11, 13, _IN)
        canvas.text(f"{line['out']} out", left + _PLOT_WIDTH + 12, middle + 11, 13, _OUT)

    def _occupancy(self, zone: Mapping[str, Any]) -> NDArray[np.int32]:
        row = np.zeros(_PLOT_WIDTH, np.int32)
        changes = [(change["timestampSeconds"], change["count"]) for change in zone["occupancy"]]
        ends = [*(seconds for seconds, _ in changes[1:]), self._start + self._length]
        for (seconds, count), end in zip(changes, ends, strict=False):
            first, last = self._columns(np.array([seconds, end])).tolist()
            row[first : last + 1] = np.maximum(row[first : last + 1], count)
        return row

    def _columns(self, seconds: NDArray[np.float64]) -> NDArray[np.int64]:
        places = (seconds - self._start) / self._length * _PLOT_WIDTH
        return np.clip(np.floor(places), 0, _PLOT_WIDTH - 1).astype(np.int64)


def _bridged(row: NDArray[np.int32], reach: int) -> NDArray[np.int32]:
    """The row without the gaps that are there only because there is no frame in every column."""
    seen = np.flatnonzero(row)
    bridged = row.copy()
    for first, last in zip(seen[:-1].tolist(), seen[1:].tolist(), strict=True):
        if 1 < last - first <= reach:
            bridged[first + 1 : last] = min(row[first], row[last])
    return bridged


def _draw_bars(
    canvas: Canvas, seen: NDArray[np.bool_], left: float, top: float, bottom: float, color: Color
) -> None:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], seen.astype(np.int8), [0]])))
    for first, last in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        canvas.fill(left + first, top, left + max(last, first + 2), bottom, color)


def _draw_steps(
    canvas: Canvas, row: NDArray[np.int32], left: float, top: float, height: float, color: Color
) -> None:
    """A filled curve, and how high it goes."""
    most = max(int(row.max()), 1)
    bottom, room = top + height - 4, height - 12
    canvas.line([(left, bottom), (left + _PLOT_WIDTH, bottom)], RULE)
    edges = np.flatnonzero(np.diff(np.concatenate([[-1], row, [-1]])))
    for first, last in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        if row[first]:
            canvas.fill(left + first, bottom - room * int(row[first]) / most, left + last, bottom, color)
    canvas.text(f"most {int(row.max())}", left + _PLOT_WIDTH + 12, top + height / 2, 13, FAINT)


def _clock(seconds: float, step: float) -> str:
    """A time as it stands on a player: 1:05, 1:02:03, with tenths where ticks are close."""
    whole = math.floor(seconds + 1e-6)
    text = f"{whole // 60 % 60:02}:{whole % 60:02}" if whole >= 3600 else f"{whole // 60}:{whole % 60:02}"
    if whole >= 3600:
        text = f"{whole // 3600}:{text}"
    return f"{text}.{round((seconds - whole) * 10)}" if step < 1 else text
