"""The GraphQL operations of the command line, and the small types their answers become."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

_SESSION = "session { accessToken accessTokenExpiresAt refreshToken } userErrors { code message path }"
_PROGRESS = """
  status progress framesDone framesTotal etaSeconds framesPerSecond errorMessage
  counts { label detections tracks } peopleCount
  lineCounts { name in out }
  zoneCounts { name occupancy entries exits meanDwellSeconds }
"""

SIGN_UP = f"mutation SignUp($input: SignUpInput!) {{ payload: signUp(input: $input) {{ {_SESSION} }} }}"
SIGN_IN = f"mutation SignIn($input: SignInInput!) {{ payload: signIn(input: $input) {{ {_SESSION} }} }}"
REFRESH_SESSION = f"""
mutation Refresh($refreshToken: String!) {{
  payload: refreshSession(refreshToken: $refreshToken) {{ {_SESSION} }}
}}
"""
SIGN_OUT = """
mutation SignOut($refreshToken: String!) { signOut(refreshToken: $refreshToken) { userErrors { code } } }
"""
ML_MODELS = "query MLModels { mlModels { name task labels floorConfidence isReady } }"
UPLOAD_VIDEO = """
mutation UploadVideo($files: [Upload!]!, $analyze: AnalysisSettingsInput!) {
  payload: uploadVideos(files: $files, analyze: $analyze) {
    videos { id status rejectionReason }
    analyses { id }
    userErrors { code message path }
  }
}
"""
MY_ANALYSES_PROGRESS = (
    f"subscription MyAnalysesProgress {{ myAnalysesProgress {{ analysisId {_PROGRESS} }} }}"
)
ANALYSIS = f"""
query Analysis($id: ID!) {{
  analysis(id: $id) {{ id {_PROGRESS} video {{ status rejectionReason durationSeconds }} }}
}}
"""
RESULTS = """
query Results($id: ID!) {
  analysis(id: $id) {
    framesSkipped video { durationSeconds }
    JSON: resultUrl(format: JSON) OVERLAY: overlayUrl CROPS: cropsUrl
    HEAT_MAP: pictureUrl(kind: HEAT_MAP)
    TIMELINE: pictureUrl(kind: TIMELINE)
    TRAJECTORIES: pictureUrl(kind: TRAJECTORIES)
  }
}
"""
_COMPARED = "settings { mlModel { name } tracker mode frameStride minConfidence } video { filename }"
COMPARE_ANALYSES = f"""
query CompareAnalyses($a: ID!, $b: ID!) {{
  a: analysis(id: $a) {{ {_COMPARED} }}
  b: analysis(id: $b) {{ {_COMPARED} }}
  compareAnalyses(a: $a, b: $b) {{
    frames detectionsA detectionsB matched agreement meanIou iouHistogram
    labels {{ label detectionsA detectionsB matched tracksA tracksB }}
    matchedTrackCount lostTrackCount newTrackCount lostTrackIds newTrackIds
  }}
}}
"""
CANCEL_ANALYSIS = """
mutation Cancel($id: ID!) {
  payload: cancelAnalysis(id: $id) { analysis { status } userErrors { code message path } }
}
"""

FINAL_STATUSES = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})


@dataclass(frozen=True)
class LabelCount:
    """How often a label was found: detections, and distinct tracks (0 without a tracker)."""

    label: str
    detections: int
    tracks: int


@dataclass(frozen=True)
class LineCount:
    """Crossings of a line."""

    name: str
    came_in: int
    went_out: int


@dataclass(frozen=True)
class ZoneCount:
    """Who is in a zone, and who came and went."""

    name: str
    occupancy: int
    entries: int
    exits: int
    mean_dwell_seconds: float | None


@dataclass(frozen=True)
class Progress:
    """Where an analysis is. `percent` is from 0 to 100."""

    analysis_id: str
    status: str
    percent: float
    frames_done: int
    frames_total: int
    frames_per_second: float | None
    eta_seconds: float | None
    error_message: str | None
    counts: tuple[LabelCount, ...]
    lines: tuple[LineCount, ...] = ()
    zones: tuple[ZoneCount, ...] = ()
    people: int = 0

    @property
    def is_final(self) -> bool:
        """Whether the analysis has ended, one way or another."""
        return self.status in FINAL_STATUSES


@dataclass(frozen=True)
class AnalysisState:
    """An analysis and the video it is about."""

    progress: Progress
    rejection_reason: str | None
    """Why the video cannot be analysed; None if it can, or is still being looked at."""
    duration_seconds: float | None


@dataclass(frozen=True)
class RemoteModel:
    """A model that the server offers."""

    name: str
    task: str
    labels: tuple[str, ...]
    floor_confidence: float
    """The least `minConfidence` there is."""
    is_ready: bool


@dataclass(frozen=True)
class Uploaded:
    """What became of one uploaded file: an analysis, or the reason why there is none."""

    analysis_id: str | None
    refusal: str | None
    settings_refused: bool = False
    """Whether it was the settings, not the file, that were refused."""


class ResultKind(Enum):
    """A file that an analysis may give, with the end of its name."""

    JSON = "json"
    OVERLAY = "mp4"
    CROPS = "crops.zip"
    HEAT_MAP = "heat-map.png"
    TIMELINE = "timeline.png"
    TRAJECTORIES = "trajectories.png"


@dataclass(frozen=True)
class ResultUrls:
    """Where the files of a finished analysis are; None for those that were not asked for."""

    files: Mapping[ResultKind, str | None]
    duration_seconds: float | None
    frames_skipped: int = 0
    """How many frames the model did not look at."""


def progress_of(found: Mapping[str, Any], analysis_id: str) -> Progress:
    """The progress in an answer that selected its fields."""
    return Progress(
        analysis_id=analysis_id,
        status=found["status"],
        percent=found["progress"],
        frames_done=found["framesDone"],
        frames_total=found["framesTotal"],
        frames_per_second=found["framesPerSecond"],
        eta_seconds=found["etaSeconds"],
        error_message=found["errorMessage"],
        counts=tuple(LabelCount(**count) for count in found["counts"]),
        lines=tuple(LineCount(one["name"], one["in"], one["out"]) for one in found.get("lineCounts", ())),
        zones=tuple(
            ZoneCount(one["name"], one["occupancy"], one["entries"], one["exits"], one["meanDwellSeconds"])
            for one in found.get("zoneCounts", ())
        ),
        people=found.get("peopleCount", 0),
    )


def state_of(found: Mapping[str, Any]) -> AnalysisState:
    """The state in an answer to `ANALYSIS`."""
    video = found["video"]
    rejected = video["status"] == "REJECTED"
    return AnalysisState(
        progress=progress_of(found, found["id"]),
        rejection_reason=(video["rejectionReason"] or "The server does not accept this file.")
        if rejected
        else None,
        duration_seconds=video["durationSeconds"],
    )


def uploaded_of(payload: Mapping[str, Any]) -> Uploaded:
    """What an answer to `UPLOAD_VIDEO` with one file says about that file."""
    errors = payload["userErrors"]
    if errors:
        about_settings = any(error["path"][:1] == ["analyze"] for error in errors)
        return Uploaded(None, " ".join(error["message"] for error in errors), about_settings)
    rejected = [video for video in payload["videos"] if video["status"] == "REJECTED"]
    if rejected:
        return Uploaded(None, rejected[0]["rejectionReason"] or "The server does not accept this file.")
    if not payload["analyses"]:
        return Uploaded(None, "The server took the file but did not start an analysis.")
    return Uploaded(payload["analyses"][0]["id"], None)
