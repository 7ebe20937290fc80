"""Finding what earlier analyses have stored of a video."""

import asyncio
from collections.abc import Mapping
from typing import Any

from domain.analyses.models import Analysis
from domain.videos.files import detections_prefix
from domain.videos.models import Video
from ml_models.errors import MLModelError
from storage.errors import FileMissingError
from tasks.own_models.find import find_model
from tasks.results.cache import detections_key
from tasks.results.table import detection_counts
from tasks.runtime import Runtime

_READ_AT_ONCE = 16


async def stored_counts(
    runtime: Runtime, analysis: Analysis, video: Video, plans: list[dict[str, Any]]
) -> list[Mapping[str, int] | None]:
    """For each plan the detections by label that the analysis keeps of what is stored; None: nothing is."""
    try:
        fingerprint = (await find_model(analysis.ml_model)).fingerprint()
    except MLModelError:
        return [None] * len(plans)  # detection will say what is wrong
    prefix = detections_prefix(video.sha256)
    stored = {key async for key in runtime.storage.list(prefix)}
    gate = asyncio.Semaphore(_READ_AT_ONCE)

    async def counts(plan: dict[str, Any]) -> Mapping[str, int] | None:
        key = detections_key(
            video.sha256, plan, analysis.frame_stride, fingerprint, analysis.detection_options
        )
        if key not in stored:
            return None
        async with gate:
            try:
                data = await runtime.storage.get(key)
            except FileMissingError:
                return None
            return await asyncio.to_thread(detection_counts, data, analysis.min_confidence, analysis.labels)

    return await asyncio.gather(*(counts(plan) for plan in plans))
