"""What is analysed, and how: as it is asked for, and as it was decided."""

from collections.abc import Sequence
from typing import Any, Self

import strawberry

from domain.analyses.models import Tracker
from domain.analyses.options import AnalysisMode
from domain.sql import stored_json
from graphql_api.analyses.options import (
    CountingLineInput,
    DecidedOptions,
    PointInput,
    TilingInput,
    TrackerParametersInput,
    ZoneInput,
    decided_options,
    requested_options,
)
from graphql_api.context import Info
from graphql_api.fields import field
from graphql_api.ml_models import MLModel, forgotten_model, load_ml_models
from tasks.analyses import RequestedSettings

strawberry.enum(Tracker, description="How detections are joined to tracks.")


@strawberry.type(description="What is analysed, and how.")
class AnalysisSettings(DecidedOptions):
    model_name: strawberry.Private[str]
    tracker: Tracker = strawberry.field(description="How detections are joined to tracks.")
    frame_stride: int = strawberry.field(description="1: every frame is analysed, 5: every fifth.")
    min_confidence: float = strawberry.field(description="Less certain detections are left out.")
    labels: list[str] | None = strawberry.field(description="Only these labels; null: all.")
    start_seconds: float | None = strawberry.field(description="Frames before this time are left out.")
    end_seconds: float | None = strawberry.field(description="Frames from this time on are left out.")
    create_people: bool = strawberry.field(description="Whether faces become people.")
    recreate_people: bool = strawberry.field(
        description="Whether faces of people who were deleted become people again."
    )
    overlay: bool = strawberry.field(description="Whether a video with boxes drawn on it is made.")
    crops: bool = strawberry.field(description="Whether pictures of each track are cut out.")
    pictures: bool = strawberry.field(
        description="Whether a heat map, a timeline and trajectories are drawn."
    )

    @classmethod
    def from_row(cls, row: Any) -> Self:
        """The settings in the row of an analysis."""
        return cls(
            model_name=row.model_name,
            tracker=Tracker(row.stored_tracker),
            frame_stride=row.frame_stride,
            min_confidence=row.min_confidence,
            labels=stored_json(row.stored_labels),
            start_seconds=row.start_seconds,
            end_seconds=row.end_seconds,
            create_people=bool(row.create_people),
            recreate_people=bool(row.recreates_people),
            overlay=bool(row.overlay),
            crops=bool(row.crops),
            pictures=bool(row.pictures),
            **decided_options(row),
        )

    @field("The model that looks at the frames.")
    async def ml_model(self, info: Info) -> MLModel:
        async def load(names: list[str]) -> Sequence[MLModel]:
            known = await load_ml_models(info.context)
            return [known.get(name) or forgotten_model(name) for name in names]

        return await info.context.loader("ml_model", load).load(self.model_name)


@strawberry.input(description="What to analyse, and how. What is absent or null has a default.")
class AnalysisSettingsInput:
    ml_model: str | None = strawberry.field(
        default=None,
        description="Name of the model, see `mlModels`. By default the best face detector that is ready.",
    )
    tracker: Tracker | None = strawberry.field(default=None, description="By default BYTE_TRACK.")
    frame_stride: int | None = strawberry.field(
        default=None, description="1, the default, analyses every frame, 5 every fifth."
    )
    min_confidence: float | None = strawberry.field(
        default=None, description="From 0 to 1; by default what suits the model."
    )
    labels: list[str] | None = strawberry.field(default=None, description="Only these labels of the model.")
    start_seconds: float | None = strawberry.field(default=None, description="Where to begin, in the video.")
    end_seconds: float | None = strawberry.field(default=None, description="Where to end, in the video.")
    create_people: bool | None = strawberry.field(
        default=None,
        description="Whether faces become people of the register; by default not. It takes a tracker, and a "
        "model that finds faces and their landmarks, such as yunet-2026may.",
    )
    recreate_people: bool | None = strawberry.field(
        default=None,
        description="With `createPeople`: whether faces of people who were deleted from the register become "
        "people again; by default they do not.",
    )
    overlay: bool | None = strawberry.field(
        default=None, description="Whether to make a video with boxes drawn on it; by default not."
    )
    crops: bool | None = strawberry.field(
        default=None, description="Whether to cut out the best pictures of each track; by default not."
    )
    pictures: bool | None = strawberry.field(
        default=None,
        description="Whether to draw a heat map, a timeline and the trajectories; by default not.",
    )
    mode: AnalysisMode | None = strawberry.field(
        default=None,
        description="EXACT, the default, looks at every frame of the stride in full precision. FAST skips "
        "frames in which nothing moves, looks at some of the others and interpolates between these looks, "
        "and computes in less precision where the processor is faster so.",
    )
    region: list[PointInput] | None = strawberry.field(
        default=None, description="A polygon of 3 to 64 corners: things outside of it are left out."
    )
    tiling: TilingInput | None = strawberry.field(
        default=None, description="Cut frames into tiles, for things too small for the model otherwise."
    )
    motion_gating: bool | None = strawberry.field(
        default=None, description="Skip frames in which nothing moves; by default only in mode FAST."
    )
    tracker_parameters: TrackerParametersInput | None = strawberry.field(
        default=None, description="Parameters of the tracker; by default its own."
    )
    lines: list[CountingLineInput] | None = strawberry.field(
        default=None, description="Lines whose crossings are counted, at most 16."
    )
    zones: list[ZoneInput] | None = strawberry.field(
        default=None, description="Zones in which things are counted, at most 16."
    )

    def requested(self) -> RequestedSettings:
        """The settings as the use case takes them."""
        labels = None if self.labels is None else tuple(self.labels)
        values = {**vars(self), "labels": labels, **requested_options(self)}
        return RequestedSettings(**values)
