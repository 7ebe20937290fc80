"""SORT (Bewley et al., "Simple Online and Realtime Tracking", 2016)."""

from trackers import SORTTracker

from ml_models.tracking.base import TrackingParameters
from ml_models.tracking.iou import FewBoxesIoU
from ml_models.tracking.library import LibraryTracker, lost_track_buffer


class Sort(LibraryTracker):
    """Matches detections with where a constant motion would have taken each track."""

    def __init__(self, parameters: TrackingParameters) -> None:
        super().__init__(
            SORTTracker(
                lost_track_buffer=lost_track_buffer(parameters),
                frame_rate=parameters.frames_per_second,
                iou=FewBoxesIoU(),
                track_activation_threshold=parameters.to_activate,
                minimum_consecutive_frames=parameters.min_consecutive_frames,
                minimum_iou_threshold=0.3 if parameters.min_iou is None else parameters.min_iou,
            ),
            parameters.to_activate,
        )
