"""ByteTrack (Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", 2022)."""

from trackers import ByteTrackTracker

from ml_models.tracking.base import TrackingParameters
from ml_models.tracking.iou import FewBoxesIoU
from ml_models.tracking.library import LibraryTracker, lost_track_buffer


class ByteTrack(LibraryTracker):
    """Matches strong detections first, then keeps what is left of the tracks alive with weak ones.

    By default, strong is what reaches the analysis' threshold: the library's 0.7 to begin a track would leave
    most detections of small models without one.
    """

    def __init__(self, parameters: TrackingParameters) -> None:
        super().__init__(
            ByteTrackTracker(
                lost_track_buffer=lost_track_buffer(parameters),
                frame_rate=parameters.frames_per_second,
                iou=FewBoxesIoU(),
                track_activation_threshold=parameters.to_activate,
                high_conf_det_threshold=parameters.to_be_strong,
                minimum_consecutive_frames=parameters.min_consecutive_frames,
                minimum_iou_threshold=0.1 if parameters.min_iou is None else parameters.min_iou,
            ),
            max(parameters.to_activate, parameters.to_be_strong),
        )
