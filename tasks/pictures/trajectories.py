"""Who went where: the way of each track, of the bottom centres of its boxes, with lines and zones."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tasks.pictures.canvas import INK, WHITE, Align, Canvas, Color, palette_color
from tasks.pictures.page import OTHERS, Frame, Key, framed, label_colors, label_order, plural, title_of
from tasks.results.table import SegmentTable

MAX_TRACKS = 60
"""More are not told apart: the longest are shown."""
_MAX_POINTS = 512
"""Of one track; when it has more, every other one goes."""
_NUMBERED = 25
"""Up to so many tracks bear their numbers."""
_SHAPE: Color = (255, 255, 255)

Point = tuple[float, float]


class _Way:
    """The places of a track, evenly thinned out."""

    def __init__(self) -> None:
        self.points: list[Point] = []
        self.last: Point | None = None
        self._step = 1
        self._count = 0

    def add(self, point: Point) -> None:
        self.last = point
        if self._count % self._step == 0:
            self.points.append(point)
            if len(self.points) > _MAX_POINTS:
                del self.points[1::2]
                self._step *= 2
        self._count += 1

    def all(self) -> list[Point]:
        return self.points if self.last in (None, self.points[-1]) else [*self.points, *_one(self.last)]


def _one(point: Point | None) -> list[Point]:
    return [] if point is None else [point]


class Trajectories:
    """Collects the ways of the longest tracks.

    Args:
        frame: The frame to draw over.
        summary: Of the results, with all tracks.
    """

    def __init__(self, frame: Frame, summary: Mapping[str, Any]) -> None:
        self._frame = frame
        self._summary = summary
        longest = sorted(summary["tracks"], key=lambda track: (-track["detectionCount"], track["trackId"]))[
            :MAX_TRACKS
        ]
        self._labels = {track["trackId"]: track["label"] for track in longest}
        self._ways = {track_id: _Way() for track_id in sorted(self._labels)}

    def add(self, table: SegmentTable) -> None:
        """Add the detections of a segment."""
        wanted = pa.array(list(self._ways), pa.int32())
        rows = table.detections.filter(pc.is_in(table.detections["track_id"], wanted))
        columns = (rows[name].to_pylist() for name in ("track_id", "x1", "x2", "y2"))
        for track_id, x1, x2, y2 in zip(*columns, strict=True):
            point = (x1 + x2) / 2 * self._frame.scale_x, y2 * self._frame.scale_y
            self._ways[track_id].add(point)

    def draw(self, counting: Mapping[str, Any] | None, shapes: Mapping[str, Any] | None) -> Canvas:
        """The picture; `counting` is what was counted at `shapes`, if anything was."""
        canvas = Canvas(self._frame.faded())
        if shapes is not None and counting is not None:
            self._draw_zones(canvas, shapes["zones"])
        colors = self._colors()
        for track_id, way in self._ways.items():
            _draw_way(canvas, way.all(), colors[track_id])
        if len(self._ways) <= _NUMBERED:
            for track_id, way in self._ways.items():
                if way.last is not None:
                    canvas.text(str(track_id), way.last[0] + 9, way.last[1] - 9, 13, WHITE, backing=INK)
        if shapes is not None and counting is not None:
            self._draw_lines(canvas, shapes["lines"], counting["lines"])
            self._name_zones(canvas, shapes["zones"], counting["zones"])
        return framed(
            self._frame, canvas.image, title_of(self._summary), self._words(), self._keys(), foot=12
        )

    def _colors(self) -> dict[int, Color]:
        if len(self._names()) < 2:
            return {track_id: palette_color(number) for number, track_id in enumerate(self._ways)}
        colors = label_colors(self._summary)
        return {track_id: colors[label] for track_id, label in self._labels.items()}

    def _names(self) -> list[str]:
        """The labels of all tracks."""
        tracked = {count["label"] for count in self._summary["counts"] if count["tracks"]}
        return [label for label in label_order(self._summary) if label in tracked]

    def _keys(self) -> list[Key]:
        names = self._names()
        if len(names) < 2:
            return []
        tracks = {count["label"]: count["tracks"] for count in self._summary["counts"]}
        colors = label_colors(self._summary)
        keys = [Key(colors[name], f"{name} ({tracks[name]:,})") for name in names if colors[name] != OTHERS]
        others = [tracks[name] for name in names if colors[name] == OTHERS]
        if others:
            keys.append(Key(OTHERS, f"{plural(len(others), 'other label')} ({sum(others):,})"))
        return keys

    def _words(self) -> str:
        every, shown = len(self._summary["tracks"]), len(self._ways)
        names = self._names()
        what = plural(every, "track") if len(names) != 1 else f"{plural(every, 'track')} of {names[0]!r}"
        which = "" if shown == every else f", the {shown} longest are shown"
        return f"Who went where: {what}{which}. A ring is where one was first seen, a dot where last."

    def _draw_zones(self, canvas: Canvas, zones: Sequence[Mapping[str, Any]]) -> None:
        for zone in zones:
            points = [self._place(point) for point in zone["points"]]
            canvas.area(points, _SHAPE, 0.14)
            canvas.outline(points, _SHAPE, 2)

    def _name_zones(
        self, canvas: Canvas, zones: Sequence[Mapping[str, Any]], counts: Sequence[Mapping[str, Any]]
    ) -> None:
        for zone, count in zip(zones, counts, strict=True):
            points = [self._place(point) for point in zone["points"]]
            x = sum(x for x, _ in points) / len(points)
            text = f"{zone['name']}: {count['entries']} in, {count['exits']} out"
            top = min(y for _, y in points) + 16
            canvas.text(text, x, top, 14, WHITE, Align.CENTER, backing=INK)

    def _draw_lines(
        self, canvas: Canvas, lines: Sequence[Mapping[str, Any]], counts: Sequence[Mapping[str, Any]]
    ) -> None:
        for line, count in zip(lines, counts, strict=True):
            start, end = self._place(line["start"]), self._place(line["end"])
            canvas.line([start, end], INK, 5)
            canvas.line([start, end], _SHAPE, 3)
            self._draw_arrow(canvas, start, end)
            middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
            text = f"{line['name']}: {count['in']} in, {count['out']} out"
            canvas.text(text, middle[0], middle[1] - 22, 14, WHITE, Align.CENTER, backing=INK)

    def _draw_arrow(self, canvas: Canvas, start: Point, end: Point) -> None:
        """The way in: from the line's middle to its right."""
        along = end[0] - start[0], end[1] - start[1]
        length = max((along[0] ** 2 + along[1] ** 2) ** 0.5, 1e-9)
        step = along[0] / length, along[1] / length
        right = -step[1], step[0]
        foot = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
        tip = foot[0] + 26 * right[0], foot[1] + 26 * right[1]
        for color, width in ((INK, 5), (_SHAPE, 3)):
            canvas.line([foot, tip], color, width)
            for side in (-1, 1):
                barb = (
                    tip[0] - 9 * right[0] + side * 7 * step[0],
                    tip[1] - 9 * right[1] + side * 7 * step[1],
                )
                canvas.line([barb, tip], color, width)

    def _place(self, point: Sequence[float]) -> Point:
        return point[0] * self._frame.width, point[1] * self._frame.height


def _draw_way(canvas: Canvas, points: Sequence[Point], color: Color) -> None:
    if not points:
        return
    canvas.line(points, INK, 4)
    canvas.line(points, color, 2)
    canvas.dot(points[0], 4, INK, color)
    canvas.dot(points[-1], 5, color, INK)
