"""Comparing two analyses of one video, as a person asks for it."""

import asyncio
from uuid import UUID

from tortoise.functions import Sum

from domain.analyses.files import tracked_key
from domain.analyses.models import Analysis, AnalysisStatus, LabelTotal
from domain.analyses.service import owned_analyses
from domain.errors import ConflictError, InvalidError, LimitExceededError, NotFoundError
from domain.videos.models import Video
from settings import Settings
from storage.base import AbstractStorage
from storage.errors import FileMissingError
from tasks.process.alone import process_of_its_own
from tasks.process.process import AnalysisProcess
from tasks.process.protocol import Message
from tasks.results.comparison import Comparison

_turns = asyncio.Lock()
"""One comparison at a time in a process of the API, which uses one core at most."""


async def compare_analyses(
    settings: Settings, storage: AbstractStorage, owner_id: UUID, a: UUID, b: UUID, *, most_tracks: int
) -> Comparison:
    """Read both runs segment by segment and compare them, in a process of its own.

    Not in a thread: each call of NumPy and Arrow may hold the interpreter, and with it the event loop, for as
    long as its arrays are large.

    Args:
        settings: Of this process.
        storage: Where the detections lie.
        owner_id: Whose analyses.
        a: The first.
        b: The second.
        most_tracks: So many of each kind of tracks are listed.

    Raises:
        NotFoundError: There is no such analysis of this account.
        InvalidError: They are of videos of different content.
        ConflictError: One has not succeeded.
        LimitExceededError: Together they have more than `settings.max_compared_detections` detections.
    """
    runs = (await _finished(owner_id, a, "a"), await _finished(owner_id, b, "b"))
    if not await _show_the_same(runs):
        raise InvalidError("These are analyses of different videos: choose two of one video.", ("b",))
    await _check_size(runs, settings.max_compared_detections)
    async with _turns, process_of_its_own(settings) as process:
        return await _compared(process, storage, runs, most_tracks)


async def _compared(
    process: AnalysisProcess, storage: AbstractStorage, runs: tuple[Analysis, Analysis], most_tracks: int
) -> Comparison:
    next_segments = [0, 0]
    answer = await process.request(Message("compare_begin"))
    while (number := answer.values["behind"]) is not None:
        data = await _segment(storage, runs[number], next_segments[number], "ab"[number])
        next_segments[number] += 1
        answer = await process.request(
            Message("compare_add", {"run": number}, [] if data is None else [data])
        )
    answer = await process.request(Message("compare_result", {"most_tracks": most_tracks}))
    return Comparison.from_values(answer.values)


async def _finished(owner_id: UUID, analysis_id: UUID, argument: str) -> Analysis:
    analysis = await owned_analyses(owner_id).get_or_none(id=analysis_id)
    if analysis is None:
        raise _missing(argument)
    if analysis.status != AnalysisStatus.SUCCEEDED:
        raise ConflictError(
            f"This analysis is {analysis.status}: only those that SUCCEEDED can be compared.", (argument,)
        )
    return analysis


async def _show_the_same(runs: tuple[Analysis, Analysis]) -> bool:
    """Whether they are of one video, or of two that were uploaded from the same file."""
    ids = {run.video_id for run in runs}
    if len(ids) == 1:
        return True
    contents = await Video.filter(id__in=ids).values_list("sha256", "size_bytes")
    return len(contents) == len(ids) and len(set(contents)) == 1 and bool(contents[0][0])


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


def _missing(argument: str) -> NotFoundError:
    return NotFoundError("There is no Analysis with this id.", (argument,))
