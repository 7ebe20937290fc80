"""What may be done with analyses."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

import orjson
from tortoise.exceptions import IntegrityError
from tortoise.expressions import F
from tortoise.queryset import QuerySet

from domain.analyses.models import Analysis, AnalysisStatus, Track, Tracker
from domain.analyses.transitions import ALREADY_DONE, TRANSITIONS, Action
from domain.errors import ConflictError, IdempotencyMismatchError, InvalidError, NotFoundError
from domain.videos.models import Video, VideoStatus

MAX_FRAME_STRIDE = 10_000
MAX_IDEMPOTENCY_KEY_LENGTH = 255


@dataclass(frozen=True)
class AnalysisSettings:
    """What to analyse and how. `labels` None means all; seconds are presentation times of the video."""

    ml_model: str
    tracker: Tracker = Tracker.BYTE_TRACK
    frame_stride: int = 1
    min_confidence: float = 0.5
    labels: tuple[str, ...] | None = None
    start_seconds: float | None = None
    end_seconds: float | None = None
    create_people: bool = False
    overlay: bool = False

    def check(self, path: Sequence[str] = ()) -> None:
        """Raise InvalidError, naming the field below `path`, for values no video can be analysed with."""
        if not 1 <= self.frame_stride <= MAX_FRAME_STRIDE:
            raise InvalidError(
                f"frameStride must be from 1 to {MAX_FRAME_STRIDE}: 1 analyses every frame, 5 every fifth.",
                path=(*path, "frame_stride"),
            )
        if not 0 <= self.min_confidence <= 1:
            raise InvalidError("minConfidence must be from 0 to 1.", path=(*path, "min_confidence"))
        for name, shown, seconds in (
            ("start_seconds", "startSeconds", self.start_seconds),
            ("end_seconds", "endSeconds", self.end_seconds),
        ):
            if seconds is not None and not 0 <= seconds < float("inf"):
                raise InvalidError(f"{shown} must be 0 or more.", path=(*path, name))
        if self.end_seconds is not None and self.end_seconds <= (self.start_seconds or 0):
            raise InvalidError("endSeconds must be later than startSeconds.", path=(*path, "end_seconds"))
        if self.labels is not None and not self.labels:
            raise InvalidError("labels is empty: leave it out to get every label.", path=(*path, "labels"))

    def fingerprint(self, video_id: UUID) -> str:
        """Equal for equal requests: what an idempotency key is compared by."""
        return hashlib.sha256(orjson.dumps([str(video_id), asdict(self)])).hexdigest()


async def create_analysis(
    owner_id: UUID, video: Video, settings: AnalysisSettings, idempotency_key: str | None = None
) -> Analysis:
    """Queue an analysis; the same key and input give the analysis that the first call made.

    Raises:
        InvalidError: the key is empty or too long.
        ConflictError: the video was rejected.
        IdempotencyMismatchError: the key was used with another input.
    """
    fingerprint = settings.fingerprint(video.id)
    if idempotency_key is not None:
        if not 1 <= len(idempotency_key) <= MAX_IDEMPOTENCY_KEY_LENGTH:
            raise InvalidError(
                f"idempotencyKey must have 1 to {MAX_IDEMPOTENCY_KEY_LENGTH} characters.",
                path=("idempotency_key",),
            )
        earlier = await Analysis.get_or_none(owner_id=owner_id, idempotency_key=idempotency_key)
        if earlier is not None:
            return _replay(earlier, fingerprint)
    if video.status == VideoStatus.REJECTED:
        raise ConflictError(f"This video cannot be analysed: {video.rejection_reason}", path=("video_id",))
    try:
        return await Analysis.create(
            id=uuid4(),
            owner_id=owner_id,
            video_id=video.id,
            ml_model=settings.ml_model,
            tracker=settings.tracker,
            frame_stride=settings.frame_stride,
            min_confidence=settings.min_confidence,
            labels=list(settings.labels) if settings.labels is not None else None,
            start_seconds=settings.start_seconds,
            end_seconds=settings.end_seconds,
            create_people=settings.create_people,
            overlay=settings.overlay,
            idempotency_key=idempotency_key,
            idempotency_hash=fingerprint if idempotency_key is not None else None,
        )
    except IntegrityError:
        earlier = await Analysis.get_or_none(owner_id=owner_id, idempotency_key=idempotency_key)
        if idempotency_key is None or earlier is None:
            raise
        return _replay(earlier, fingerprint)


def _replay(earlier: Analysis, fingerprint: str) -> Analysis:
    if earlier.idempotency_hash != fingerprint:
        raise IdempotencyMismatchError(
            "This idempotencyKey was used before with another input: use a new key.",
            path=("idempotency_key",),
        )
    return earlier


def owned_analyses(owner_id: UUID) -> QuerySet[Analysis]:
    """The analyses of one account."""
    return Analysis.filter(owner_id=owner_id)


async def get_analysis(owner_id: UUID, analysis_id: UUID) -> Analysis:
    """One analysis of the account.

    Raises:
        NotFoundError: there is none, or it is somebody else's.
    """
    analysis = await owned_analyses(owner_id).get_or_none(id=analysis_id)
    if analysis is None:
        raise NotFoundError("There is no Analysis with this id.", path=("id",))
    return analysis


async def change_status(owner_id: UUID, analysis_id: UUID, action: Action) -> Analysis:
    """Pause, resume or cancel on behalf of a person; asking again for what is so already changes nothing.

    Raises:
        NotFoundError: there is no such analysis of this account.
        ConflictError: the analysis is in a status that does not allow it.
    """
    analysis = await get_analysis(owner_id, analysis_id)
    if not await apply(analysis_id, action):
        analysis = await get_analysis(owner_id, analysis_id)
        if analysis.status not in ALREADY_DONE[action]:
            raise ConflictError(f"Cannot {action} an analysis that is {analysis.status}.", path=("id",))
        return analysis
    return await get_analysis(owner_id, analysis_id)


async def apply(analysis_id: UUID, action: Action, *, error_message: str | None = None) -> bool:
    """Do one transition as a single conditional write; False when the present status does not allow it."""
    allowed, target = TRANSITIONS[action]
    now = time.time()
    # Only a running analysis has a clock; stopping it keeps the time it ran.
    stopped = await Analysis.filter(id=analysis_id, status=AnalysisStatus.RUNNING).get_or_none()
    values: dict[str, object] = {"status": target, "running_since": None}
    if stopped is not None and stopped.running_since is not None and target != AnalysisStatus.RUNNING:
        values["active_seconds"] = F("active_seconds") + max(0.0, now - stopped.running_since)
    if target.is_final:
        values["finished_at"] = datetime.now(UTC)
    if error_message is not None:
        values["error_message"] = error_message
    if action == Action.RESUME:
        values["advance_due"] = True
    return bool(await Analysis.filter(id=analysis_id, status__in=list(allowed)).update(**values))


async def fail_analysis(analysis_id: UUID, reason: str) -> bool:
    """End an analysis as FAILED with a reason its owner understands."""
    return await apply(analysis_id, Action.FAIL, error_message=reason)


def tracks_of(analysis_id: UUID, labels: Sequence[str] | None = None) -> QuerySet[Track]:
    """The tracks of an analysis, of these labels or of all."""
    tracks = Track.filter(analysis_id=analysis_id)
    return tracks if labels is None else tracks.filter(label__in=list(labels))


def filter_analyses(
    analyses: QuerySet[Analysis],
    *,
    video_id: UUID | None = None,
    statuses: Sequence[AnalysisStatus] | None = None,
    ml_model: str | None = None,
) -> QuerySet[Analysis]:
    """Those analyses that meet every condition given."""
    conditions: dict[str, object] = {"video_id": video_id, "ml_model": ml_model}
    analyses = analyses.filter(**{name: value for name, value in conditions.items() if value is not None})
    return analyses if statuses is None else analyses.filter(status__in=list(statuses))
