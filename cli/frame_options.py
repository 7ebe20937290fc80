"""Options of `framewise analyze` that say how frames are looked at, as the server takes them."""

import math

from cli.errors import CliError
from domain.analyses.options import MAX_TILE_OVERLAP, MAX_TILE_PIXELS, MIN_TILE_PIXELS

Region = tuple[tuple[float, float], ...]

_LEAST_POINTS = 3
_DEFAULT_OVERLAP = 0.2


def parse_region(text: str | None) -> Region | None:
    """Points "x,y x,y x,y" as shares of the frame's width and height.

    Raises:
        CliError: The text is no such list.
    """
    if text is None:
        return None
    try:
        points = tuple((float(x), float(y)) for x, y in (point.split(",") for point in text.split()))
    except ValueError:
        points = ()
    if len(points) < _LEAST_POINTS or not all(0 <= share <= 1 for point in points for share in point):
        raise CliError(
            "--region must be three or more points from 0 to 1, such as '0,0.5 1,0.5 1,1 0,1', "
            f"not {text!r}.",
            2,
        )
    return points


def parse_tile(text: str | None) -> tuple[int, float] | None:
    """Width and height of a tile in pixels, and how much of it the next one covers again: "640" or "640,0.3".

    Raises:
        CliError: The text is neither.
    """
    if text is None:
        return None
    pixels, _, overlap = text.partition(",")
    try:
        tile = int(pixels), float(overlap) if overlap else _DEFAULT_OVERLAP
    except ValueError:
        tile = 0, math.nan
    if not MIN_TILE_PIXELS <= tile[0] <= MAX_TILE_PIXELS or not 0 <= tile[1] <= MAX_TILE_OVERLAP:
        raise CliError(
            f"--tile must be pixels from {MIN_TILE_PIXELS} to {MAX_TILE_PIXELS}, and perhaps an overlap "
            f"from 0 to {MAX_TILE_OVERLAP}, such as 640 or 640,0.3, not {text!r}.",
            2,
        )
    return tile
