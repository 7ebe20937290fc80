"""Counts the tracks of a video; it can stop after any frame and go on in another process."""

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Mapping
from dataclasses import astuple, dataclass, field
from typing import Any, NamedTuple, Self

import orjson

from tasks.counting.geometry import Point
from tasks.counting.shapes import MARGIN, AtLine, InZone

_CENTER = "CENTER"


class Seen(NamedTuple):
    """A detection of a track: its box in pixels."""

    track_id: int
    label: str
    x1: float
    y1: float
    x2: float
    y2: float


class Crossing(NamedTuple):
    """A track went over a line."""

    line: int
    track_id: int
    label: str
    is_in: bool
    timestamp_seconds: float


class Visit(NamedTuple):
    """A track was in a zone, until it went out or was seen for the last time."""

    zone: int
    track_id: int
    label: str
    entered_seconds: float
    left_seconds: float
    went_out: bool


@dataclass(frozen=True)
class _Shape:
    """A line (two points) or a zone, in pixels."""

    name: str
    points: tuple[Point, ...]
    labels: frozenset[str] | None
    is_center: bool

    def counts(self, label: str) -> bool:
        return self.labels is None or label in self.labels


@dataclass
class _Track:
    label: str
    seen_seconds: float
    lines: dict[int, AtLine] = field(default_factory=dict)
    zones: dict[int, InZone] = field(default_factory=dict)


class TrackCounter:
    """Counts who crosses lines and who is in zones.

    Args:
        counting: `domain.analyses.options.Counting` as it is stored.
        width: Of the frames that boxes are in.
        height: Likewise.
        on_crossing: Told of each crossing, when it is certain.
        on_visit: Told of each visit, when it is over.
    """

    def __init__(
        self,
        counting: Mapping[str, Any],
        width: int,
        height: int,
        on_crossing: Callable[[Crossing], None] | None = None,
        on_visit: Callable[[Visit], None] | None = None,
    ) -> None:
        size = width, height
        self._lines = [_shape(line, (line["start"], line["end"]), size) for line in counting.get("lines", ())]
        self._zones = [_shape(zone, zone["points"], size) for zone in counting.get("zones", ())]
        self._on_crossing = on_crossing
        self._on_visit = on_visit
        self._tracks: dict[int, _Track] = {}
        self._crossed = [(Tally[str](), Tally[str]()) for _ in self._lines]
        """In and out, by label."""
        self._visited = [(Tally[str](), Tally[str]()) for _ in self._zones]
        """Entries and exits, by label."""
        self._dwelt = [0] * len(self._zones)
        """Microseconds of all visits that are over: their sum does not depend on the order."""

    def update(self, timestamp_seconds: float, seen: Iterable[Seen]) -> None:
        """Go on by the detections of a frame; frames come in order."""
        for one in seen:
            track = self._tracks.get(one.track_id) or self._begin(one, timestamp_seconds)
            track.seen_seconds = timestamp_seconds
            self._move(one, track, timestamp_seconds)

    def keep(self, is_alive: Callable[[int], bool]) -> None:
        """Forget the tracks that will not be seen again, and end their visits.

        No count depends on when this is called, but who is in a zone is told by those that are kept.
        """
        for track_id in [track_id for track_id in self._tracks if not is_alive(track_id)]:
            track = self._tracks.pop(track_id)
            for number, at in track.zones.items():
                if at.entered_seconds is not None:
                    self._leave(
                        Visit(
                            number,
                            track_id,
                            track.label,
                            at.entered_seconds,
                            track.seen_seconds,
                            went_out=False,
                        )
                    )

    def totals(self) -> dict[str, Any]:
        """The counts so far, as they are stored with the analysis."""
        return {
            "lines": [
                {
                    "name": line.name,
                    "in": came.total(),
                    "out": went.total(),
                    "by_label": _by_label(came, went),
                }
                for line, (came, went) in zip(self._lines, self._crossed, strict=True)
            ],
            "zones": [self._zone_totals(number) for number in range(len(self._zones))],
        }

    def to_bytes(self) -> bytes:
        """The whole state: `restore` goes on from it exactly as this object would."""
        return orjson.dumps(
            {
                "crossed": self._crossed,
                "visited": self._visited,
                "dwelt": self._dwelt,
                "tracks": [
                    (
                        track_id,
                        track.label,
                        track.seen_seconds,
                        [(number, *astuple(at)) for number, at in track.lines.items()],
                        [(number, *astuple(at)) for number, at in track.zones.items()],
                    )
                    for track_id, track in self._tracks.items()
                ],
            }
        )

    def restore(self, state: bytes) -> Self:
        """Take over what `to_bytes` wrote; itself."""
        values = orjson.loads(state)
        self._dwelt = values["dwelt"]
        self._crossed = [(Tally(came), Tally(went)) for came, went in values["crossed"]]
        self._visited = [(Tally(came), Tally(went)) for came, went in values["visited"]]
        self._tracks = {
            track_id: _Track(
                label,
                seen_seconds,
                {number: AtLine(*rest) for number, *rest in lines},
                {number: InZone(*rest) for number, *rest in zones},
            )
            for track_id, label, seen_seconds, lines, zones in values["tracks"]
        }
        return self

    def _begin(self, one: Seen, seconds: float) -> _Track:
        track = self._tracks[one.track_id] = _Track(one.label, seconds)
        for number, line in enumerate(self._lines):
            if line.counts(one.label):
                track.lines[number] = AtLine.begin(line.points, _anchor(one, line))
        for number, zone in enumerate(self._zones):
            if zone.counts(one.label):
                track.zones[number] = InZone()
        return track

    def _move(self, one: Seen, track: _Track, now: float) -> None:
        margin = MARGIN * (one.x2 - one.x1 + one.y2 - one.y1)
        for number, at_line in track.lines.items():
            line = self._lines[number]
            seconds = at_line.move(line.points, _anchor(one, line), margin, now)
            if seconds is not None:
                self._cross(Crossing(number, one.track_id, track.label, at_line.side > 0, seconds))
        for number, in_zone in track.zones.items():
            zone = self._zones[number]
            entered = in_zone.entered_seconds
            if not in_zone.move(zone.points, _anchor(one, zone), margin, now):
                continue
            if entered is None:
                self._visited[number][0][track.label] += 1
            else:
                in_zone.entered_seconds = None
                left = in_zone.since_seconds
                self._leave(Visit(number, one.track_id, track.label, entered, left, went_out=True))

    def _cross(self, crossing: Crossing) -> None:
        came, went = self._crossed[crossing.line]
        (came if crossing.is_in else went)[crossing.label] += 1
        if self._on_crossing is not None:
            self._on_crossing(crossing)

    def _leave(self, visit: Visit) -> None:
        if visit.went_out:
            self._visited[visit.zone][1][visit.label] += 1
        self._dwelt[visit.zone] += _microseconds(visit.left_seconds - visit.entered_seconds)
        if self._on_visit is not None:
            self._on_visit(visit)

    def _zone_totals(self, number: int) -> dict[str, Any]:
        came, went = self._visited[number]
        present: Tally[str] = Tally()
        dwelt = self._dwelt[number]
        for track in self._tracks.values():
            at = track.zones.get(number)
            if at is not None and at.entered_seconds is not None:
                dwelt += _microseconds(track.seen_seconds - at.entered_seconds)
                present[track.label] += 1
        entries = came.total()
        return {
            "name": self._zones[number].name,
            "occupancy": present.total(),
            "entries": entries,
            "exits": went.total(),
            "mean_dwell_seconds": round(dwelt / 1e6 / entries, 6) if entries else None,
            "by_label": _by_label(present, came, went),
        }


def _microseconds(seconds: float) -> int:
    return round(seconds * 1e6)


def _shape(values: Mapping[str, Any], points: Iterable[Point], size: tuple[int, int]) -> _Shape:
    labels = values.get("labels")
    return _Shape(
        values["name"],
        tuple((x * size[0], y * size[1]) for x, y in points),
        None if labels is None else frozenset(labels),
        values.get("anchor") == _CENTER,
    )


def _anchor(one: Seen, shape: _Shape) -> Point:
    return (one.x1 + one.x2) / 2, (one.y1 + one.y2) / 2 if shape.is_center else one.y2


def _by_label(*tallies: Tally[str]) -> dict[str, list[int]]:
    labels = sorted(set().union(*tallies))
    return {label: [tally[label] for tally in tallies] for label in labels}
