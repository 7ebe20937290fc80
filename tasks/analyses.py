"""Starting and steering analyses: where what the models can do meets what the database keeps."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

from redis.asyncio import Redis

from domain.analyses.models import Analysis, Tracker
from domain.analyses.options import (
    AnalysisMode,
    Anchor,
    Counting,
    CountingLine,
    DetectionOptions,
    Point,
    Tiling,
    TrackingOptions,
    Zone,
    camel_case,
)
from domain.analyses.progress import publish, take_snapshot
from domain.analyses.service import (
    AnalysisLimits,
    change_status,
    check_idempotency_key,
    create_analysis,
    get_analysis,
)
from domain.analyses.settings import AnalysisSettings
from domain.analyses.transitions import TRANSITIONS, Action
from domain.errors import InvalidError, ModelUnavailableError
from domain.videos.files import timeline_key
from domain.videos.models import Video
from ml_models.catalog import MLModelSpec
from ml_models.errors import MLModelError
from ml_models.factory import check_detects, check_installed, default_face_embedder, default_model
from ml_models.tracking.factory import TRACKER_PARAMETERS
from settings import Settings
from storage.base import AbstractStorage
from tasks.doorbell import ring
from tasks.face_embedding import FaceMatching
from tasks.own_models.find import find_model
from tasks.redis_clients import try_redis

_PLAIN = (
    "tracker",
    "frame_stride",
    "min_confidence",
    "labels",
    "start_seconds",
    "end_seconds",
    "create_people",
    "recreate_people",
    "overlay",
    "crops",
    "pictures",
)
"""What of `RequestedSettings` is of the same name in `AnalysisSettings`."""

FACE_MATCHING = FaceMatching()
"""As it is unless the settings say otherwise."""


@dataclass(frozen=True)
class RequestedSettings:
    """What a caller asked for; None means the default."""

    ml_model: str | None = None
    tracker: Tracker | None = None
    frame_stride: int | None = None
    min_confidence: float | None = None
    labels: tuple[str, ...] | None = None
    start_seconds: float | None = None
    end_seconds: float | None = None
    create_people: bool | None = None
    recreate_people: bool | None = None
    overlay: bool | None = None
    crops: bool | None = None
    pictures: bool | None = None
    mode: AnalysisMode | None = None
    region: tuple[Point, ...] | None = None
    tiling: Tiling | None = None
    motion_gating: bool | None = None
    tracker_parameters: TrackingOptions | None = None
    lines: tuple[CountingLine, ...] | None = None
    zones: tuple[Zone, ...] | None = None

    def detection(self) -> DetectionOptions:
        """How frames are looked at."""
        mode = self.mode or AnalysisMode.EXACT
        gating = mode == AnalysisMode.FAST if self.motion_gating is None else self.motion_gating
        return DetectionOptions(mode, self.region, self.tiling, gating)

    def counting(self) -> Counting:
        """What is counted where."""
        return Counting(self.lines or (), self.zones or ())


async def complete_settings(
    requested: RequestedSettings,
    weights_dir: Path,
    mirror: str | None,
    path: Sequence[str] = (),
    *,
    faces: FaceMatching = FACE_MATCHING,
) -> AnalysisSettings:
    """Fill in the defaults and check every value; `faces` says whether they may become people.

    Raises:
        ModelUnavailableError: there is no such model.
        InvalidError: a value is out of range; its path is below `path`.
    """
    spec = await _find_model(requested.ml_model, weights_dir, mirror, path)
    if requested.labels is not None:
        requested = replace(requested, labels=tuple(dict.fromkeys(requested.labels)))
    given = {name: getattr(requested, name) for name in _PLAIN}
    given = {name: value for name, value in given.items() if value is not None}
    settings = AnalysisSettings(
        ml_model=spec.name,
        **{"min_confidence": spec.default_confidence, **given},
        detection=requested.detection(),
        tracking=requested.tracker_parameters or TrackingOptions(),
        counting=requested.counting(),
    )
    settings.check(path)
    if settings.min_confidence < spec.floor_confidence:
        raise InvalidError(
            f"minConfidence must be at least {spec.floor_confidence} for {spec.name}: "
            "it does not keep less certain detections.",
            path=(*path, "min_confidence"),
        )
    if settings.create_people:
        faces.check(spec, default_face_embedder(weights_dir, mirror), path)
    _check_tracker(settings, (*path, "tracker_parameters"))
    _check_labels(spec, settings.labels, path)
    for number, line in enumerate(settings.counting.lines):
        _check_shape(spec, settings, line, (*path, "lines", str(number)))
    for number, zone in enumerate(settings.counting.zones):
        _check_shape(spec, settings, zone, (*path, "zones", str(number)))
    return settings


def _check_shape(
    spec: MLModelSpec, settings: AnalysisSettings, shape: CountingLine | Zone, path: Sequence[str]
) -> None:
    """Refuse what would count nothing for ever."""
    _check_labels(spec, shape.labels, path)
    if shape.labels and settings.labels and not set(shape.labels) & set(settings.labels):
        raise InvalidError(
            f"{shape.name!r} would count nothing: the analysis leaves out all of its labels.",
            path=(*path, "labels"),
        )
    if settings.detection.region is not None and _is_beyond(shape, settings.detection.region):
        raise InvalidError(f"{shape.name!r} would count nothing: it lies outside of the region.", path=path)


def _is_beyond(shape: CountingLine | Zone, region: Sequence[Point]) -> bool:
    """Whether nothing with its centre in the region can be at a shape, by their rectangles.

    Below the region there may be the feet of a thing whose centre is in it.
    """
    points = (shape.start, shape.end) if isinstance(shape, CountingLine) else shape.points
    (left, right), (top, bottom) = ((min(side), max(side)) for side in zip(*points, strict=True))
    (region_left, region_right), (region_top, region_bottom) = (
        (min(side), max(side)) for side in zip(*region, strict=True)
    )
    is_below = top > region_bottom and shape.anchor is Anchor.CENTER
    return right < region_left or left > region_right or bottom < region_top or is_below


def _check_tracker(settings: AnalysisSettings, path: Sequence[str]) -> None:
    taken = TRACKER_PARAMETERS[settings.tracker]
    for name, value in vars(settings.tracking).items():
        if value is not None and name not in taken:
            shown = ", ".join(camel_case(each) for each in taken) or "none"
            raise InvalidError(
                f"{settings.tracker} does not take {camel_case(name)}; its parameters: {shown}.",
                path=(*path, name),
            )


def _check_labels(spec: MLModelSpec, labels: Sequence[str] | None, path: Sequence[str]) -> None:
    unknown = [label for label in labels or () if label not in spec.labels]
    if unknown:
        shown = ", ".join(spec.labels[:10]) + (", …" if len(spec.labels) > 10 else "")
        raise InvalidError(
            f"{spec.name} has no label {unknown[0]!r}; it has: {shown}.", path=(*path, "labels")
        )


async def _find_model(
    name: str | None, weights_dir: Path, mirror: str | None, path: Sequence[str]
) -> MLModelSpec:
    if name is None:
        return default_model(weights_dir, mirror)
    return await _usable_model(name, (*path, "ml_model"))


async def _usable_model(name: str, path: Sequence[str]) -> MLModelSpec:
    try:
        spec = await find_model(name)
        check_detects(spec)
        check_installed(spec)
    except MLModelError as error:
        raise ModelUnavailableError(str(error), path=path) from error
    return spec


def analysis_limits(settings: Settings) -> AnalysisLimits:
    """How many unfinished analyses the settings allow."""
    return AnalysisLimits(settings.max_unfinished_analyses_per_user, settings.max_unfinished_analyses)


async def start_analysis(
    storage: AbstractStorage,
    owner_id: UUID,
    video: Video,
    settings: AnalysisSettings,
    idempotency_key: str | None = None,
    *,
    priority: int = 0,
    limits: AnalysisLimits | None = None,
) -> Analysis:
    """Queue an analysis and wake a worker.

    Raises:
        InvalidError: the video is over at `start_seconds`.
        UserFacingError: as `create_analysis`.
    """
    if idempotency_key is not None:
        check_idempotency_key(idempotency_key)
    start_seconds, duration_seconds = settings.start_seconds, video.duration_seconds
    if start_seconds is not None and duration_seconds is not None and start_seconds >= duration_seconds:
        is_repeated = idempotency_key is not None and await Analysis.exists(
            owner_id=owner_id, idempotency_key=idempotency_key
        )
        if not is_repeated:
            await _check_start(storage, video, start_seconds)
    analysis = await create_analysis(
        owner_id, video, settings, idempotency_key, priority=priority, limits=limits
    )
    await ring()
    return analysis


async def _check_start(storage: AbstractStorage, video: Video, start_seconds: float) -> None:
    from media.timeline import Timeline

    # Presentation times need not begin at 0: then a video may have frames at times beyond its duration.
    timeline = Timeline.from_bytes(await storage.get(timeline_key(video.id)))
    if start_seconds > timeline.timestamps_seconds[-1]:
        raise InvalidError(
            f"The video is over at startSeconds: it lasts {video.duration_seconds:g} seconds.",
            path=("settings", "start_seconds"),
        )


async def steer_analysis(redis: Redis, owner_id: UUID, analysis_id: UUID, action: Action) -> Analysis:
    """Pause, resume, cancel or restart; watchers hear of it at once, running work stops by itself.

    Raises:
        ModelUnavailableError: it is to be restarted, and its model was deleted or is not installed.
        UserFacingError: as `change_status`.
    """
    if action == Action.RESTART:
        analysis = await get_analysis(owner_id, analysis_id)
        if analysis.status in TRANSITIONS[action][0]:
            await _usable_model(analysis.ml_model, ("id",))
    analysis = await change_status(owner_id, analysis_id, action)
    snapshot = await take_snapshot(analysis_id)
    if snapshot is not None:
        # Watchers look at the database now and then, too.
        await try_redis("progress is not pushed", lambda: publish(redis, snapshot))
    if action in (Action.RESUME, Action.RESTART):
        await ring()
    return analysis
