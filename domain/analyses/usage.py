"""Which segments of which content the analyses that exist were planned for."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from domain.analyses.models import Analysis, Segment


@dataclass(frozen=True)
class PlannedSegment:
    """What decides where the detections of a segment are stored."""

    ml_model: str
    frame_stride: int
    plan: dict[str, Any]
    detection_options: dict[str, Any] | None


async def segments_of_content(sha256: str) -> AsyncIterator[PlannedSegment]:
    """The segments of all analyses of all videos with this content, an analysis at a time."""
    analyses = Analysis.filter(video__sha256=sha256).values_list(
        "id", "ml_model", "frame_stride", "detection_options"
    )
    for analysis_id, ml_model, frame_stride, options in await analyses:
        for plan in await Segment.filter(analysis_id=analysis_id).values_list("plan", flat=True):
            yield PlannedSegment(str(ml_model), int(frame_stride), dict(plan), options)


async def has_unplanned_analysis(sha256: str) -> bool:
    """Whether it is still open which segments of this content will be asked for."""
    return await Analysis.filter(video__sha256=sha256, segment_count=None).exists()
