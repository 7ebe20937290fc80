"""Types of the stand-in for the server, named and shaped as those of the schema."""

from datetime import datetime
from enum import Enum

import strawberry


@strawberry.type
class UserError:
    code: str
    message: str
    path: list[str]


@strawberry.type
class Session:
    access_token: str
    access_token_expires_at: datetime
    refresh_token: str


@strawberry.type
class SessionPayload:
    session: Session | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class SignOutPayload:
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.input
class Credentials:
    username: str
    password: str


SignUpInput = strawberry.input(type("SignUpInput", (Credentials,), {}))
SignInInput = strawberry.input(type("SignInInput", (Credentials,), {}))


@strawberry.enum
class Tracker(Enum):
    NONE = "NONE"
    SORT = "SORT"
    BYTE_TRACK = "BYTE_TRACK"
    OC_SORT = "OC_SORT"
    BOT_SORT = "BOT_SORT"


@strawberry.enum
class ResultFormat(Enum):
    JSON = "JSON"
    CSV = "CSV"


@strawberry.enum
class PictureKind(Enum):
    HEAT_MAP = "HEAT_MAP"
    TIMELINE = "TIMELINE"
    TRAJECTORIES = "TRAJECTORIES"


@strawberry.input
class TrackerParametersInput:
    lost_track_seconds: float | None = None


@strawberry.input
class AnalysisSettingsInput:
    ml_model: str
    tracker: Tracker | None = None
    frame_stride: int | None = None
    min_confidence: float | None = None
    labels: list[str] | None = None
    start_seconds: float | None = None
    end_seconds: float | None = None
    overlay: bool | None = None
    crops: bool | None = None
    pictures: bool | None = None
    motion_gating: bool | None = None
    create_people: bool | None = None
    tracker_parameters: TrackerParametersInput | None = None


@strawberry.type
class MLModel:
    name: str
    task: str
    labels: list[str]
    is_ready: bool
    floor_confidence: float = 0.3


@strawberry.type
class LabelCount:
    label: str
    detections: int
    tracks: int


@strawberry.type
class Video:
    id: strawberry.ID
    status: str
    rejection_reason: str | None = None
    duration_seconds: float | None = None


@strawberry.type
class LineCount:
    name: str
    in_: int = strawberry.field(name="in")
    out: int


@strawberry.type
class ZoneCount:
    name: str
    occupancy: int
    entries: int
    exits: int
    mean_dwell_seconds: float | None


@strawberry.type
class AnalysisType:
    id: strawberry.ID
    status: str
    progress: float
    frames_done: int
    frames_total: int
    counts: list[LabelCount]
    line_counts: list[LineCount]
    zone_counts: list[ZoneCount]
    people_count: int
    eta_seconds: float | None
    frames_per_second: float | None
    error_message: str | None
    video: Video
    overlay_url: str | None
    crops_url: str | None
    has_pictures: strawberry.Private[bool]
    frames_skipped: int

    @strawberry.field
    def result_url(self, format: ResultFormat = ResultFormat.JSON) -> str | None:
        return f"/files/{self.id}.json"

    @strawberry.field
    def picture_url(self, kind: PictureKind) -> str | None:
        return f"/files/{self.id}.{kind.value}.png" if self.has_pictures else None


@strawberry.type
class AnalysisProgress:
    analysis_id: strawberry.ID
    status: str
    progress: float
    frames_done: int
    frames_total: int
    counts: list[LabelCount]
    line_counts: list[LineCount]
    zone_counts: list[ZoneCount]
    people_count: int
    eta_seconds: float | None
    frames_per_second: float | None
    error_message: str | None


@strawberry.type
class UploadVideosPayload:
    videos: list[Video] = strawberry.field(default_factory=list)
    analyses: list[AnalysisType] = strawberry.field(default_factory=list)
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class AnalysisPayload:
    analysis: AnalysisType | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)
