"""Comparing two analyses of one video, as a person asks for it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar
from uuid import UUID

from tortoise.functions import Sum

from domain.analyses.files import tracked_key
from domain.analyses.models import Analysis, AnalysisStatus, LabelTotal
from domain.analyses.service import owned_analyses
from domain.errors import ConflictError, InvalidError, LimitExceededError, NotFoundError
from storage.base import AbstractStorage
from storage.errors import FileMissingError
from tasks.results.comparison import Comparer, Comparison
from tasks.results.table import SegmentTable

T = TypeVar("T")

_THREAD = ThreadPoolExecutor(max_workers=1, thread_name_prefix="compare")
"""Comparisons take turns, segment by segment: together they use one core at most."""


async def compare_analyses(
    storage: AbstractStorage, owner_id: UUID, a: UUID, b: UUID, *, max_detections: int
) -> Comparison:
    """Read both runs segment by segment and compare them.

    Raises:
        NotFoundError: There is no such analysis of this account.
        InvalidError: They are of different videos.
        ConflictError: One has not succeeded.
        LimitExceededError: Together they have more than `max_detections` detections.
    """
    runs = (await _finished(owner_id, a, "a"), await _finished(owner_id, b, "b"))
    if runs[0].video_id != runs[1].video_id:
        raise InvalidError("These are analyses of different videos: choose two of one video.", ("b",))
    await _check_size(runs, max_detections)
    comparer = Comparer()
    next_segments = [0, 0]
    while (number := comparer.behind()) is not None:
        data = await _segment(storage, runs[number], next_segments[number], "ab"[number])
        next_segments[number] += 1
        await _in_thread(partial(_add, comparer, number, data))
    return await _in_thread(comparer.result)


async def _finished(owner_id: UUID, analysis_id: UUID, argument: str) -> Analysis:
    analysis = await owned_analyses(owner_id).get_or_none(id=analysis_id)
    if analysis is None:
        raise _missing(argument)
    if analysis.status != AnalysisStatus.SUCCEEDED:
        raise ConflictError(
            f"This analysis is {analysis.status}: only those that SUCCEEDED can be compared.", (argument,)
        )
    return analysis


async def _check_size(runs: tuple[Analysis, Analysis], most: int) -> None:
    count = 0
    for run in runs:
        found = await LabelTotal.filter(analysis_id=run.id).annotate(sum=Sum("detections")).values("sum")
        count += sum(row["sum"] or 0 for row in found)
    if count > most:
        raise LimitExceededError(
            f"These analyses have {count} detections together; this server compares up to {most}.",
            limit="max_compared_detections",
        )


async def _segment(storage: AbstractStorage, analysis: Analysis, number: int, argument: str) -> bytes | None:
    if number >= (analysis.segment_count or 0):
        return None
    try:
        return await storage.get(tracked_key(analysis.id, number))
    except FileMissingError:
        # Deleted meanwhile, or the file is lost.
        raise _missing(argument) from None


def _add(comparer: Comparer, number: int, data: bytes | None) -> None:
    comparer.add(number, None if data is None else SegmentTable.from_parquet(data))


async def _in_thread(call: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(_THREAD, call)


def _missing(argument: str) -> NotFoundError:
    return NotFoundError("There is no Analysis with this id.", (argument,))
