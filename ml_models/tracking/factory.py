"""From a tracker's name to a tracker."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from ml_models.errors import UnknownTrackerError
from ml_models.naming import near_misses

if TYPE_CHECKING:
    from ml_models.tracking.base import AbstractTracker, TrackingParameters

DEFAULT_TRACKER = "BYTE_TRACK"

TRACKERS: dict[str, str] = {
    "NONE": "ml_models.tracking.none:NoTracker",
    "SORT": "ml_models.tracking.sort:Sort",
    "BYTE_TRACK": "ml_models.tracking.byte_track:ByteTrack",
    "OC_SORT": "ml_models.tracking.oc_sort:OCSort",
    "BOT_SORT": "ml_models.tracking.bot_sort:BoTSort",
}
"""Name → ``"module:Class"``, imported on use; a class is called with `TrackingParameters`."""

_ALL = ("lost_track_seconds", "min_iou", "min_consecutive_frames")

TRACKER_PARAMETERS: dict[str, tuple[str, ...]] = {
    "NONE": (),
    "SORT": (*_ALL, "activation_confidence"),
    "BYTE_TRACK": (*_ALL, "activation_confidence", "high_confidence"),
    "OC_SORT": (*_ALL, "high_confidence", "direction_weight", "direction_frames"),
    "BOT_SORT": (*_ALL, "activation_confidence", "high_confidence", "weak_min_iou"),
}
"""Which of `TrackingParameters` a person may set for which tracker; it does not look at the others."""


def create_tracker(name: str, parameters: TrackingParameters) -> AbstractTracker:
    """A tracker for the things of one label.

    Raises:
        UnknownTrackerError: No tracker has this name.
    """
    if name not in TRACKERS:
        raise UnknownTrackerError(f"there is no tracker {name!r}: {near_misses(name, TRACKERS)}")
    module_name, class_name = TRACKERS[name].split(":")
    return cast("AbstractTracker", getattr(import_module(module_name), class_name)(parameters))
