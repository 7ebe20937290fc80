"""An analysis, its tracks, and how far it is."""

from collections.abc import Sequence
from datetime import datetime
from operator import truediv
from typing import TYPE_CHECKING, Annotated, Any, Self
from uuid import UUID

import strawberry

from domain.analyses import models, service
from domain.analyses.files import (
    CROPS_FILE,
    OVERLAY_FILE,
    PICTURE_FILES,
    RESULT_FILES,
    PictureKind,
    ResultFormat,
    crops_key,
    overlay_key,
    picture_key,
    result_key,
)
from domain.analyses.models import AnalysisStatus
from domain.analyses.progress import ProgressSnapshot, take_snapshots
from domain.pages import read_all
from domain.sql import stored_uuid
from graphql_api.analyses.counting import LineCount, ZoneCount, shown_line_counts, shown_zone_counts
from graphql_api.analyses.detections import Detection, page_of_detections
from graphql_api.analyses.settings import AnalysisSettings
from graphql_api.context import Context, Info
from graphql_api.fields import field
from graphql_api.http.links import link
from graphql_api.relay import Connection, Node, global_id, id_of
from graphql_api.row_pages import paginate_rows_of
from graphql_api.rows import Computed, RowType, enum_of, moment_of
from graphql_api.videos import Video, load_videos
from tasks.results.reader import DetectionFilter

if TYPE_CHECKING:
    from graphql_api.people.persons import Person

LazyPerson = Annotated["Person", strawberry.lazy("graphql_api.people.persons")]

strawberry.enum(AnalysisStatus, description="Where an analysis stands.")
strawberry.enum(ResultFormat, description="The form of a result file.")
strawberry.enum(PictureKind, description="What a picture of an analysis shows.")


@strawberry.type(description="How often a label was found so far.")
class LabelCount:
    label: str = strawberry.field(description="The label.")
    detections: int = strawberry.field(description="Detections so far.")
    tracks: int = strawberry.field(description="Distinct tracks so far.")


def _label_counts(snapshot: ProgressSnapshot) -> list[LabelCount]:
    return [
        LabelCount(label=count.label, detections=count.detections, tracks=count.tracks)
        for count in snapshot.counts
    ]


@strawberry.type(description="One object or person followed through the video.")
class Track:
    track_id: int = strawberry.field(description="Its number in this analysis, from 1.")
    label: str = strawberry.field(description="What it is.")
    first_seconds: float = strawberry.field(description="When it is first seen.")
    last_seconds: float = strawberry.field(description="When it is last seen.")
    detection_count: int = strawberry.field(description="In how many analysed frames it is seen.")
    mean_confidence: float = strawberry.field(description="The mean confidence of its detections.")
    analysis_key: strawberry.Private[UUID]

    @field("Whose face it is; null if it is none that was taken up.")
    async def person(self, info: Info) -> LazyPerson | None:
        from graphql_api.people.persons import person_of_track

        return await person_of_track(info, self.analysis_key, self.track_id)


TRACK_ROWS = RowType(
    Track,
    models.Track,
    {
        "analysis_id": "analysis_id",
        "stored_key": "id",
        "track_id": "track_id",
        "label": "label",
        "first_seconds": "first_seconds",
        "last_seconds": "last_seconds",
        "detection_count": "detection_count",
        "confidence_sum": "confidence_sum",
    },
    key=Computed(("stored_key",), stored_uuid),
    analysis_key=Computed(("analysis_id",), stored_uuid),
    mean_confidence=Computed(("confidence_sum", "detection_count"), truediv),
)
"""How rows become tracks."""


@strawberry.type(description="One run of a model over a video.")
class Analysis(Node):
    key: strawberry.Private[UUID]
    video_key: strawberry.Private[UUID]
    row: strawberry.Private[models.Analysis]
    """What its progress and its results are read with."""
    frames_to_do: strawberry.Private[int]
    skipped: strawberry.Private[int]
    has_overlay: strawberry.Private[bool]
    crops: strawberry.Private[bool]
    pictures: strawberry.Private[bool]
    status: AnalysisStatus = strawberry.field(description="Where it stands.")
    error_message: str | None = strawberry.field(description="Why it failed.")
    priority: int = strawberry.field(
        description="From -100 to 100: of your waiting analyses, those with the highest come first."
    )
    created_at: datetime = strawberry.field(description="When it was asked for.")
    started_at: datetime | None = strawberry.field(description="When the first frames were taken up.")
    finished_at: datetime | None = strawberry.field(description="When it came to its end.")

    @classmethod
    def from_row(cls, row: models.Analysis) -> "Analysis":
        """The analysis in this row."""
        return ANALYSIS_ROWS.of_model(row)

    @field("The video.")
    async def video(self, info: Info) -> Video:
        return await info.context.loader("video", _load_videos).load(self.video_key)

    @field("What is analysed, and how.")
    def settings(self) -> AnalysisSettings:
        return AnalysisSettings.from_row(self)

    @field("How far it is, from 0 to 100; it never goes back.")
    async def progress(self, info: Info) -> float:
        return (await _snapshot(info, self.row)).progress

    @field("Frames analysed so far.")
    async def frames_done(self, info: Info) -> int:
        return (await _snapshot(info, self.row)).frames_done

    @field("Frames to analyse; 0 until the video has been looked at.")
    def frames_total(self) -> int:
        return self.frames_to_do

    @field(
        "Of the frames tracked so far those that the model did not look at, since nothing moved in them, or "
        "since mode FAST reckoned what lies between its looks. They have detections as all others do."
    )
    def frames_skipped(self) -> int:
        return self.skipped

    @field("Detections and tracks so far, by label.")
    async def counts(self, info: Info) -> list[LabelCount]:
        return _label_counts(await _snapshot(info, self.row))

    @field("What each line has counted so far, in the part of the video that is tracked.")
    async def line_counts(self, info: Info) -> list[LineCount]:
        return shown_line_counts((await _snapshot(info, self.row)).line_counts)

    @field("What each zone has counted so far, in the part of the video that is tracked.")
    async def zone_counts(self, info: Info) -> list[ZoneCount]:
        return shown_zone_counts((await _snapshot(info, self.row)).zone_counts)

    @field("How many people it has seen so far; 0 unless it creates people.")
    async def people_count(self, info: Info) -> int:
        return (await _snapshot(info, self.row)).people_count

    @field("How long it will take from now, as far as can be told; null while it does not run.")
    async def eta_seconds(self, info: Info) -> float | None:
        return (await _snapshot(info, self.row)).eta_seconds

    @field("Frames analysed a second, while it ran.")
    async def frames_per_second(self, info: Info) -> float | None:
        return (await _snapshot(info, self.row)).frames_per_second

    @field(
        "Detections in order of time, of the part of the video that is done. The window's end is left out."
    )
    async def detections(
        self,
        info: Info,
        from_seconds: float | None = None,
        to_seconds: float | None = None,
        labels: list[str] | None = None,
        track_id: int | None = None,
        min_confidence: float | None = None,
        first: int | None = 100,
        after: str | None = None,
    ) -> Connection[Detection]:
        wanted = DetectionFilter(
            from_seconds=from_seconds,
            to_seconds=to_seconds,
            labels=None if labels is None else tuple(labels),
            track_id=track_id,
            min_confidence=min_confidence,
        )
        return await page_of_detections(info.context, self.row, wanted, first, after)

    @field("Tracks in order of their numbers, of the part of the video that is done.")
    async def tracks(
        self, info: Info, labels: list[str] | None = None, first: int | None = 100, after: str | None = None
    ) -> Connection[Track]:
        async def load(keys: list[UUID]) -> Sequence[Connection[Track]]:
            return await paginate_rows_of(
                keys,
                "analysis_id",
                service.filter_tracks(TRACK_ROWS.rows, labels),
                TRACK_ROWS,
                first=first,
                after=after,
                default_first=100,
                order_by="track_id",
            )

        return await info.context.loader(f"tracks {labels} {first} {after}", load).load(self.key)

    @field("A link to the results, signed and expiring; null until there are some.")
    async def result_url(self, info: Info, format: ResultFormat = ResultFormat.JSON) -> str | None:
        if self.status != AnalysisStatus.SUCCEEDED:
            return None
        name, content_type = RESULT_FILES[format]
        key = result_key(self.key, format)
        return await link(info.context, key, content_type=content_type, filename=name, attachment=True)

    @field("A link to the video with boxes drawn on it, an H.264 MP4; null until there is one.")
    async def overlay_url(self, info: Info) -> str | None:
        if not self.has_overlay or self.status != AnalysisStatus.SUCCEEDED:
            return None
        key = overlay_key(self.key)
        return await link(info.context, key, content_type="video/mp4", filename=OVERLAY_FILE)

    @field("A link to a zip of the best pictures of each track; null until there is one.")
    async def crops_url(self, info: Info) -> str | None:
        if not self.crops or self.status != AnalysisStatus.SUCCEEDED:
            return None
        key = crops_key(self.key)
        return await link(
            info.context, key, content_type="application/zip", filename=CROPS_FILE, attachment=True
        )

    @field("A link to a picture of the whole analysis, a PNG; null until there are some.")
    async def picture_url(self, info: Info, kind: PictureKind) -> str | None:
        if not self.pictures or self.status != AnalysisStatus.SUCCEEDED:
            return None
        key = picture_key(self.key, kind)
        return await link(info.context, key, content_type="image/png", filename=PICTURE_FILES[kind])


_COLUMNS = {
    "stored_video_id": "video_id",
    "stored_key": "id",
    "owner_id": "owner_id",
    "model_name": "ml_model",
    "stored_tracker": "tracker",
    "frame_stride": "frame_stride",
    "min_confidence": "min_confidence",
    "stored_labels": "labels",
    "start_seconds": "start_seconds",
    "end_seconds": "end_seconds",
    "create_people": "create_people",
    "recreates_people": "recreates_people",
    "overlay": "overlay",
    "crops": "crops",
    "pictures": "pictures",
    "stored_counted": "counted",
    "stored_detection_options": "detection_options",
    "stored_tracking_options": "tracking_options",
    "stored_counting": "counting",
    "stored_status": "status",
    "error_message": "error_message",
    "priority": "priority",
    "tracked_segments": "tracked_segments",
    "frames_to_do": "frames_total",
    "frames_finished": "frames_finished",
    "frames_reused": "frames_reused",
    "skipped": "frames_skipped",
    "stored_frames_done": "frames_done",
    "overlay_frames_done": "overlay_frames_done",
    "has_overlay": "has_overlay",
    "active_seconds": "active_seconds",
    "running_since": "running_since",
    "stored_created_at": "created_at",
    "stored_started_at": "started_at",
    "stored_finished_at": "finished_at",
}
"""Name → column."""


def _model(*values: Any) -> models.Analysis:
    return models.Analysis._init_from_db(**dict(zip(_COLUMNS.values(), values, strict=True)))


ANALYSIS_ROWS = RowType(
    Analysis,
    models.Analysis,
    _COLUMNS,
    id=id_of("Analysis", "stored_key"),
    key=Computed(("stored_key",), stored_uuid),
    video_key=Computed(("stored_video_id",), stored_uuid),
    row=Computed(tuple(_COLUMNS), _model),
    status=enum_of("stored_status", AnalysisStatus),
    created_at=moment_of("stored_created_at"),
    started_at=moment_of("stored_started_at"),
    finished_at=moment_of("stored_finished_at"),
)
"""How rows become analyses."""


async def _load_videos(keys: list[UUID]) -> Sequence[Video]:
    videos = await load_videos(keys)
    return [videos[key] for key in keys]


async def load_analyses(keys: Sequence[UUID], owner_id: UUID) -> dict[UUID, Analysis]:
    """Those of these analyses that are there and belong to the account."""
    rows = ANALYSIS_ROWS.rows.with_ids(keys).of_owner(owner_id)
    analyses = [ANALYSIS_ROWS.of(row) for row in await read_all(rows)]
    return {analysis.key: analysis for analysis in analyses}


async def _snapshot(info: Info, row: models.Analysis) -> ProgressSnapshot:
    async def load(rows: list[models.Analysis]) -> Sequence[ProgressSnapshot]:
        return await take_snapshots(rows)

    return await info.context.loader("snapshot", load).load(row)


@strawberry.type(description="How far an analysis is: small, and pushed at every change.")
class AnalysisProgress:
    snapshot: strawberry.Private[ProgressSnapshot]
    analysis_id: strawberry.ID = strawberry.field(description="Which analysis.")
    status: AnalysisStatus = strawberry.field(description="Where it stands.")
    progress: float = strawberry.field(description="How far it is, from 0 to 100; it never goes back.")
    frames_done: int = strawberry.field(description="Frames analysed so far.")
    frames_total: int = strawberry.field(description="Frames to analyse; 0 until that is known.")
    counts: list[LabelCount] = strawberry.field(description="Detections and tracks so far, by label.")
    line_counts: list[LineCount] = strawberry.field(description="What each line has counted so far.")
    zone_counts: list[ZoneCount] = strawberry.field(description="What each zone has counted so far.")
    people_count: int = strawberry.field(
        description="How many people were seen so far; 0 unless the analysis creates people."
    )
    eta_seconds: float | None = strawberry.field(description="How long it will take from now.")
    frames_per_second: float | None = strawberry.field(description="Frames analysed a second, while it ran.")
    error_message: str | None = strawberry.field(description="Why it failed.")

    @classmethod
    def of(cls, snapshot: ProgressSnapshot) -> Self:
        """The message for this snapshot."""
        return cls(
            snapshot=snapshot,
            analysis_id=global_id("Analysis", snapshot.analysis_id),
            status=snapshot.status,
            progress=snapshot.progress,
            frames_done=snapshot.frames_done,
            frames_total=snapshot.frames_total,
            counts=_label_counts(snapshot),
            line_counts=shown_line_counts(snapshot.line_counts),
            zone_counts=shown_zone_counts(snapshot.zone_counts),
            people_count=snapshot.people_count,
            eta_seconds=snapshot.eta_seconds,
            frames_per_second=snapshot.frames_per_second,
            error_message=snapshot.error_message,
        )

    @field("The analysis itself.")
    async def analysis(self) -> Analysis:
        return Analysis.from_row(
            await service.get_analysis(self.snapshot.owner_id, self.snapshot.analysis_id)
        )


async def analyses_of_videos(
    keys: Sequence[UUID], first: int | None, after: str | None
) -> list[Connection[Analysis]]:
    """The same page of the analyses of each of these videos, which the viewer may see."""
    return await paginate_rows_of(
        keys, "video_id", ANALYSIS_ROWS.rows, ANALYSIS_ROWS, first=first, after=after
    )


async def load_analysis(context: Context, key: UUID) -> Analysis | None:
    """The node loader of `Analysis`: everybody sees only their own."""
    viewer = await context.require_viewer()
    row: Any = await service.owned_analyses(viewer.user.id).get_or_none(id=key)
    return None if row is None else Analysis.from_row(row)
