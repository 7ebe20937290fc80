"""How frames are looked at, tracked and counted: as it is asked for, and as it was decided."""

from collections.abc import Sequence
from typing import Any

import strawberry

from domain.analyses import options
from domain.analyses.options import (
    AnalysisMode,
    Anchor,
    Counting,
    DetectionOptions,
    TrackingOptions,
    read_options,
)
from domain.sql import stored_json
from graphql_api.fields import field

strawberry.enum(AnalysisMode, description="Whether exactness or speed matters more.")
strawberry.enum(Anchor, description="The point of a box that stands for the thing when it is counted.")


@strawberry.type(description="A point of the frame, as shares of its width and height.")
class Point:
    x: float = strawberry.field(description="From 0, the left edge, to 1.")
    y: float = strawberry.field(description="From 0, the top edge, to 1.")


@strawberry.input(description="A point of the frame, as shares of its width and height.")
class PointInput:
    x: float = strawberry.field(description="From 0, the left edge, to 1.")
    y: float = strawberry.field(description="From 0, the top edge, to 1.")


@strawberry.type(description="Tiles that a frame is cut into, each looked at by itself.")
class Tiling:
    tile_pixels: int = strawberry.field(description="Width and height of a tile.")
    overlap: float = strawberry.field(description="How much of a tile the next one covers again.")


@strawberry.input(description="Tiles to cut a frame into, for things too small for the model otherwise.")
class TilingInput:
    tile_pixels: int = strawberry.field(default=640, description="Width and height of a tile.")
    overlap: float = strawberry.field(
        default=0.2, description="How much of a tile the next one covers again, from 0 to 0.5."
    )


@strawberry.type(description="Parameters of the tracker; null: its own.")
class TrackerParameters:
    lost_track_seconds: float | None = strawberry.field(
        description="How long a track waits for its thing to appear again."
    )
    min_iou: float | None = strawberry.field(
        description="How much the expected and the detected box must overlap."
    )
    min_consecutive_frames: int | None = strawberry.field(
        description="In how many frames in a row a thing must be seen before it is a track."
    )
    activation_confidence: float | None = strawberry.field(
        description="How certain a detection must be to begin a track."
    )
    high_confidence: float | None = strawberry.field(
        description="Detections at least so certain are matched before the others."
    )
    weak_min_iou: float | None = strawberry.field(
        description="As minIou, for detections below highConfidence."
    )
    direction_weight: float | None = strawberry.field(
        description="How much it counts that a detection lies where the track was heading."
    )
    direction_frames: int | None = strawberry.field(
        description="Over how many frames that heading is measured."
    )


@strawberry.input(
    description="Parameters of the tracker. What is absent or null is the tracker's own; what the chosen "
    "tracker does not take is refused. NONE takes none, and all others take the first three."
)
class TrackerParametersInput:
    lost_track_seconds: float | None = strawberry.field(
        default=None,
        description="How long a track waits for its thing to appear again: longer bridges longer occlusions, "
        "but may give the number to another thing.",
    )
    min_iou: float | None = strawberry.field(
        default=None,
        description="How much the expected and the detected box must overlap, between 0 and 1: higher breaks "
        "the tracks of fast things, lower joins neighbours.",
    )
    min_consecutive_frames: int | None = strawberry.field(
        default=None,
        description="In how many frames in a row a thing must be seen before it is a track: higher keeps "
        "mistakes out, and leaves more first frames without a number.",
    )
    activation_confidence: float | None = strawberry.field(
        default=None,
        description="SORT, BYTE_TRACK, BOT_SORT: how certain a detection must be to begin a track; less "
        "certain ones only go on with one. Higher leaves out tracks of doubtful things. By "
        "default minConfidence.",
    )
    high_confidence: float | None = strawberry.field(
        default=None,
        description="BYTE_TRACK, BOT_SORT: detections at least so certain are matched before the others; "
        "OC_SORT: it sees no others. By default minConfidence.",
    )
    weak_min_iou: float | None = strawberry.field(
        default=None,
        description="BOT_SORT: as minIou, for detections below highConfidence. Lower keeps more tracks alive "
        "through occlusions. By default 0.5.",
    )
    direction_weight: float | None = strawberry.field(
        default=None,
        description="OC_SORT: from 0 to 1, how much it counts that a detection lies where the track was "
        "heading. Higher keeps apart what crosses, and loses what turns. By default 0.2.",
    )
    direction_frames: int | None = strawberry.field(
        default=None,
        description="OC_SORT: over how many frames that heading is measured. Higher is steadier where boxes "
        "tremble, and later to see a turn. By default 3.",
    )


@strawberry.type(description="A line whose crossings are counted.")
class CountingLine:
    name: str = strawberry.field(description="What it is called.")
    start: Point = strawberry.field(description="Where it begins.")
    end: Point = strawberry.field(description="Where it ends.")
    labels: list[str] | None = strawberry.field(description="Only things of these labels; null: all.")
    anchor: Anchor = strawberry.field(description="The point of a box that counts.")


@strawberry.input(
    description="A line whose crossings are counted: in is from left to right, seen from start to end."
)
class CountingLineInput:
    name: str = strawberry.field(description="What it is called; each line and zone has its own name.")
    start: PointInput = strawberry.field(description="Where it begins.")
    end: PointInput = strawberry.field(description="Where it ends.")
    labels: list[str] | None = strawberry.field(
        default=None, description="Only things of these labels; null: all."
    )
    anchor: Anchor = strawberry.field(
        default=Anchor.BOTTOM_CENTER,
        description="The point of a box that counts: BOTTOM_CENTER, where things stand, or CENTER, for "
        "cameras that look straight down, and for faces.",
    )


@strawberry.type(description="A part of the frame in which things are counted.")
class Zone:
    name: str = strawberry.field(description="What it is called.")
    points: list[Point] = strawberry.field(description="The corners of the polygon.")
    labels: list[str] | None = strawberry.field(description="Only things of these labels; null: all.")
    anchor: Anchor = strawberry.field(description="The point of a box that counts.")


@strawberry.input(description="A part of the frame in which things are counted.")
class ZoneInput:
    name: str = strawberry.field(description="What it is called; each line and zone has its own name.")
    points: list[PointInput] = strawberry.field(description="The corners of the polygon, 3 to 64.")
    labels: list[str] | None = strawberry.field(
        default=None, description="Only things of these labels; null: all."
    )
    anchor: Anchor = strawberry.field(
        default=Anchor.BOTTOM_CENTER,
        description="The point of a box that counts: BOTTOM_CENTER, where things stand, or CENTER, for "
        "cameras that look straight down, and for faces.",
    )


@strawberry.type
class DecidedOptions:
    """A part of `AnalysisSettings`: what its columns of JSON say."""

    detection: strawberry.Private[DetectionOptions]
    tracking: strawberry.Private[TrackingOptions]
    counting: strawberry.Private[Counting]

    @field("Whether exactness or speed matters more.")
    def mode(self) -> AnalysisMode:
        return self.detection.mode

    @field("The polygon whose inside is looked at; null: the whole frame.")
    def region(self) -> list[Point] | None:
        return None if self.detection.region is None else _points(self.detection.region)

    @field("The tiles that frames are cut into; null: none.")
    def tiling(self) -> Tiling | None:
        tiling = self.detection.tiling
        return None if tiling is None else Tiling(tile_pixels=tiling.tile_pixels, overlap=tiling.overlap)

    @field("Whether frames in which nothing moves are skipped.")
    def motion_gating(self) -> bool:
        return self.detection.motion_gating

    @field("Parameters of the tracker.")
    def tracker_parameters(self) -> TrackerParameters:
        return TrackerParameters(**vars(self.tracking))

    @field("Lines whose crossings are counted.")
    def lines(self) -> list[CountingLine]:
        return [
            CountingLine(
                name=line.name,
                start=_point(line.start),
                end=_point(line.end),
                labels=_list(line.labels),
                anchor=line.anchor,
            )
            for line in self.counting.lines
        ]

    @field("Zones in which things are counted.")
    def zones(self) -> list[Zone]:
        return [
            Zone(name=zone.name, points=_points(zone.points), labels=_list(zone.labels), anchor=zone.anchor)
            for zone in self.counting.zones
        ]


def decided_options(row: Any) -> dict[str, Any]:
    """The arguments of `DecidedOptions`, from the row of an analysis."""
    return {
        "detection": read_options(DetectionOptions, stored_json(row.stored_detection_options)),
        "tracking": read_options(TrackingOptions, stored_json(row.stored_tracking_options)),
        "counting": read_options(Counting, stored_json(row.stored_counting)),
    }


def requested_options(given: Any) -> dict[str, Any]:
    """The options of an `AnalysisSettingsInput` as the use case takes them."""
    tiling, parameters = given.tiling, given.tracker_parameters
    return {
        "mode": given.mode,
        "motion_gating": given.motion_gating,
        "region": None if given.region is None else _pairs(given.region),
        "tiling": None if tiling is None else options.Tiling(**vars(tiling)),
        "tracker_parameters": None if parameters is None else TrackingOptions(**vars(parameters)),
        "lines": None
        if given.lines is None
        else tuple(
            options.CountingLine(
                line.name, _pair(line.start), _pair(line.end), _tuple(line.labels), line.anchor
            )
            for line in given.lines
        ),
        "zones": None
        if given.zones is None
        else tuple(
            options.Zone(zone.name, _pairs(zone.points), _tuple(zone.labels), zone.anchor)
            for zone in given.zones
        ),
    }


def _point(point: options.Point) -> Point:
    return Point(x=point[0], y=point[1])


def _points(points: Sequence[options.Point]) -> list[Point]:
    return [_point(point) for point in points]


def _pair(point: PointInput) -> options.Point:
    return point.x, point.y


def _pairs(points: Sequence[PointInput]) -> tuple[options.Point, ...]:
    return tuple(map(_pair, points))


def _tuple(labels: list[str] | None) -> tuple[str, ...] | None:
    return None if labels is None else tuple(dict.fromkeys(labels))


def _list(labels: tuple[str, ...] | None) -> list[str] | None:
    return None if labels is None else list(labels)
