"""Where a point is, seen from a line or a polygon. All in pixels, y downwards."""

import math
from collections.abc import Sequence

Point = tuple[float, float]


def side_of(start: Point, end: Point, point: Point) -> float:
    """How far a point is right of the line through both, seen from start to end; left of it is negative."""
    along = end[0] - start[0], end[1] - start[1]
    away = point[0] - start[0], point[1] - start[1]
    return (along[0] * away[1] - along[1] * away[0]) / math.hypot(*along)


def place_along(start: Point, end: Point, point: Point) -> float:
    """Where the foot of a point is on the line: 0 at the start, 1 at the end."""
    along = end[0] - start[0], end[1] - start[1]
    away = point[0] - start[0], point[1] - start[1]
    return (along[0] * away[0] + along[1] * away[1]) / (along[0] ** 2 + along[1] ** 2)


def is_inside(polygon: Sequence[Point], point: Point) -> bool:
    """Whether a point is inside, by the even-odd rule."""
    x, y = point
    inside = False
    previous_x, previous_y = polygon[-1]
    for corner_x, corner_y in polygon:
        if (corner_y > y) != (previous_y > y):
            crossing = corner_x + (y - corner_y) * (previous_x - corner_x) / (previous_y - corner_y)
            inside ^= x < crossing
        previous_x, previous_y = corner_x, corner_y
    return inside


def distance_to_edge(polygon: Sequence[Point], point: Point) -> float:
    """How far a point is from the nearest edge, inside or outside."""
    return min(
        _distance(start, end, point) for start, end in zip((polygon[-1], *polygon[:-1]), polygon, strict=True)
    )


def _distance(start: Point, end: Point, point: Point) -> float:
    if start == end:
        return math.dist(start, point)
    place = min(max(place_along(start, end, point), 0.0), 1.0)
    foot = start[0] + place * (end[0] - start[0]), start[1] + place * (end[1] - start[1])
    return math.dist(foot, point)
