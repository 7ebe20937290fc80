"""Options of `framewise analyze` that say what is counted where, as the server takes them."""

from collections.abc import Sequence
from typing import Any

from cli.errors import CliError

_LEAST_CORNERS = 3


def parse_lines(texts: Sequence[str] | None, anchor: str | None = None) -> tuple[dict[str, Any], ...]:
    """Lines "name:x,y x,y": in is from left to right, seen from the first point to the second.

    Raises:
        CliError: A text is no such line.
    """
    lines = []
    for text in texts or ():
        name, points = _shape(text)
        if len(points) != 2:
            raise CliError(
                "--line must be a name and two points from 0 to 1, such as 'door:0.5,1 0.5,0', "
                f"not {text!r}.",
                2,
            )
        lines.append({"name": name, "start": points[0], "end": points[1], **_anchor(anchor)})
    return tuple(lines)


def parse_zones(texts: Sequence[str] | None, anchor: str | None = None) -> tuple[dict[str, Any], ...]:
    """Zones "name:x,y x,y x,y …".

    Raises:
        CliError: A text is no such zone.
    """
    zones = []
    for text in texts or ():
        name, points = _shape(text)
        if len(points) < _LEAST_CORNERS:
            raise CliError(
                "--zone must be a name and three or more points from 0 to 1, such as "
                f"'desk:0.1,0.5 0.4,0.5 0.4,1 0.1,1', not {text!r}.",
                2,
            )
        zones.append({"name": name, "points": points, **_anchor(anchor)})
    return tuple(zones)


def _anchor(anchor: str | None) -> dict[str, str]:
    return {} if anchor is None else {"anchor": anchor}


def _shape(text: str) -> tuple[str, list[dict[str, float]]]:
    """Name and points; no points for a text that is no shape."""
    name, _, rest = text.rpartition(":")
    try:
        points = [{"x": float(x), "y": float(y)} for x, y in (point.split(",") for point in rest.split())]
    except ValueError:
        return name, []
    if not name or not all(0 <= share <= 1 for point in points for share in point.values()):
        return name, []
    return name, points
