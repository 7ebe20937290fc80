"""Two analyses of one video beside each other."""

import strawberry

from graphql_api.context import Info
from graphql_api.fields import field
from graphql_api.rate_limits.mutations import count_mutation
from graphql_api.relay import require_uuid
from tasks.comparisons import compare_analyses
from tasks.results.comparison import Comparison

MOST_TRACKS_LISTED = 1000


@strawberry.type(description="What two analyses found of one label, in the frames that both looked at.")
class LabelComparison:
    label: str = strawberry.field(description="The label.")
    detections_a: int = strawberry.field(description="Detections of the first.")
    detections_b: int = strawberry.field(description="Detections of the second.")
    matched: int = strawberry.field(description="Detections of the first that the second has as well.")
    tracks_a: int = strawberry.field(description="Tracks of the first.")
    tracks_b: int = strawberry.field(description="Tracks of the second.")


@strawberry.type(description="Two tracks that follow the same thing.")
class TrackPair:
    track_id_a: int = strawberry.field(description="Its number in the first analysis.")
    track_id_b: int = strawberry.field(description="Its number in the second.")
    detections: int = strawberry.field(description="Detections that both tracks have.")


@strawberry.type(
    description="How much two analyses of one video agree, in the frames that both looked at. Detections "
    "match if they have one label and an IoU of at least 0.5; in each frame, those that overlap most are "
    "paired first."
)
class AnalysisComparison:
    frames: int = strawberry.field(description="Frames that both looked at.")
    detections_a: int = strawberry.field(description="Detections of the first in these frames.")
    detections_b: int = strawberry.field(description="Detections of the second in these frames.")
    matched: int = strawberry.field(description="Detections of the first that the second has as well.")
    agreement: float = strawberry.field(
        description="The F1 score of the detections: 1 if all match, 0 if none does."
    )
    mean_iou: float | None = strawberry.field(description="Mean IoU of the matches; null if there are none.")
    iou_histogram: list[int] = strawberry.field(
        description="Pairs by IoU, in ten equal steps from 0 to 1. Those below 0.5 do not match."
    )
    labels: list[LabelComparison] = strawberry.field(description="The same by label.")
    matched_track_count: int = strawberry.field(
        description="Tracks of both that follow the same thing: they share at least half of the detections "
        "of the shorter one."
    )
    lost_track_count: int = strawberry.field(description="Tracks of the first that the second has not.")
    new_track_count: int = strawberry.field(description="Tracks of the second that the first has not.")
    matched_tracks: list[TrackPair] = strawberry.field(
        description="Those that follow the same thing, longest first, at most 1000."
    )
    lost_track_ids: list[int] = strawberry.field(
        description="Numbers of the first's tracks that the second has not, at most 1000."
    )
    new_track_ids: list[int] = strawberry.field(
        description="Numbers of the second's tracks that the first has not, at most 1000."
    )

    @classmethod
    def of(cls, found: Comparison) -> "AnalysisComparison":
        """What is shown of a comparison."""
        return cls(
            frames=found.frames,
            detections_a=found.detections_a,
            detections_b=found.detections_b,
            matched=found.matched,
            agreement=found.agreement,
            mean_iou=found.mean_iou,
            iou_histogram=list(found.iou_histogram),
            labels=[LabelComparison(**vars(label)) for label in found.labels],
            matched_track_count=found.matched_track_count,
            lost_track_count=found.lost_track_count,
            new_track_count=found.new_track_count,
            matched_tracks=[TrackPair(**vars(pair)) for pair in found.tracks],
            lost_track_ids=list(found.lost_track_ids),
            new_track_ids=list(found.new_track_ids),
        )


@strawberry.type
class ComparisonQueries:
    @field(
        "Compare two of your analyses of one video, or of one file uploaded twice; both SUCCEEDED.",
        signed_in=True,
    )
    async def compare_analyses(self, info: Info, a: strawberry.ID, b: strawberry.ID) -> AnalysisComparison:
        context = info.context
        keys = require_uuid(a, "Analysis", "a"), require_uuid(b, "Analysis", "b")
        await count_mutation(context)
        state = context.state
        return AnalysisComparison.of(
            await compare_analyses(
                state.settings, state.storage, context.user_id, *keys, most_tracks=MOST_TRACKS_LISTED
            )
        )
