"""BoT-SORT (Aharon et al., "BoT-SORT: Robust Associations Multi-Pedestrian Tracking", 2022), motion only."""

from trackers import BoTSORTTracker

from ml_models.tracking.base import TrackingParameters
from ml_models.tracking.iou import FewBoxesIoU
from ml_models.tracking.library import LibraryTracker, lost_track_buffer


class BoTSort(LibraryTracker):
    """ByteTrack with another motion model, which weighs overlap by confidence.

    Tracking sees no pixels, so camera motion is not compensated, and things are not told apart by their looks
    (the library's BoT-SORT takes no embeddings either). Tracks of the first frame wait for their
    confirmation as all others do.
    """

    def __init__(self, parameters: TrackingParameters) -> None:
        super().__init__(
            BoTSORTTracker(
                lost_track_buffer=lost_track_buffer(parameters),
                frame_rate=parameters.frames_per_second,
                iou=FewBoxesIoU(),
                track_activation_threshold=parameters.to_activate,
                high_conf_det_threshold=parameters.to_be_strong,
                minimum_consecutive_frames=parameters.min_consecutive_frames,
                minimum_iou_threshold_first_assoc=0.2 if parameters.min_iou is None else parameters.min_iou,
                minimum_iou_threshold_second_assoc=0.5
                if parameters.weak_min_iou is None
                else parameters.weak_min_iou,
                enable_cmc=False,
                instant_first_frame_activation=False,
            ),
            max(parameters.to_activate, parameters.to_be_strong),
        )
