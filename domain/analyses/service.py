"""What may be done with analyses."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from tortoise.exceptions import IntegrityError
from tortoise.queryset import QuerySet
from tortoise.transactions import in_transaction

from domain.analyses.models import Analysis, AnalysisStatus
from domain.analyses.options import stored_options
from domain.analyses.settings import AnalysisSettings
from domain.analyses.status import apply
from domain.analyses.transitions import ALREADY_DONE, Action
from domain.errors import (
    ConflictError,
    IdempotencyMismatchError,
    InvalidError,
    LimitExceededError,
    NotFoundError,
)
from domain.events import EventKind, record_event
from domain.pages import Rows
from domain.videos.models import Video, VideoStatus

MAX_IDEMPOTENCY_KEY_LENGTH = 255
MAX_PRIORITY = 100

_UNFINISHED = [status for status in AnalysisStatus if not status.is_final]


@dataclass(frozen=True)
class AnalysisLimits:
    """How many analyses may be queued, running or paused at once: of one account, and of all."""

    max_per_user: int
    max_in_all: int

    async def check(self, owner_id: UUID) -> None:
        """Raise LimitExceededError if the account may not start another one now."""
        if await Analysis.filter(owner_id=owner_id, status__in=_UNFINISHED).count() >= self.max_per_user:
            raise LimitExceededError(
                f"You have {self.max_per_user} unfinished analyses, the most this server allows: wait for "
                "some to end, or cancel some.",
                limit="max_unfinished_analyses_per_user",
            )
        if await Analysis.filter(status__in=_UNFINISHED).count() >= self.max_in_all:
            raise LimitExceededError(
                f"This server has {self.max_in_all} unfinished analyses, the most it takes: try again later.",
                limit="max_unfinished_analyses",
            )


async def create_analysis(
    owner_id: UUID,
    video: Video,
    settings: AnalysisSettings,
    idempotency_key: str | None = None,
    *,
    priority: int = 0,
    limits: AnalysisLimits | None = None,
) -> Analysis:
    """Queue an analysis; the same key and input give the analysis that the first call made.

    Raises:
        InvalidError: the key is empty or too long, or the priority is out of range.
        ConflictError: the video was rejected.
        IdempotencyMismatchError: the key was used with another input.
        LimitExceededError: there are too many unfinished analyses.
    """
    if not -MAX_PRIORITY <= priority <= MAX_PRIORITY:
        raise InvalidError(f"priority must be from -{MAX_PRIORITY} to {MAX_PRIORITY}.", path=("priority",))
    fingerprint = settings.fingerprint(video.id, priority)
    if idempotency_key is not None:
        check_idempotency_key(idempotency_key)
        earlier = await Analysis.get_or_none(owner_id=owner_id, idempotency_key=idempotency_key)
        if earlier is not None:
            return _replay(earlier, fingerprint)
    _refuse_rejected(video, "video_id")
    if limits is not None:
        await limits.check(owner_id)
    analysis = Analysis(
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
        recreates_people=settings.recreate_people,
        overlay=settings.overlay,
        crops=settings.crops,
        pictures=settings.pictures,
        detection_options=stored_options(settings.detection),
        tracking_options=stored_options(settings.tracking),
        counting=stored_options(settings.counting),
        priority=priority,
        idempotency_key=idempotency_key,
        idempotency_hash=fingerprint if idempotency_key is not None else None,
    )
    try:
        await _insert(analysis)
    except IntegrityError:
        earlier = await Analysis.get_or_none(owner_id=owner_id, idempotency_key=idempotency_key)
        if idempotency_key is not None and earlier is not None:
            return _replay(earlier, fingerprint)
        if not await Video.filter(id=video.id).exists():
            raise NotFoundError("There is no Video with this id.", path=("video_id",)) from None
        raise
    return analysis


def _refuse_rejected(video: Video, argument: str) -> None:
    if video.status == VideoStatus.REJECTED:
        raise ConflictError(f"This video cannot be analysed: {video.rejection_reason}", path=(argument,))


async def _insert(analysis: Analysis) -> None:
    async with in_transaction() as connection:
        await analysis.save(using_db=connection, force_create=True)
        await record_event(
            connection,
            analysis.owner_id,
            EventKind.ANALYSIS_QUEUED,
            video_id=analysis.video_id,
            analysis_id=analysis.id,
        )


def check_idempotency_key(key: str) -> None:
    """Raise InvalidError for a key that cannot be kept."""
    if not 1 <= len(key) <= MAX_IDEMPOTENCY_KEY_LENGTH:
        raise InvalidError(
            f"idempotencyKey must have 1 to {MAX_IDEMPOTENCY_KEY_LENGTH} characters.",
            path=("idempotency_key",),
        )


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
    """Pause, resume, cancel or restart for a person; asking again for what is so already changes nothing.

    Raises:
        NotFoundError: there is no such analysis of this account.
        ConflictError: the analysis is in a status that does not allow it, or its video was rejected.
    """
    analysis = await get_analysis(owner_id, analysis_id)
    if action == Action.RESTART:
        video = await Video.get_or_none(id=analysis.video_id)
        if video is not None:
            _refuse_rejected(video, "id")
    if not await apply(analysis_id, action):
        analysis = await get_analysis(owner_id, analysis_id)
        if analysis.status not in ALREADY_DONE[action]:
            raise ConflictError(f"Cannot {action} an analysis that is {analysis.status}.", path=("id",))
        return analysis
    return await get_analysis(owner_id, analysis_id)


def filter_tracks(tracks: Rows, labels: Sequence[str] | None = None) -> Rows:
    """Those tracks that have one of these labels, or all."""
    return tracks if labels is None else tracks.where_in("label", labels)


def filter_analyses(
    analyses: Rows,
    *,
    video_id: UUID | None = None,
    statuses: Sequence[AnalysisStatus] | None = None,
    ml_model: str | None = None,
) -> Rows:
    """Those analyses that meet every condition given."""
    for condition, value in (("video_id = ?", video_id), ("ml_model = ?", ml_model)):
        analyses = analyses if value is None else analyses.where(condition, value)
    if statuses is None:
        return analyses
    return analyses.where_in("status", [status.value for status in statuses])
