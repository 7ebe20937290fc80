"""One track at one line, or in one zone.

Both wait before they believe that a thing changed its side: it has to go some way beyond, the `margin`, and
to stay there for `PATIENCE` of its detections. Boxes tremble by a part of their size, so the margin is one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.counting.geometry import Point, distance_to_edge, is_inside, place_along, side_of

PATIENCE = 2
"""In how many detections in a row a track must be on the other side. A single box may be a mistake."""

MARGIN = 0.05
"""How far beyond, as a share of the box's width and height together."""


@dataclass
class AtLine:
    """What is known of a track at a line.

    Args:
        side: 1 on the right of the line, -1 on the left, as far as it is believed.
        x: Where it was last.
        y: Likewise.
        nearer: On which side of the line it was last.
        is_between: Whether it was between the line's ends when it last came over the line.
        beyond: In how many detections it has been beyond the margin since then.
        since_seconds: Since when it has been on the other side.
        is_over: Whether it is there.
    """

    side: int
    x: float
    y: float
    nearer: int
    is_between: bool = False
    beyond: int = 0
    since_seconds: float = 0.0
    is_over: bool = False

    @classmethod
    def begin(cls, line: Sequence[Point], point: Point) -> "AtLine":
        """A track that is first seen here. On the line itself it counts as coming from the left."""
        nearer = 1 if side_of(line[0], line[1], point) > 0 else -1
        return cls(nearer, *point, nearer)

    def move(self, line: Sequence[Point], point: Point, margin: float, seconds: float) -> float | None:
        """Go on to where it is now; the time of its crossing, if that is certain now."""
        start, end = line
        distance = side_of(start, end, point)
        nearer = 0 if distance == 0 else 1 if distance > 0 else -1
        if nearer not in (0, self.nearer):
            self.nearer = nearer
            self.is_between = 0 <= self._crossing(line, point, distance) <= 1
        self.x, self.y = point
        if distance * self.side >= 0:
            self.beyond, self.is_over = 0, False
            return None
        if not self.is_over:
            self.since_seconds, self.is_over = seconds, True
        if abs(distance) <= margin:
            return None
        self.beyond += 1
        if self.beyond < PATIENCE:
            return None
        self.side, self.beyond, self.is_over = -self.side, 0, False
        return self.since_seconds if self.is_between else None

    def _crossing(self, line: Sequence[Point], point: Point, distance: float) -> float:
        """Where on the line the way from the last point to this one meets it."""
        start, end = line
        last = self.x, self.y
        before = side_of(start, end, last)
        share = before / (before - distance)
        met = last[0] + share * (point[0] - last[0]), last[1] + share * (point[1] - last[1])
        return place_along(start, end, met)


@dataclass
class InZone:
    """What is known of a track in a zone.

    It is in as soon as it stays inside, and out only when it stays beyond the margin: so a zone may be small.

    Args:
        entered_seconds: When it came in; None while it is outside.
        beyond: In how many detections it has been inside, or outside beyond the margin, since then.
        since_seconds: Since when it has been on the other side.
        is_over: Whether it is there.
    """

    entered_seconds: float | None = None
    beyond: int = 0
    since_seconds: float = 0.0
    is_over: bool = False

    def move(self, polygon: Sequence[Point], point: Point, margin: float, seconds: float) -> bool:
        """Go on to where it is now; whether it is certain now that it came in or went out at `since_seconds`.

        Whoever is told that it went out sets `entered_seconds` to None.
        """
        inside = is_inside(polygon, point)
        if inside == (self.entered_seconds is not None):
            self.beyond, self.is_over = 0, False
            return False
        if not self.is_over:
            self.since_seconds, self.is_over = seconds, True
        if not inside and distance_to_edge(polygon, point) <= margin:
            return False
        self.beyond += 1
        if self.beyond < PATIENCE:
            return False
        self.beyond, self.is_over = 0, False
        if inside:
            self.entered_seconds = self.since_seconds
        return True
