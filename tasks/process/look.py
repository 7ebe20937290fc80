"""Looking at the image of a frame as an analysis wants it."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import supervision as sv
from numpy.typing import NDArray

from ml_models.looking.region import Region
from ml_models.looking.tiling import Tiles

Look = Callable[[NDArray[np.uint8]], sv.Detections]


def region_of(options: Mapping[str, Any], width: int, height: int) -> Region | None:
    """The region of stored `DetectionOptions` in frames of this size; None: the whole frame."""
    points = options.get("region")
    return None if points is None else Region(points, width, height)


def look_at(analyze: Look, options: Mapping[str, Any], region: Region | None) -> Look:
    """A function that detects in a whole frame: cut to the region, in tiles, as the options say.

    Args:
        analyze: Detects in an image of any size.
        options: Stored `DetectionOptions`.
        region: From `region_of`.
    """
    look = analyze
    tiling = options.get("tiling")
    if tiling is not None:
        look = Tiles(analyze, tiling["tile_pixels"], tiling["overlap"])
    if region is None:
        return look

    def in_region(image: NDArray[np.uint8]) -> sv.Detections:
        return region.kept(look(region.cut(image)))

    return in_region
