"""What a person may set beyond the model and the tracker: how frames are looked at, tracked and counted.

Points are shares of the frame's width and height, from 0 (left, top) to 1, so that they fit every size.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any, TypeVar

from pydantic import TypeAdapter

from domain.errors import InvalidError

Point = tuple[float, float]

MAX_POINTS = 64
MAX_LINES = 16
MAX_ZONES = 16
MAX_NAME_LENGTH = 64
MIN_TILE_PIXELS = 64
MAX_TILE_PIXELS = 4096
MAX_TILE_OVERLAP = 0.5
MAX_LOST_TRACK_SECONDS = 60.0
MAX_CONSECUTIVE_FRAMES = 100
MAX_DIRECTION_FRAMES = 100

_MIN_AREA = 1e-6
"""Of a polygon, as a share of the frame: less is a line."""

_SAMPLES = (0.17, 0.45, 0.79)
"""Where widths are taken between two heights: several, for at one of them edges may just cross."""


class AnalysisMode(StrEnum):
    """What matters more."""

    EXACT = "EXACT"
    FAST = "FAST"


class Precision(StrEnum):
    """What networks are computed in."""

    FULL = "FULL"
    BF16 = "BF16"


@dataclass(frozen=True)
class Tiling:
    """Frames are cut into squares that are looked at one by one, for things too small for the model.

    Args:
        tile_pixels: Width and height of a tile.
        overlap: How much of a tile the next one covers again.
    """

    tile_pixels: int = 640
    overlap: float = 0.2

    def check(self, path: Sequence[str]) -> None:
        """Raise InvalidError for tiles that make no sense."""
        if not MIN_TILE_PIXELS <= self.tile_pixels <= MAX_TILE_PIXELS:
            raise InvalidError(
                f"tilePixels must be from {MIN_TILE_PIXELS} to {MAX_TILE_PIXELS}.",
                path=(*path, "tile_pixels"),
            )
        if not 0 <= self.overlap <= MAX_TILE_OVERLAP:
            raise InvalidError(f"overlap must be from 0 to {MAX_TILE_OVERLAP}.", path=(*path, "overlap"))


@dataclass(frozen=True)
class DetectionOptions:
    """What changes detections, besides the model and the stride.

    Args:
        mode: EXACT looks at every frame of the stride in full precision.
        region: A polygon; what has its centre outside of it is left out. None: the whole frame.
        tiling: None: the frame is looked at as a whole.
        motion_gating: Whether frames that show what the last one showed are skipped.
        precision: Nobody sets it: of a FAST analysis the worker that plans it decides. It is kept here so
            that detections of both are told apart.
    """

    mode: AnalysisMode = AnalysisMode.EXACT
    region: tuple[Point, ...] | None = None
    tiling: Tiling | None = None
    motion_gating: bool = False
    precision: Precision = Precision.FULL

    def check(self, path: Sequence[str]) -> None:
        """Raise InvalidError, naming the field below `path`, for what no frame can be looked at with."""
        if self.region is not None:
            _check_polygon(self.region, "region", (*path, "region"))
        if self.tiling is not None:
            self.tiling.check((*path, "tiling"))


@dataclass(frozen=True)
class TrackingOptions:
    """Parameters of the tracker; None: its own. Meanings as `ml_models.tracking.base.TrackingParameters`."""

    lost_track_seconds: float | None = None
    min_iou: float | None = None
    min_consecutive_frames: int | None = None
    activation_confidence: float | None = None
    high_confidence: float | None = None
    weak_min_iou: float | None = None
    direction_weight: float | None = None
    direction_frames: int | None = None

    def check(self, path: Sequence[str], min_confidence: float = 0.0) -> None:
        """Raise InvalidError, naming the field below `path`, for what no tracker can work with.

        `min_confidence` is the threshold of the analysis: what is below it is in no track.
        """
        _check_range(self.lost_track_seconds, 0, MAX_LOST_TRACK_SECONDS, (*path, "lost_track_seconds"))
        _check_range(self.direction_weight, 0, 1, (*path, "direction_weight"))
        for name in ("min_iou", "weak_min_iou"):
            value = getattr(self, name)
            if value is not None and not 0 < value < 1:
                raise InvalidError(
                    f"{camel_case(name)} must be more than 0 and less than 1.", path=(*path, name)
                )
        for name, most in (
            ("min_consecutive_frames", MAX_CONSECUTIVE_FRAMES),
            ("direction_frames", MAX_DIRECTION_FRAMES),
        ):
            _check_range(getattr(self, name), 1, most, (*path, name))
        for name in ("activation_confidence", "high_confidence"):
            value = getattr(self, name)
            _check_range(value, 0, 1, (*path, name))
            if value is not None and value < min_confidence:
                raise InvalidError(
                    f"{camel_case(name)} must not be below minConfidence, which is {min_confidence:g}.",
                    path=(*path, name),
                )


class Anchor(StrEnum):
    """The point of a box that stands for the thing where lines and zones are counted."""

    BOTTOM_CENTER = "BOTTOM_CENTER"
    CENTER = "CENTER"


@dataclass(frozen=True)
class CountingLine:
    """A line whose crossings are counted: in from its left to its right, seen from start to end."""

    name: str
    start: Point
    end: Point
    labels: tuple[str, ...] | None = None
    anchor: Anchor = Anchor.BOTTOM_CENTER


@dataclass(frozen=True)
class Zone:
    """A polygon in which things are counted."""

    name: str
    points: tuple[Point, ...]
    labels: tuple[str, ...] | None = None
    anchor: Anchor = Anchor.BOTTOM_CENTER


@dataclass(frozen=True)
class Counting:
    """Where tracks are counted."""

    lines: tuple[CountingLine, ...] = ()
    zones: tuple[Zone, ...] = ()

    def check(self, path: Sequence[str]) -> None:
        """Raise InvalidError, naming the field below `path`, for what cannot be counted at."""
        for kind, shapes, most in (("lines", self.lines, MAX_LINES), ("zones", self.zones, MAX_ZONES)):
            if len(shapes) > most:
                raise InvalidError(
                    f"There are {len(shapes)} {kind}; an analysis takes {most}.", path=(*path, kind)
                )
        seen: set[str] = set()
        for kind, shape, at in self._shapes(path):
            if not 1 <= len(shape.name) <= MAX_NAME_LENGTH or not shape.name.isprintable():
                raise InvalidError(
                    f"The name of a {kind} must have 1 to {MAX_NAME_LENGTH} printable characters.",
                    path=(*at, "name"),
                )
            if shape.name in seen:
                raise InvalidError(f"Two lines or zones are called {shape.name!r}.", path=(*at, "name"))
            seen.add(shape.name)
            if shape.labels is not None and not shape.labels:
                raise InvalidError(
                    "labels is empty: leave it out to count every label.", path=(*at, "labels")
                )
        for number, line in enumerate(self.lines):
            at = (*path, "lines", str(number))
            _check_points((line.start, line.end), f"line {line.name!r}", at)
            if line.start == line.end:
                raise InvalidError(f"The line {line.name!r} begins where it ends.", path=(*at, "end"))
        for number, zone in enumerate(self.zones):
            _check_polygon(zone.points, f"zone {zone.name!r}", (*path, "zones", str(number), "points"))

    def _shapes(self, path: Sequence[str]) -> list[tuple[str, CountingLine | Zone, tuple[str, ...]]]:
        lines = [("line", line, (*path, "lines", str(number))) for number, line in enumerate(self.lines)]
        zones = [("zone", zone, (*path, "zones", str(number))) for number, zone in enumerate(self.zones)]
        return [*lines, *zones]


Options = TypeVar("Options", DetectionOptions, TrackingOptions, Counting)


def stored_options(options: Options) -> dict[str, Any] | None:
    """As a column keeps it; None for the defaults."""
    return None if options == type(options)() else asdict(options)


def read_options(kind: type[Options], stored: Any) -> Options:
    """What `stored_options` made, back again."""
    return kind() if stored is None else TypeAdapter(kind).validate_python(stored)


def _check_range(value: float | None, least: float, most: float, path: Sequence[str]) -> None:
    if value is not None and not least <= value <= most:
        raise InvalidError(f"{camel_case(path[-1])} must be from {least:g} to {most:g}.", path=path)


def camel_case(name: str) -> str:
    """A field's name as the API has it."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _check_points(points: Sequence[Point], what: str, path: Sequence[str]) -> None:
    for x, y in points:
        if not (math.isfinite(x) and math.isfinite(y) and 0 <= x <= 1 and 0 <= y <= 1):
            raise InvalidError(
                f"The {what} has the point ({x:g}, {y:g}): x and y are shares of the frame, from 0 to 1.",
                path=path,
            )


def _check_polygon(points: Sequence[Point], what: str, path: Sequence[str]) -> None:
    if not 3 <= len(points) <= MAX_POINTS:
        raise InvalidError(f"The {what} must have 3 to {MAX_POINTS} points.", path=path)
    _check_points(points, what, path)
    if _even_odd_area(points) < _MIN_AREA:
        raise InvalidError(f"The {what} has no area.", path=path)


def _even_odd_area(points: Sequence[Point]) -> float:
    """About how large what the even-odd rule calls inside is; 0 exactly where nothing is.

    Between two neighbouring heights of corners all edges are straight, so a few widths there tell.
    """
    edges = list(zip(points, (*points[1:], points[0]), strict=True))
    heights = sorted({y for _, y in points})
    area = 0.0
    for top, bottom in pairwise(heights):
        widths = (_width_inside(edges, top + share * (bottom - top)) for share in _SAMPLES)
        area += sum(widths) / len(_SAMPLES) * (bottom - top)
    return area


def _width_inside(edges: Sequence[tuple[Point, Point]], y: float) -> float:
    crossings = sorted(
        start[0] + (y - start[1]) / (end[1] - start[1]) * (end[0] - start[0])
        for start, end in edges
        if (start[1] > y) != (end[1] > y)
    )
    return sum(right - left for left, right in zip(crossings[::2], crossings[1::2], strict=True))
