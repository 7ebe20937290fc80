"""OC-SORT (Cao et al., "Observation-Centric SORT", 2023)."""

from trackers import OCSORTTracker

from ml_models.tracking.base import TrackingParameters
from ml_models.tracking.iou import FewBoxesIoU
from ml_models.tracking.library import LibraryTracker, lost_track_buffer


class OCSort(LibraryTracker):
    """Like SORT, but trusts what was seen over what was expected: better for things that turn."""

    def __init__(self, parameters: TrackingParameters) -> None:
        super().__init__(
            OCSORTTracker(
                lost_track_buffer=lost_track_buffer(parameters),
                frame_rate=parameters.frames_per_second,
                iou=FewBoxesIoU(),
                high_conf_det_threshold=parameters.to_be_strong,
                minimum_consecutive_frames=parameters.min_consecutive_frames,
                minimum_iou_threshold=0.3 if parameters.min_iou is None else parameters.min_iou,
                direction_consistency_weight=0.2
                if parameters.direction_weight is None
                else parameters.direction_weight,
                delta_t=3 if parameters.direction_frames is None else parameters.direction_frames,
            ),
            parameters.to_be_strong,
        )

    @property
    def is_idle(self) -> bool:
        """Whether there is no track, and the library has stopped to count frames for the first ones."""
        return super().is_idle and self._tracker.frame_count > self._tracker.minimum_consecutive_frames
