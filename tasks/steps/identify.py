"""Taking the faces of tracked segments into the register of people."""

import asyncio
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

import numpy as np

from domain.analyses.files import (
    face_key,
    faces_prefix,
    identifier_state_key,
    tracked_key,
    tracker_state_key,
)
from domain.analyses.models import Analysis
from domain.leases import Lease
from domain.people.identifying import begin_identifying, restart_identifying, tracks_in_register
from domain.people.recording import Sighting, record_faces
from domain.videos.files import timeline_key
from domain.videos.models import Video
from ml_models.catalog import MLModelSpec
from ml_models.errors import MLModelError
from ml_models.weights import ensure_weights
from tasks.face_embedding import face_embedding_model
from tasks.process.errors import JobError
from tasks.process.limits import time_limit
from tasks.process.pool import AnalysisProcess
from tasks.process.protocol import Message
from tasks.runtime import Runtime
from tasks.steps.guarded import LostClaimError, guarded
from tasks.steps.state import read_state
from tasks.steps.track import keep_advancing

log = logging.getLogger(__name__)


class FaceModelError(MLModelError):
    """Raised when faces cannot be described, and trying again would not help."""


@dataclass(frozen=True)
class _Found:
    """What the analysis process found out: crops by track, and the rest of its answer."""

    sightings: list[Sighting]
    portraits: dict[int, bytes]
    state: bytes


async def identify_segments(
    runtime: Runtime,
    process: AnalysisProcess,
    lease: Lease,
    analysis: Analysis,
    video: Video,
    numbers: range,
) -> bool:
    """Look at the faces of these segments, which are tracked, and have them recorded.

    Whenever it is cut short, doing it again gives the same: what is stored before is written again.

    Returns:
        False when identifying begins anew from the first segment.

    Raises:
        FaceModelError: Faces cannot be described, or must not be.
        LostClaimError: The claim was lost, or the analysis paused or cancelled.
    """
    if not runtime.settings.face_matching:
        raise FaceModelError(
            "Faces were to become people, but face matching is switched off on this server (setting "
            "FRAMEWISE_FACE_MATCHING). Once it is on, this analysis can be restarted."
        )
    state = Message("identifier", {"embedding_model": None, "tracks": []})
    if numbers.start > 0:
        left = await read_state(runtime, identifier_state_key(analysis.id, numbers.start - 1))
        if left is None:
            log.warning("the faces of analysis %s are gone: identifying begins anew", analysis.id)
            return await _begin_anew(lease)
        state = left
    model = _model(runtime, state.values["embedding_model"])
    if state.values["embedding_model"] not in (None, model.name):
        log.warning("analysis %s: faces are described by another model now: beginning anew", analysis.id)
        return await _begin_anew(lease)
    if numbers.start == 0:
        await runtime.surely("faces", lambda: begin_identifying(lease))
    is_last = numbers.stop == analysis.segment_count

    async def work() -> _Found:
        found = await _look(runtime, process, analysis, video, numbers, state, model, is_last=is_last)
        portraits = [
            runtime.storage.put(face_key(analysis.id, track_id), portrait)
            for track_id, portrait in found.portraits.items()
        ]
        state_key = identifier_state_key(analysis.id, numbers.stop - 1)
        await asyncio.gather(*portraits, runtime.storage.put(state_key, found.state))
        return found

    found = await guarded(work(), keep_advancing(runtime, lease, analysis))
    await _record(runtime, lease, numbers, found.sightings, model, is_last=is_last)
    await _drop_portraits(runtime, analysis.id, found.portraits)
    if numbers.start > 0:
        await runtime.storage.delete(identifier_state_key(analysis.id, numbers.start - 1))
    return True


async def drop_strange_portraits(runtime: Runtime, analysis_id: UUID) -> None:
    """Remove every crop of a face that is not in the register, whenever the work was cut short."""
    track_ids = [
        int(PurePosixPath(key).stem) async for key in runtime.storage.list(faces_prefix(analysis_id))
    ]
    if track_ids:
        known = await tracks_in_register(analysis_id)
        await _delete_portraits(runtime, analysis_id, set(track_ids) - known)


async def _begin_anew(lease: Lease) -> bool:
    if not await restart_identifying(lease):
        raise LostClaimError
    return False


def _model(runtime: Runtime, used_before: str | None) -> MLModelSpec:
    try:
        return face_embedding_model(runtime.settings, used_before)
    except MLModelError as error:
        raise FaceModelError(f"Faces cannot be described: {error}") from error


async def _look(
    runtime: Runtime,
    process: AnalysisProcess,
    analysis: Analysis,
    video: Video,
    numbers: range,
    state: Message,
    model: MLModelSpec,
    *,
    is_last: bool,
) -> _Found:
    settings = runtime.settings
    values = {
        "source": await runtime.storage.source(str(video.storage_key)),
        "tracks": state.values["tracks"],
        "live": None if is_last else await _live_tracks(runtime, analysis.id, numbers.stop),
        "is_last": is_last,
        "min_pixels": settings.face_min_pixels,
        "needs_landmarks": model.needs_landmarks,
        "like_similarity": model.same_similarity or 1.0,
        "ml_model": model.name,
        "weights_dir": str(settings.resolved_weights_dir()),
        "weights_mirror": settings.resolved_weights_mirror(),
        "device": settings.device,
        "thread_count": settings.decode_threads(),
    }
    keys = [timeline_key(video.id), *(tracked_key(analysis.id, number) for number in numbers)]
    blobs = await asyncio.gather(*map(runtime.storage.get, keys))
    try:
        if model.weights is not None:
            await asyncio.to_thread(
                ensure_weights, model, settings.resolved_weights_dir(), settings.resolved_weights_mirror()
            )
        # At worst every frame up to these segments is decoded, a few times over.
        limit = time_limit(settings, video.frame_count or 0)
        answer = await process.request(Message("identify", values, blobs), limit=limit)
    except MLModelError as error:
        raise FaceModelError(f"Faces cannot be described: {error}") from error
    except JobError as error:
        if "MLModelError" not in error.kinds:
            raise
        raise FaceModelError(f"Faces cannot be described: {error}") from error
    log.info(
        "analysis %s, segments %d to %d: %d frames decoded, %d faces embedded",
        analysis.id,
        numbers.start,
        numbers.stop - 1,
        answer.values["frames_decoded"],
        answer.values["faces_embedded"],
    )
    left = {"embedding_model": model.name, "tracks": answer.values["tracks"]}
    sightings = _sightings(answer)
    portraits = {one.track_id: portrait for one, portrait in zip(sightings, answer.blobs[1:], strict=True)}
    return _Found(sightings, portraits, Message("identifier", left).encode())


async def _live_tracks(runtime: Runtime, analysis_id: UUID, tracked: int) -> list[int] | None:
    """The tracks that may go on after so many segments; None if nothing tells: then none has ended."""
    left = await read_state(runtime, tracker_state_key(analysis_id, tracked - 1))
    return None if left is None else left.values.get("live")


def _sightings(answer: Message) -> list[Sighting]:
    told: Sequence[dict[str, Any]] = answer.values["sightings"]
    if not told:
        return []
    embeddings = np.frombuffer(answer.blobs[0], dtype="<f4").reshape(len(told), -1)
    return [
        Sighting(
            track_id=one["track_id"],
            first_seconds=one["first_seconds"],
            last_seconds=one["last_seconds"],
            quality=one["quality"],
            embedding=embedding.astype(np.float32),
            places=tuple((seconds, x1, y1, x2, y2) for seconds, x1, y1, x2, y2 in one["places"]),
            beside=tuple(one["beside"]),
            is_final=one["is_final"],
        )
        for one, embedding in zip(told, embeddings, strict=True)
    ]


async def _record(
    runtime: Runtime,
    lease: Lease,
    numbers: range,
    sightings: Sequence[Sighting],
    model: MLModelSpec,
    *,
    is_last: bool,
) -> None:
    done = await runtime.surely(
        "faces",
        lambda: record_faces(
            lease,
            numbers.start,
            len(numbers),
            sightings,
            embedding_model=model.name,
            same_similarity=model.join_similarity or model.same_similarity or 1.0,
            like_similarity=model.same_similarity or 1.0,
            is_last=is_last,
        ),
    )
    if not done:
        raise LostClaimError


async def _drop_portraits(runtime: Runtime, analysis_id: UUID, stored: Collection[int]) -> None:
    """Remove the crops of faces that the register did not take up."""
    if stored:
        known = await tracks_in_register(analysis_id, stored)
        await _delete_portraits(runtime, analysis_id, set(stored) - known)


async def _delete_portraits(runtime: Runtime, analysis_id: UUID, track_ids: Collection[int]) -> None:
    for track_id in sorted(track_ids):
        await runtime.storage.delete(face_key(analysis_id, track_id))
